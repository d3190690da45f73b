// What is drawn over the live picture: boxes that glide from one analysis to the next, and labels that hold still.
(function (facekit) {
  const GLIDE = 45;  // milliseconds after which a box has gone 63 % of its way
  const ORDER = Object.values(facekit.areas).flat();  // labels keep this order, so that they do not jump about
  const MOST = 3;  // attributes in a label
  const rounded = (pen, x, y, w, h, r) => { pen.beginPath(); pen.roundRect ? pen.roundRect(x, y, w, h, r) : pen.rect(x, y, w, h); };

  // Words in as many lines as they need, so that none is cut off.
  const lines = (pen, words, room) => words.reduce((rows, word) => {
    const longer = [...rows.slice(-1), word].join("  ·  ");
    return rows.length && pen.measureText(longer).width <= room ? [...rows.slice(0, -1), longer] : [...rows, word];
  }, []);

  // The words for a face: a line for age and gender, one for what else is switched on and sure. Short: nothing unsure.
  facekit.liveWords = (face, shown, short = false) => {
    const has = (name) => shown.has(name);
    const gender = has("gender") && face.gender && !(short && face.unsure.includes("gender"));
    const first = [has("age") && face.age && facekit.ageText(face.age), gender && facekit.genderText(face)];
    const sure = ORDER.filter((name) => has(name) && face.attributes[name] >= 0.5 && !face.unsure.includes(name));
    const expression = has("expression") && face.expression && !face.unsure.includes("expression");
    const second = [...sure.map(facekit.attributeName), expression && facekit.t("live.looks", { label: facekit.expressionText(face) })];
    return [first.filter(Boolean), second.filter(Boolean)];
  };

  facekit.liveOverlay = (canvas) => {
    const faces = new Map();  // by track: where it is drawn, where it should be, and what was read
    const look = { mirror: true, large: false, shown: new Set() };
    let drawn = 0;

    function take(report) {
      const seen = new Set();
      for (const face of report.faces) {
        seen.add(face.track);
        const [x1, y1, x2, y2] = face.box, target = [x1 / report.width, y1 / report.height, x2 / report.width, y2 / report.height];
        const old = faces.get(face.track);
        faces.set(face.track, { face, target, box: old?.box ?? [...target], fade: old?.fade ?? 0, gone: false });
      }
      for (const [track, one] of faces) if (!seen.has(track)) one.gone = true;
    }

    function draw(time) {
      const pen = canvas.getContext("2d"), dots = window.devicePixelRatio || 1, [w, h] = [canvas.clientWidth, canvas.clientHeight];
      if (canvas.width !== Math.round(w * dots) || canvas.height !== Math.round(h * dots)) [canvas.width, canvas.height] = [Math.round(w * dots), Math.round(h * dots)];
      pen.setTransform(dots, 0, 0, dots, 0, 0);
      pen.clearRect(0, 0, w, h);
      const step = Math.min(200, time - drawn), share = 1 - Math.exp(-step / GLIDE);
      drawn = time;
      for (const [track, one] of faces) {
        one.box = one.box.map((value, i) => value + share * (one.target[i] - value));
        one.fade += share * ((one.gone ? 0 : one.face.presence) - one.fade);
        if (one.gone && one.fade < 0.02) { faces.delete(track); continue; }
        face(pen, one, track, w, h);
      }
    }

    function face(pen, { face, box, fade }, track, w, h) {
      const [x1, x2] = look.mirror ? [(1 - box[2]) * w, (1 - box[0]) * w] : [box[0] * w, box[2] * w], [y1, y2] = [box[1] * h, box[3] * h];
      const size = Math.round(Math.max(13, Math.min(w / 36, 22)) * (look.large ? 1.4 : 1)), pad = Math.round(size * 0.45), line = Math.round(size * 1.35);
      pen.globalAlpha = Math.min(1, fade);
      for (const [colour, width] of [["rgba(18,22,20,.55)", 5], ["#fff", 2.5]]) {
        pen.strokeStyle = colour;
        pen.lineWidth = width;
        rounded(pen, x1, y1, x2 - x1, y2 - y1, 8);
        pen.stroke();
      }
      const [first, second] = facekit.liveWords(face, look.shown, true);
      pen.font = `600 ${size}px system-ui, sans-serif`;
      const rows = [[track, ...first], second.slice(0, MOST)].flatMap((words) => lines(pen, words, w - 8 - 2 * pad));
      const width = Math.max(...rows.map((words) => pen.measureText(words).width)) + 2 * pad, height = rows.length * line + pad;
      const x = Math.max(4, Math.min((x1 + x2 - width) / 2, w - width - 4));
      const y = y2 + 6 + height <= h ? y2 + 6 : y1 - 6 - height >= 0 ? y1 - 6 - height : h - height - 4;
      pen.fillStyle = "rgba(18,22,20,.84)";
      rounded(pen, x, y, width, height, 6);
      pen.fill();
      pen.fillStyle = "#fff";
      pen.textBaseline = "middle";
      rows.forEach((words, i) => pen.fillText(words, x + pad, y + pad / 2 + (i + 0.5) * line));
      pen.globalAlpha = 1;
    }

    return { look, take, draw, clear: () => faces.clear(), get count() { return [...faces.values()].filter((one) => !one.gone).length; } };
  };
})(window.facekit);
