// The chosen face beside the grid, and the morph between two of them.
(function (facekit) {
  const { h, t } = facekit;
  const percent = (share) => new Intl.NumberFormat(facekit.language, { style: "percent" }).format(share).replace(/\s*%/, "\u00a0%");

  // `tool` has sheet, rows, read, selected, about, and the actions like(i), pick(i, end), save(i).
  facekit.drawChosen = (holder, tool) => {
    const { selected: i, sheet, rows, read, about } = tool;
    if (!sheet) return holder.replaceChildren(h("div", { class: "fk-gen-face-head" }, h("div", { class: "fk-gen-large fk-skeleton" }), h("div", {}, [70, 90, 55].map((width) => h("div", { class: "fk-skeleton fk-skeleton-line", style: `width:${width}%` })))));
    const mine = holder.contains(document.activeElement) && document.activeElement.dataset.act;
    const canvas = h("canvas", { class: "fk-gen-large", role: "img", "aria-label": facekit.faceLabel(tool, i) });
    const act = (key, call, primary) => h("button", { type: "button", class: "fk-button" + (primary ? " fk-primary" : ""), "data-act": key, onclick: call }, t("gen.act." + key));
    const names = about.attributes, table = names.length ? h("table", { class: "fk-gen-asked" },
      h("caption", {}, t("gen.asked.title")), h("thead", {}, h("tr", {}, h("th", {}, h("span", { class: "fk-sr" }, t("gen.asked.what"))), h("th", { scope: "col" }, t("gen.asked.asked")), h("th", { scope: "col" }, t("gen.asked.read")))),
      h("tbody", {}, names.map((name, k) => {
        const seen = read?.[i]?.[k], fits = seen === undefined || (seen >= 0.5) === Boolean(rows[i][k]);
        return h("tr", { title: name, "data-fits": String(fits) }, h("th", { scope: "row" }, facekit.attributeName(name)), h("td", {}, rows[i][k] ? t("gen.yes") : t("gen.no")),
          h("td", { class: "fk-number" }, seen === undefined ? "…" : facekit.percent(seen), fits ? null : h("span", { class: "fk-sr" }, " " + t("gen.asked.differs"))));
      }))) : null;
    holder.replaceChildren(h("div", { class: "fk-gen-face-head" }, canvas, h("div", {}, h("h2", {}, t("face.title", { n: i + 1 })), names.length ? h("p", { class: "fk-soft" }, facekit.askedWords(names, rows[i])) : null),
      h("div", { class: "fk-gen-acts" }, act("like", () => tool.like(i), true), act("from", () => tool.pick(i, 0)), act("to", () => tool.pick(i, 1)), act("save", () => tool.save(i)))),
    ...(table ? [h("details", { open: tool.open.asked, ontoggle: (event) => { tool.open.asked = event.target.open; } }, h("summary", {}, t("gen.asked")), table)] : []));
    facekit.drawFace(canvas, sheet, i);
    if (mine) holder.querySelector(`[data-act="${mine}"]`)?.focus();
  };
  facekit.faceLabel = ({ about, rows }, i) => t("face.title", { n: i + 1 }) + (about.attributes.length ? ": " + facekit.askedWords(about.attributes, rows[i]) : "");

  // Two ends, a slider between them, and a strip of what lies between; the pictures come as one sheet.
  facekit.morphPanel = (holder, tool) => {
    const THUMBS = 8, now = { sheet: null, ends: null, share: 0.5, run: 0, error: null };
    const large = h("canvas", { class: "fk-gen-large", role: "img", "data-part": "morph-picture" });
    const strip = h("div", { class: "fk-gen-strip", "aria-hidden": "true" }, Array.from({ length: THUMBS }, () => h("canvas", {})));
    const slider = h("input", { type: "range", min: 0, max: 100, value: 50, "data-part": "morph-slider", oninput: () => { now.share = slider.value / 100; draw(); } });
    const note = h("p", { class: "fk-soft fk-small" }), title = h("h2", {});
    const save = h("button", { type: "button", class: "fk-link", "data-act": "gif-morph", onclick: () => tool.gif("morph", { from: now.ends[0], to: now.ends[1] }, save) });
    holder.replaceChildren(h("div", { class: "fk-gen-face-head" }, large, h("div", {}, title, note, slider, save)), strip);
    strip.addEventListener("click", (event) => { const k = [...strip.children].indexOf(event.target); if (k >= 0) { now.share = k / (THUMBS - 1); draw(); } });
    function draw() {
      const last = tool.about.frames - 1, at = now.share * last, k = Math.min(last - 1, Math.floor(at));
      slider.value = Math.round(100 * now.share);
      slider.setAttribute("aria-valuetext", t("gen.morph.at", { n: percent(now.share) }));
      if (!now.sheet) { for (const canvas of [large, ...strip.children]) canvas.width = canvas.height = 1; return; }
      facekit.drawFace(large, now.sheet, k);
      if (at > k) blend(large, now.sheet, k + 1, at - k);
      [...strip.children].forEach((canvas, j) => { facekit.drawFace(canvas, now.sheet, Math.round(j / (THUMBS - 1) * last)); canvas.classList.toggle("fk-here", Math.round(now.share * (THUMBS - 1)) === j); });
    }
    function blend(canvas, sheet, i, share) {
      const pen = canvas.getContext("2d");
      pen.globalAlpha = share;
      pen.drawImage(sheet.image, (i % sheet.columns) * sheet.size, Math.floor(i / sheet.columns) * sheet.size, sheet.size, sheet.size, 0, 0, canvas.width, canvas.height);
      pen.globalAlpha = 1;
    }
    const view = {
      async show(ends) {
        if (JSON.stringify(ends) === JSON.stringify(now.ends)) return;
        const mine = ++now.run;
        now.ends = ends;
        holder.dataset.state = "working";
        const answer = await tool.ask("generate_morph", { from: ends[0], to: ends[1] }, false, null);
        if (mine !== now.run) return;
        const sheet = answer.error ? null : await facekit.faceSheet(answer.sheet, answer.size);
        if (mine !== now.run) return;
        Object.assign(now, { sheet, error: answer.error ? answer : null });
        if (answer.error) now.ends = null;  // may be asked for again
        holder.dataset.state = answer.error ? "error" : "ready";
        view.words();
      },
      words() {
        title.textContent = t("gen.morph");
        note.textContent = now.error ? facekit.errorText(now.error) : t("gen.morph.text");
        slider.disabled = save.disabled = Boolean(now.error);
        save.textContent = t("gen.save.morph");
        slider.setAttribute("aria-label", t("gen.morph"));
        large.setAttribute("aria-label", t("gen.morph.picture"));
        draw();
      },
      draw,
    };
    view.words();
    return view;
  };
})(window.facekit);
