// What the faces should have, in a visitor's words; seed, number and how unusual they may be.
(function (facekit) {
  const { h, t, icon } = facekit;
  const HAIR = { black: "Black_Hair", blond: "Blond_Hair", brown: "Brown_Hair", grey: "Gray_Hair" };
  const COUNTS = [4, 9, 16, 25, 36, 64];
  const MOST_SEED = 2 ** 31 - 1;
  // Standard deviations that latents stay within; the last leaves them alone.
  const TRUNCATIONS = [0.3, 0.5, 0.7, 0.9, 1.2, 1.6, 2.2, null];
  facekit.randomSeed = () => Math.floor(Math.random() * 1e6);

  // Groups of options; an option is [word, {attribute: wanted}], the first of each leaves all open.
  function groups(known) {
    const yesNo = (key, name, yes = "with", no = "without") => known.includes(name) ? [key, [["any", {}], [yes, { [name]: true }], [no, { [name]: false }]]] : null;
    const colours = Object.entries(HAIR).filter(([, name]) => known.includes(name));
    const only = (own) => Object.fromEntries(colours.map(([, name]) => [name, name === own]));
    const taken = new Set(["Male", "Eyeglasses", "Smiling", "Young", ...Object.values(HAIR)]);
    return [
      yesNo("look", "Male", "man", "woman"), colours.length ? ["hair", [["any", {}], ...colours.map(([word, name]) => [word, only(name)])]] : null,
      yesNo("glasses", "Eyeglasses"), yesNo("smile", "Smiling", "yes", "no"), yesNo("age", "Young", "young", "older"),
      ...known.filter((name) => !taken.has(name)).map((name) => yesNo(name, name)),
    ].filter(Boolean);
  }
  const technical = (wanted) => Object.entries(wanted).map(([name, yes]) => (yes ? "" : "no ") + name).join(", ");
  const title = (key) => facekit.has("gen.group." + key) ? t("gen.group." + key) : facekit.attributeName(key);
  const word = (key, option) => facekit.has(`gen.group.${key}.${option}`) ? t(`gen.group.${key}.${option}`) : t("gen.group." + option);

  // `tool` has wish, about, set(changes) and the actions walk and link.
  facekit.drawChoices = (holder, tool) => {
    const { wish, about } = tool, mine = document.activeElement?.dataset?.choice;
    holder.replaceChildren(...groups(about.attributes).map(([key, options]) => {
      const names = [...new Set(options.flatMap(([, wanted]) => Object.keys(wanted)))];
      const chosen = options.findIndex(([, wanted], i) => i && names.every((name) => wish.attributes[name] === wanted[name]));
      const current = Math.max(0, chosen);
      const choose = (i) => {
        const others = Object.fromEntries(Object.entries(wish.attributes).filter(([name]) => !names.includes(name)));
        tool.set({ attributes: { ...others, ...options[i][1] } });
      };
      const walk = (event) => {
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        if (!step) return;
        event.preventDefault();
        const to = (current + step + options.length) % options.length;
        holder.querySelector(`[data-choice="${key}-${options[to][0]}"]`).focus();
        choose(to);
      };
      return h("div", { class: "fk-gen-choice", role: "radiogroup", "aria-label": title(key) }, h("span", { "aria-hidden": "true" }, title(key)),
        h("div", {}, options.map(([option, wanted], i) => h("button", { type: "button", role: "radio", "aria-checked": i === current, tabindex: i === current ? 0 : -1,
          title: technical(wanted) || null, "data-choice": `${key}-${option}`, onclick: () => choose(i), onkeydown: walk }, word(key, option)))));
    }));
    if (mine) holder.querySelector(`[data-choice="${mine}"]`)?.focus();
  };

  facekit.drawRow = (row, tool) => {
    const { wish, about } = tool, mine = document.activeElement?.dataset?.row;
    const seed = h("input", { type: "number", min: 0, max: MOST_SEED, step: 1, value: wish.seed, inputmode: "numeric", "data-row": "seed",
      onchange: (event) => tool.set({ seed: Math.min(MOST_SEED, Math.max(0, Math.floor(Number(event.target.value)) || 0)), path: [] }) });
    const dice = h("button", { type: "button", class: "fk-button fk-square", "data-row": "dice", title: t("gen.dice"), "aria-label": t("gen.dice"), onclick: () => tool.set({ seed: facekit.randomSeed(), path: [] }) }, icon("dice"));
    const count = h("select", { "data-row": "count", onchange: (event) => tool.set({ count: Number(event.target.value) }) },
      [...new Set([...COUNTS, wish.count])].sort((a, b) => a - b).map((n) => h("option", { value: n, selected: n === wish.count }, n)));
    const nearest = wish.truncation === null ? TRUNCATIONS.length - 1 : TRUNCATIONS.reduce((best, value, i) => value !== null && Math.abs(value - wish.truncation) < Math.abs((TRUNCATIONS[best] ?? 9) - wish.truncation) ? i : best, 0);
    const said = (i) => TRUNCATIONS[i] === null ? t("gen.truncation.none") : t("gen.truncation.at", { n: TRUNCATIONS[i].toLocaleString(facekit.language) });
    const slider = h("input", { type: "range", min: 0, max: TRUNCATIONS.length - 1, step: 1, value: nearest, "data-row": "truncation", "aria-label": t("gen.truncation"), "aria-valuetext": said(nearest), title: said(nearest),
      oninput: (event) => { event.target.setAttribute("aria-valuetext", said(event.target.value)); event.target.title = said(event.target.value); tool.set({ truncation: TRUNCATIONS[event.target.value] }, "row"); } });
    const walk = h("button", { type: "button", class: "fk-button fk-with-icon", "data-row": "walk", "data-do": "walk", "aria-pressed": tool.walking, title: t("gen.walk.why") }, icon(tool.walking ? "pause" : "play"), t("gen.walk"));
    row.replaceChildren(
      h("label", { class: "fk-gen-seed" }, h("span", {}, t("gen.seed")), h("span", {}, seed, dice)),
      h("label", {}, h("span", {}, t("gen.count")), count),
      h("div", { class: "fk-gen-truncation" }, h("span", { "aria-hidden": "true" }, h("span", {}, t("gen.truncation.low")), h("span", {}, t("gen.truncation.high"))), slider),
      ...(about.checkpoints.length > 1 ? [h("label", { class: "fk-gen-checkpoint" }, h("span", {}, t("option.checkpoint")), h("select", { "data-row": "checkpoint", "aria-label": t("option.checkpoint"), onchange: (event) => tool.set({ checkpoint: event.target.value, attributes: {} }) },
        about.checkpoints.map((name) => h("option", { value: name, selected: name === about.checkpoint }, name))))] : []),
      walk);
    if (mine) row.querySelector(`[data-row="${mine}"]`)?.focus();
  };

  // What was asked for a face, in words: the attributes it was given, gender first.
  facekit.askedWords = (names, row) => {
    const has = Object.fromEntries(names.map((name, i) => [name, Boolean(row[i])]));
    return [
      "Male" in has ? t(has.Male ? "gen.asked.man" : "gen.asked.woman") : null, "Young" in has ? t("gen.group.age." + (has.Young ? "young" : "older")) : null,
      ...Object.keys(has).filter((name) => has[name] && !["Male", "Young"].includes(name)).map(facekit.attributeName),
    ].filter(Boolean).join(", ");
  };
})(window.facekit);
