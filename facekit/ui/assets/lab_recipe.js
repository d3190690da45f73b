// The recipe of a run: data, presets, what trains how, and the remedies as switches.
(function (facekit) {
  const { h, t } = facekit;
  const RATES = [1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2];
  const REMEDIES = {
    minibatch_std: [true, false], r1: [0.1, 0], ema: [0.98, 0], pack: [4, 1], norm: ["spectral", "none"], label_smoothing: [0.1, 0], unrolled: [3, 0], skew: [0, 0.95],
  };
  const textOf = ({ preset, faces }) => `lab.preset.${preset}.text` + (faces ? ".faces" : "");
  const word = (key) => h("span", { "data-t": key }, t(key));

  // `recipe` has settings, preset, `set(changes)` during a run and `choose(preset)` and `restart(changes)` before one.
  facekit.labRecipe = (form, recipe) => {
    const { settings } = recipe;
    const pick = (name, label, options, show = String) => h("label", {}, word(label), h("select", { "data-setting": name, onchange: (event) => recipe.set({ [name]: JSON.parse(event.target.value) }) },
      options.map((value) => h("option", { value: JSON.stringify(value), selected: value === settings[name] }, show(value)))));
    const withOwn = (values, own) => values.includes(own) ? values : [...values, own].sort((a, b) => a - b);
    const rate = (name, label) => pick(name, label, withOwn(RATES, settings[name]), (value) => value.toLocaleString(facekit.language, { maximumSignificantDigits: 2, maximumFractionDigits: 6 }));
    const steps = (name, label) => pick(name, label, withOwn([1, 2, 3, 5, 10], settings[name]));
    const data = h("fieldset", { class: "fk-segments" }, h("legend", { "data-t": "lab.data" }, t("lab.data")), ["ring", "grid", "faces-32", "faces-64"].map((name) =>
      h("button", { type: "button", "data-data": name, "aria-pressed": String(settings.data === name), onclick: () => recipe.take(name) }, word("lab.data." + name))));
    const preset = h("label", {}, word("lab.preset"), h("select", { "data-part": "preset", onchange: (event) => recipe.choose(event.target.value) },
      [...Object.keys(recipe.presets), ...(recipe.preset ? [] : [""])].map((name) => h("option", { value: name, selected: name === recipe.preset }, t(name ? "lab.preset." + name : "lab.preset.own")))));
    const start = recipe.faces ? h("label", {}, word("lab.start"), h("select", { "data-setting": "start", onchange: (event) => recipe.restart({ start: event.target.value }) },
      ["trained", "noise"].map((name) => h("option", { value: name, selected: name === settings.start }, t("lab.start." + name))))) : null;
    const seed = h("label", {}, word("lab.seed"), h("input", { type: "number", min: 0, max: 2147483647, value: settings.seed, "data-setting": "seed", onchange: (event) => recipe.restart({ seed: Math.max(0, Math.floor(Number(event.target.value)) || 0) }) }));
    const remedies = Object.entries(REMEDIES).filter(([name]) => name !== "skew" || recipe.skewed).map(([name, [on, off]]) => {
      const pressed = settings[name] === on || (typeof on === "number" && name !== "skew" && settings[name] > off);
      return h("button", { type: "button", role: "switch", class: "fk-switch", "data-remedy": name, "aria-checked": pressed, onclick: () => recipe.set({ [name]: pressed ? off : on }) },
        h("i", { "aria-hidden": "true" }), h("span", {}, word("lab.remedy." + name), h("small", { "data-t": `lab.remedy.${name}.why` }, t(`lab.remedy.${name}.why`))));
    });
    const sides = recipe.forked ? h("fieldset", { class: "fk-segments" }, h("legend", { "data-t": "lab.side" }, t("lab.side")), ["left", "right"].map((side) =>
      h("button", { type: "button", "data-side-of": side, "aria-pressed": recipe.side === side, onclick: () => recipe.turn(side) }, word("lab.side." + side)))) : null;
    const open = form.querySelector("details")?.open;
    const focused = form.contains(document.activeElement) ? document.activeElement : null;
    const mark = focused && ["remedy", "setting", "data", "sideOf", "part", "do"].map((name) => focused.dataset[name] && `[data-${name === "sideOf" ? "side-of" : name}="${focused.dataset[name]}"]`).find(Boolean);
    form.replaceChildren(...[
      data, preset, h("p", { class: "fk-soft fk-small", "data-part": "preset-text" }, recipe.preset ? t(textOf(recipe)) : ""),
      start, sides,
      h("fieldset", { class: "fk-remedies" }, h("legend", { "data-t": "lab.remedies" }, t("lab.remedies")),
        recipe.remedy ? h("button", { type: "button", class: "fk-button", "data-do": "repair", onclick: () => recipe.set(recipe.remedy) }, word("lab.repair")) : null, remedies),
      h("button", { type: "button", class: "fk-button", "data-do": "fork", onclick: recipe.fork }, word(recipe.forked ? "lab.unfork" : "lab.fork")),
      h("details", { open }, h("summary", { "data-t": "lab.details" }, t("lab.details")), h("div", { class: "fk-lab-fields" },
        pick("loss", "lab.loss", ["bce", "least-squares", "hinge", "wasserstein"], (name) => t("lab.loss." + name)),
        rate("discriminator_rate", "lab.rate.d"), rate("generator_rate", "lab.rate.g"), steps("discriminator_steps", "lab.steps.d"), steps("generator_steps", "lab.steps.g"),
        pick("batch", "lab.batch", withOwn([32, 64, 128, 256, 512], settings.batch)), seed)),
    ].filter(Boolean));
    if (mark) form.querySelector(mark)?.focus();
  };
})(window.facekit);
