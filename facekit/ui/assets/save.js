// Saving an answer. The files are made here, in the browser: the server writes none.
(function (facekit) {
  const { h, t } = facekit;
  const save = facekit.save = (blob, name) => {
    const link = h("a", { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };
  const cell = (value) => /[",\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value);
  facekit.csv = (report) => {
    const names = Object.keys(report.faces[0]?.attributes || {});
    const head = ["face", "x1", "y1", "x2", "y2", "score", "gender", "gender_probability", "age", "age_low", "age_high",
      "expression", "expression_probability", "unsure", ...names];
    const rows = report.faces.map((face, i) => [i + 1, ...face.box, face.score, face.gender?.label ?? "", face.gender?.probability ?? "",
      face.age?.years ?? "", face.age?.low ?? "", face.age?.high ?? "", face.expression?.label ?? "",
      face.expression ? face.expression.probabilities[face.expression.label] : "", face.unsure.join(" "), ...names.map((name) => face.attributes[name])]);
    return [head, ...rows].map((row) => row.map(cell).join(",")).join("\n") + "\n";
  };
  async function picture(image, report) {
    const canvas = h("canvas", { width: report.width, height: report.height });
    const pen = canvas.getContext("2d"), size = Math.max(14, Math.round(Math.max(report.width, report.height) / 48));
    pen.drawImage(image, 0, 0, report.width, report.height);
    pen.font = `600 ${size}px system-ui, sans-serif`;
    pen.textBaseline = "top";
    report.faces.forEach((face, i) => {
      const [x1, y1, x2, y2] = face.box, pad = size / 3;
      for (const [colour, width] of [["rgba(18,22,20,.7)", size / 4], ["#fff", size / 8]]) { pen.strokeStyle = colour; pen.lineWidth = width; pen.strokeRect(x1, y1, x2 - x1, y2 - y1); }
      const words = [i + 1, face.age && facekit.ageText(face.age), face.gender && facekit.genderText(face)].filter(Boolean).join("  ");
      const width = pen.measureText(words).width + 2 * pad, height = size + 2 * pad;
      const x = Math.max(0, Math.min(x1, report.width - width)), y = Math.max(0, y2 + height > report.height ? y1 - height : y2);
      pen.fillStyle = "rgba(18,22,20,.86)";
      pen.fillRect(x, y, width, height);
      pen.fillStyle = "#fff";
      pen.fillText(words, x + pad, y + pad);
    });
    return new Promise((done) => canvas.toBlob(done, "image/png"));
  }
  facekit.savers = (report, name, image) => {
    const stem = (name || "photo").replace(/\.[^.]*$/, ""), json = JSON.stringify({ ...report, error: null }, null, 1);
    const button = (label, kind, act) => h("button", { type: "button", class: "fk-link", "data-save": kind, onclick: act }, label);
    const copy = button(t("save.copy"), "copy", async () => {
      await navigator.clipboard?.writeText(json);
      copy.textContent = t("save.copied");
      setTimeout(() => { copy.textContent = t("save.copy"); }, 1500);
    });
    return h("div", { class: "fk-save", role: "group", "aria-label": t("save.label") }, h("span", {}, t("save.label")),
      button("JSON", "json", () => save(new Blob([json], { type: "application/json" }), `${stem}.json`)),
      button("CSV", "csv", () => save(new Blob([facekit.csv(report)], { type: "text/csv" }), `${stem}.csv`)),
      button(t("save.picture"), "picture", async () => save(await picture(image, report), `${stem}-faces.png`)), copy);
  };
})(window.facekit);
