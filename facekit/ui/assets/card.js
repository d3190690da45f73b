// The answer column: one face at a time, the strip of all faces, and the states without an answer.
(function (facekit) {
  const { h, t, percent } = facekit;
  const open = { all: false, why: false };  // what a visitor unfolded stays unfolded on the next face

  const chip = ([name, p], doubt, choose) => h("li", {}, h("button",
    { type: "button", class: "fk-chip" + (doubt ? " fk-doubt" : ""), title: name, "data-target": name, onclick: () => choose(name) },
    facekit.attributeName(name), h("span", { class: "fk-number" }, percent(p))));

  function chips(face, choose) {
    const sure = facekit.headline(face), doubts = facekit.doubts(face), most = 6;
    const parts = [h("div", { class: "fk-card-part" },
      h("p", { class: "fk-label" }, t("card.sure")),
      sure.length ? h("ul", { class: "fk-chips" }, sure.map((one) => chip(one, false, choose))) : h("p", { class: "fk-soft" }, t("card.sure.none")))];
    if (doubts.length) {
      const list = h("ul", { class: "fk-chips" }, doubts.slice(0, most).map((one) => chip(one, true, choose)));
      const more = doubts.length - most;
      if (more > 0) {
        const item = h("li", {}, h("button", { type: "button", class: "fk-link", style: "margin:0", onclick: () => {
          item.replaceWith(...doubts.slice(most).map((one) => chip(one, true, choose)));
          list.children[most].firstChild.focus();
        } }, t("card.unsure.more", { n: more })));
        list.append(item);
      }
      parts.push(h("div", { class: "fk-card-part" }, h("p", { class: "fk-label" }, t("card.unsure")), list));
    }
    return parts;
  }

  function facts(face) {
    const rows = [];
    if (face.age) {
      rows.push(h("p", { class: "fk-age", title: t("age.name") }, facekit.ageText(face.age)));
      rows.push(h("p", { class: "fk-range" }, t("age.range", { low: Math.round(face.age.low), high: Math.round(face.age.high) })));
    }
    const small = h("div", { class: "fk-facts" });
    if (face.gender) small.append(h("p", { class: "fk-fact", "data-fact": "gender" }, facekit.genderText(face),
      h("span", { class: "fk-number" }, face.unsure.includes("gender") ? t("gender.perhaps", { label: t("gender.short." + face.gender.label), p: percent(face.gender.probability) }) : percent(face.gender.probability))));
    return [...rows, small];
  }

  function expression(face) {
    if (!face.expression) return null;
    return h("p", { class: "fk-fact fk-line-fact fk-card-part", "data-fact": "expression", title: t("expression.note") },
      h("span", { class: "fk-soft" }, t("expression.name")), facekit.expressionText(face),
      h("span", { class: "fk-number" }, percent(face.expression.probabilities[face.expression.label])));
  }

  function bar(name, p, doubt, choose) {
    return h("button", { type: "button", title: name, "data-target": name, onclick: () => choose(name) },
      h("span", {}, facekit.attributeName(name)),
      h("span", { class: "fk-meter" + (doubt ? " fk-doubt" : ""), "aria-hidden": "true" }, h("i", { style: `width:${(100 * p).toFixed(1)}%` })),
      h("span", { class: "fk-number" }, percent(p), doubt ? h("span", { class: "fk-sr" }, t("card.unsure")) : null));
  }

  function all(face, choose) {
    const known = Object.keys(face.attributes);
    const body = Object.entries(facekit.areas).map(([area, names]) => {
      const bars = names.filter((name) => name in face.attributes).map((name) => bar(name, face.attributes[name], face.unsure.includes(name), choose));
      return bars.length ? [h("h3", { class: "fk-area" }, t("group." + area)), h("div", { class: "fk-bars" }, bars)] : [];
    });
    const fold = h("details", { "data-fold": "all", open: open.all, ontoggle: () => { open.all = fold.open; } },
      h("summary", {}, t("card.all", { n: known.length })), h("p", { class: "fk-soft fk-small" }, t("card.all.note")), body.flat());
    return fold;
  }

  facekit.card = (face, n, total, crop, view) => {
    const why = facekit.why(face, crop, view, open);
    const walk = total > 1 ? h("span", { class: "fk-walk" },
      h("button", { type: "button", "aria-label": t("face.previous"), onclick: () => view.select(n - 2, false) }, "‹"),
      h("button", { type: "button", "aria-label": t("face.next"), onclick: () => view.select(n, false) }, "›")) : null;
    const known = Object.keys(face.attributes).length;
    return h("article", { class: "fk-panel fk-card", "aria-label": t("face.title", { n }) },
      h("div", { class: "fk-card-head" },
        crop ? h("img", { class: "fk-crop", src: crop, alt: t("face.crop"), title: t("face.crop"), width: 112, height: 128 }) : h("span", { class: "fk-crop" }),
        h("div", {},
          h("div", { class: "fk-card-title" }, h("span", {}, t("face.title", { n }) + (total > 1 ? " " + t("face.of", { n: total }) : "")), walk),
          facts(face))),
      expression(face),
      view.estimated ? h("p", { class: "fk-soft fk-small fk-card-part" }, t("face.estimated")) : null,
      known ? chips(face, why.choose) : null,
      why.fold, known ? all(face, why.choose) : null);
  };

  facekit.strip = (crops, selected, view) => h("div",
    { class: "fk-faces" + (crops.length > 8 ? " fk-many" : ""), role: "group", "aria-label": t("line.faces", { n: crops.length }) },
    crops.map((crop, i) => h("button", { type: "button", tabindex: i === selected ? 0 : -1, "aria-pressed": i === selected, "data-face": i,
      "aria-label": facekit.summary(view.faces[i], i + 1), onclick: () => view.select(i, false), onkeydown: (event) => view.walk(event, "strip") },
      crop ? h("img", { src: crop, alt: "", loading: "lazy" }) : null, h("b", {}, i + 1))));

  facekit.emptyPanel = (thumbnails, show) => h("div", { class: "fk-panel" },
    h("h2", {}, t("empty.title")),
    h("ul", { class: "fk-points" }, h("li", {}, t("empty.1")), h("li", {}, t("empty.2")), h("li", {}, t("empty.3"))),
    h("p", { class: "fk-soft" }, t("empty.privacy")),
    h("p", { style: "padding-top:8px;font-weight:500" }, t("examples.title")),
    h("div", { class: "fk-examples" }, Object.entries(thumbnails).map(([name, url]) =>
      h("button", { type: "button", "data-example": name, onclick: () => show(name) }, h("img", { src: url, alt: "" }), t("example." + name)))));

  facekit.skeletonPanel = (words) => h("div", { class: "fk-panel", "aria-busy": "true" },
    h("div", { class: "fk-card-head" }, h("div", { class: "fk-crop fk-skeleton" }),
      h("div", {}, h("p", { class: "fk-soft", "data-part": "progress" }, words), h("div", { class: "fk-skeleton", style: "height:36px;width:70%;margin:8px 0" }),
        h("div", { class: "fk-skeleton fk-skeleton-line", style: "width:85%" }))),
    h("div", { class: "fk-chips", "aria-hidden": "true" }, [96, 152, 120, 176, 104, 136].map((width) => h("div", { class: "fk-skeleton", style: `height:36px;border-radius:18px;width:${width}px` }))),
    h("div", { "aria-hidden": "true" }, [90, 75].map((width) => h("div", { class: "fk-skeleton fk-skeleton-line", style: `width:${width}%` }))));

  facekit.nonePanel = (other, tryOther) => h("div", { class: "fk-panel" },
    h("h2", {}, t("none.title")), h("p", {}, t("none.text")),
    h("ul", { class: "fk-points" }, h("li", {}, t("none.1")), h("li", {}, t("none.2")), h("li", {}, t("none.3"))),
    other ? h("button", { type: "button", class: "fk-button", "data-do": "other-detector", onclick: tryOther }, t("none.other", { name: other })) : null);

  facekit.errorPanel = (title, sentence, again) => h("div", { class: "fk-panel", role: "alert" },
    h("h2", {}, title), h("p", { "data-part": "error" }, sentence),
    again ? h("button", { type: "button", class: "fk-button", onclick: again }, t("error.again")) : null);
})(window.facekit);
