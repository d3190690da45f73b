// For whom a checkpoint is good and for whom worse: one small chart a question.
(function (facekit) {
  const { t } = facekit;
  const svg = (tag, attributes, ...children) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  };
  const groupName = facekit.groupName = (of) => Object.values(of).map((value) => facekit.has("group.value." + value) ? t("group.value." + value) : value).join(", ") || t("quality.all");

  function chart({ task, rows, years }) {
    const left = 150, right = 440, line = 26, top = 30;
    const low = Math.min(...rows.map((row) => row.low)), high = Math.max(...rows.map((row) => row.high));
    const step = years ? 1 : high - low > 0.3 ? 0.1 : high - low > 0.1 ? 0.05 : 0.01;
    const from = Math.floor(low / step - 1e-6) * step, to = Math.ceil(high / step + 1e-6) * step;
    const x = (value) => left + (right - left) * (value - from) / (to - from);
    const words = (value) => years ? facekit.decimal(value) : `${new Intl.NumberFormat(facekit.language, { maximumFractionDigits: 1 }).format(100 * value)}\u00a0%`;
    const picture = svg("svg", { viewBox: `0 0 560 ${top + line * rows.length + 4}`, class: "fk-chart", role: "img", "aria-label": t("quality." + task) });
    for (let value = from; value <= to + step / 2; value += step * Math.max(1, Math.ceil((to - from) / step / 5 - 1e-6))) {
      picture.append(svg("line", { class: "grid", x1: x(value), x2: x(value), y1: top - 6, y2: top + line * rows.length }));
      picture.append(svg("text", { class: "soft", x: x(value), y: 16, "text-anchor": "middle" }, words(value)));
    }
    rows.forEach((row, i) => {
      const y = top + line * (i + 0.5);
      picture.append(svg("g", row.small ? { class: "small" } : {},
        svg("title", {}, row.pictures === null ? "" : t("quality.pictures", { n: row.pictures })),
        svg("text", { x: 0, y: y + 5, style: i ? "" : "font-weight:600" }, groupName(row.of)),
        svg("line", { class: "whisker", x1: x(row.low), x2: x(row.high), y1: y, y2: y }), svg("circle", { cx: x(row.value), cy: y, r: 5 }),
        svg("text", { class: "soft", x: 460, y: y + 5 }, words(row.value) + (row.pictures === null ? "" : ` · ${row.pictures}`))));
    });
    return picture;
  }

  facekit.quality = (charts) => charts.length
    ? facekit.h("div", { class: "fk-quality" }, facekit.h("p", { class: "fk-soft fk-small" }, t("quality.text")),
      charts.map((one) => facekit.h("div", {}, facekit.h("p", { class: "fk-area" }, t("quality." + one.task) + " · " + one.data), chart(one))))
    : facekit.h("p", { class: "fk-soft" }, t("quality.none"));
})(window.facekit);
