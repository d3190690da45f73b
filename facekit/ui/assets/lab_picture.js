// Pictures of the lab: the plane with its points and the discriminator's field, and lines over the steps.
(function (facekit) {
  const UNIT = 4096, REACH = 3, FIELD = 32;  // as in facekit/lab: units of the coordinates, half a side, places a side
  const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  facekit.labPoints = (base64) => new Int16Array(bytes(base64).buffer);

  // What a canvas draws with: its size follows the page, its pixels the screen.
  function pen(canvas) {
    const scale = window.devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight;
    if (canvas.width !== Math.round(w * scale) || canvas.height !== Math.round(h * scale)) {
      canvas.width = Math.round(w * scale);
      canvas.height = Math.round(h * scale);
    }
    const context = canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, w, h);
    return { context, w, h };
  }
  const colour = (canvas, name) => getComputedStyle(canvas).getPropertyValue(`--fk-${name}`).trim();
  const parts = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

  const small = document.createElement("canvas");
  small.width = small.height = FIELD;
  function drawField(context, field, w, h, low, high) {
    const values = bytes(field), image = new ImageData(FIELD, FIELD);
    for (let row = 0; row < FIELD; row++) for (let column = 0; column < FIELD; column++) {
      const share = values[(FIELD - 1 - row) * FIELD + column] / 255, at = 4 * (row * FIELD + column);
      for (let c = 0; c < 3; c++) image.data[at + c] = low[c] + share * (high[c] - low[c]);
      image.data[at + 3] = 255;
    }
    small.getContext("2d").putImageData(image, 0, 0);
    context.drawImage(small, 0, 0, w, h);
  }
  function dots(context, points, w, h, radius) {
    context.beginPath();
    for (let i = 0; i < points.length; i += 2) {
      const x = (points[i] / UNIT + REACH) / (2 * REACH) * w, y = (REACH - points[i + 1] / UNIT) / (2 * REACH) * h;
      context.moveTo(x + radius, y);
      context.arc(x, y, radius, 0, 7);
    }
  }
  facekit.labPlane = (canvas, real, frame) => {
    const { context, w, h } = pen(canvas);
    if (frame?.field) drawField(context, frame.field, w, h, parts(colour(canvas, "surface")), parts(colour(canvas, "field")));
    if (real) {
      dots(context, real, w, h, Math.max(Math.min(2, w / 56), w / 130));
      context.strokeStyle = colour(canvas, "ink-soft");
      context.lineWidth = 1;
      context.stroke();
    }
    if (frame) {
      dots(context, frame.points, w, h, Math.max(Math.min(2, w / 56), w / 150));
      context.fillStyle = colour(canvas, "made");
      context.fill();
    }
  };

  // A picture of portraits, ready to be drawn; of faces what labPlane is of points.
  facekit.labSheet = async (url) => createImageBitmap(await (await fetch(url)).blob());
  facekit.labFaces = (canvas, sheet, share = 1) => {  // `share` of its width and height, from the first portrait on
    const { context, w, h } = pen(canvas);
    if (!sheet) return;
    context.imageSmoothingEnabled = share < 1;
    context.drawImage(sheet, 0, 0, share * sheet.width, share * sheet.height, 0, 0, w, h);
  };

  // Lines over steps 0 to `last`: series are {name, values: [[step, value]], dashed, colour}; the range grows to hold them.
  facekit.labLines = (canvas, series, { low, high, last, mark }) => {
    const { context, w, h } = pen(canvas), left = 34, bottom = 18, top = 6;
    const all = series.flatMap((one) => one.values.map((pair) => pair[1]));
    const sorted = [...all].sort((a, b) => a - b), most = sorted[Math.floor(0.99 * (sorted.length - 1))] ?? 1, least = sorted[Math.floor(0.01 * sorted.length)] ?? 0;
    const [from, to] = [Math.min(low, least), Math.max(high, most)];
    const x = (step) => left + (w - left - 4) * step / last, y = (value) => top + (h - top - bottom) * (1 - (Math.min(to, Math.max(from, value)) - from) / (to - from));
    context.font = "12px system-ui, sans-serif";
    context.fillStyle = colour(canvas, "ink-soft");
    context.strokeStyle = colour(canvas, "line");
    context.textAlign = "right";
    for (const value of [from, to]) {
      context.fillText(value.toLocaleString(facekit.language, { maximumFractionDigits: Math.abs(value) >= 10 ? 0 : 1 }), left - 5, y(value) + 4);
      context.beginPath(); context.moveTo(left, y(value)); context.lineTo(w - 4, y(value)); context.stroke();
    }
    context.fillText(last.toLocaleString(facekit.language), w - 4, h - 3);
    if (mark !== undefined) {
      context.setLineDash([2, 3]);
      context.strokeStyle = colour(canvas, "ink-soft");
      context.beginPath(); context.moveTo(left, y(mark)); context.lineTo(w - 4, y(mark)); context.stroke();
    }
    for (const one of series) {
      context.setLineDash(one.dashed ? [5, 4] : []);
      context.strokeStyle = colour(canvas, one.colour);
      context.lineWidth = 2;
      context.beginPath();
      const stride = Math.max(1, Math.floor(one.values.length / w));
      one.values.forEach(([step, value], i) => { if (i % stride === 0 || i === one.values.length - 1) context[i ? "lineTo" : "moveTo"](x(step), y(value)); });
      context.stroke();
    }
    context.setLineDash([]);
    context.lineWidth = 1;
  };
})(window.facekit);
