// Sheets of faces: many small pictures side by side in one, and how they are put on canvases.
(function (facekit) {
  const { h } = facekit;

  // {image, size, columns}: `size` is the width and height of a face in its pixels.
  facekit.faceSheet = async (url, size) => {
    const image = new Image();
    image.src = url;
    await image.decode();
    return { image, size, columns: Math.round(image.naturalWidth / size) };
  };
  // Put face `i` on a canvas as large as it is shown; with `share`, that much of the same face of `next` over it.
  facekit.drawFace = (canvas, sheet, i, next = null, share = 0) => {
    const side = Math.max(64, Math.round((canvas.clientWidth || sheet.size) * (window.devicePixelRatio || 1)));
    if (canvas.width !== side) canvas.width = canvas.height = side;
    const pen = canvas.getContext("2d");
    pen.imageSmoothingQuality = "high";
    for (const [one, opacity] of [[sheet, 1], [next, share]]) {
      if (!one || !opacity) continue;
      pen.globalAlpha = opacity;
      pen.drawImage(one.image, (i % one.columns) * one.size, Math.floor(i / one.columns) * one.size, one.size, one.size, 0, 0, side, side);
    }
    pen.globalAlpha = 1;
  };
  // The first `count` faces of a sheet as one picture with gaps, `scale` times as large.
  facekit.sheetPicture = (sheet, count, scale, gap = 2) => {
    const columns = Math.min(count, sheet.columns), rows = Math.ceil(count / columns), side = sheet.size * scale;
    const canvas = h("canvas", { width: columns * (side + gap) + gap, height: rows * (side + gap) + gap }), pen = canvas.getContext("2d");
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.imageSmoothingQuality = "high";
    for (let i = 0; i < count; i++) {
      pen.drawImage(sheet.image, (i % sheet.columns) * sheet.size, Math.floor(i / sheet.columns) * sheet.size, sheet.size, sheet.size,
        gap + (i % columns) * (side + gap), gap + Math.floor(i / columns) * (side + gap), side, side);
    }
    return canvas;
  };
  facekit.asPng = (canvas) => new Promise((done) => canvas.toBlob(done, "image/png"));
  facekit.icon = (name) => {
    const shapes = {
      dice: '<rect x="4" y="4" width="16" height="16" rx="4"/><path d="M8.5 8.5h.01M15.5 8.5h.01M12 12h.01M8.5 15.5h.01M15.5 15.5h.01" stroke-width="2.6"/>',
      like: '<circle cx="9" cy="12" r="5"/><circle cx="16" cy="12" r="5"/>',
      play: '<path d="M8 5.5v13l10.5-6.5z"/>', pause: '<path d="M9 6v12M15 6v12"/>',
    };
    const holder = h("span", { class: "fk-icon", "aria-hidden": "true" });
    holder.innerHTML = `<svg viewBox="0 0 24 24" width="20" height="20" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">${shapes[name]}</svg>`;
    return holder;
  };
})(window.facekit);
