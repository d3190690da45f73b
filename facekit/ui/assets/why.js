// Why this answer: where the network looked (Grad-CAM), and what its layers respond to.
(function (facekit) {
  const { h, t } = facekit;
  let mode = "looked";

  function answerText(face, target) {
    if (target === "age") return facekit.ageText(face.age);
    if (target === "gender") return facekit.genderText(face);
    if (target.startsWith("expression:")) return t("expression." + target.slice(11));
    const p = face.attributes[target];
    return `${facekit.attributeName(target)} ${facekit.percent(p)}`;
  }

  function targets(face) {
    const rows = [];
    if (face.age) rows.push(["age", t("age.name")]);
    if (face.gender) rows.push(["gender", t("gender.name")]);
    if (face.expression) rows.push(["expression:" + face.expression.label, `${t("expression.name")}: ${t("expression." + face.expression.label)}`]);
    return rows.concat(Object.keys(face.attributes).map((name) => [name, facekit.attributeName(name)]));
  }

  const firstTarget = (face) => facekit.headline(face)[0]?.[0] || targets(face)[0]?.[0];

  facekit.why = (face, crop, view, open) => {
    const body = h("div", { "data-part": "why-body", "aria-live": "polite" });
    const select = h("select", { "data-part": "target", "aria-label": t("why.for"), onchange: () => load() },
      targets(face).map(([value, words]) => h("option", { value }, words)));
    const views = h("div", { class: "fk-views", role: "group" }, ["looked", "layers"].map((name) =>
      h("button", { type: "button", "data-view": name, "aria-pressed": name === mode, onclick: () => { mode = name; load(); } }, t("why." + name))));
    const fold = h("details", { "data-fold": "why", open: open.why, ontoggle: () => {
      if (fold.open === open.why && body.firstChild) return;
      open.why = fold.open;
      if (fold.open) load();
    } }, h("summary", {}, t("card.why")), crop ? h("div", { class: "fk-why" }, views, select, body) : h("p", { class: "fk-soft" }, t("why.gone")));
    select.value = firstTarget(face);

    async function load() {
      if (!crop) return;
      for (const button of views.children) button.setAttribute("aria-pressed", button.dataset.view === mode);
      select.hidden = mode === "layers";
      const target = select.value, asked = mode;
      if (!body.firstChild) body.replaceChildren(h("div", { class: "fk-heat" }, h("div", { class: "fk-skeleton" })));
      body.setAttribute("aria-busy", "true");
      const result = await view.ask(asked === "layers" ? "layers" : "why", { crop, target });
      if (target !== select.value || asked !== mode) return;  // another one was chosen meanwhile
      body.removeAttribute("aria-busy");
      if (result.error) body.replaceChildren(h("p", {}, facekit.errorText(result)));
      else if (asked === "layers") body.replaceChildren(h("p", { class: "fk-soft fk-small", style: "margin-bottom:12px" }, t("why.layers.text")),
        h("div", { class: "fk-layers" }, result.layers.map((one) => h("figure", {}, h("img", { src: one.map, alt: "" }), h("figcaption", {}, one.name, h("br"), one.size)))));
      else {
        const words = answerText(face, target);
        body.replaceChildren(h("div", { class: "fk-heat" },
          h("img", { src: result.overlay, "data-part": "heat", alt: t("why.alt", { answer: words }) }),
          h("div", {}, h("p", { style: "font-weight:600" }, words), h("p", { class: "fk-soft fk-small", style: "margin-top:8px" }, t("why.text")),
            h("p", { class: "fk-scale fk-soft" }, t("why.less"), h("i"), t("why.more")))));
      }
    }
    if (open.why) queueMicrotask(load);
    return { fold, choose: (name) => {
      select.value = name;
      mode = "looked";
      open.why = true;
      if (fold.open) load(); else { body.replaceChildren(); fold.open = true; load(); }
      fold.scrollIntoView({ block: "nearest", behavior: "smooth" });
    } };
  };
})(window.facekit);
