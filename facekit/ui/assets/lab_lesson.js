// The lesson: a task at a time, each with a check that the page itself makes.
(function (facekit) {
  const { h, t } = facekit;
  const GENDERS = ["woman", "man"], HAIR = ["black", "brown", "blond", "grey", "other"];
  const ALONE = 0.8;  // share of a group from which on it is all that is left
  const near = (answer, value) => Math.abs(answer - value) <= Math.max(0.5, value / 10);

  // `lab` tells what there is: preset, forked, panels. Every step is done once its check has been true.
  facekit.labLesson = (root, lab) => {
    const reading = (side) => lab.panels[side].now.readings.at(-1);
    const left = () => reading("left").groups.reduce((most, row) => row[2] > most[2] ? row : most);  // who is left
    const decimal = (value) => value === undefined ? "–" : facekit.decimal(value);
    const percent = (share) => share.toLocaleString(facekit.language, { style: "percent" });
    const loss = () => lab.panels.left.now.figures.at(-1)?.[1] ?? {};
    const now = { step: 0, open: false, done: [], choice: null, answer: "", seen: null };
    const STEPS = [
      { check: () => lab.preset === "healthy" && reading("left")?.state === "healthy" },
      { choices: 3, check: () => now.choice !== null && lab.preset === "fast-generator" && reading("left")?.state === "collapsed",
        learned: ({ discriminator, generator } = loss()) => () => ({ d: decimal(discriminator), g: decimal(generator) }) },
      { number: true, check: () => now.answer !== "" && reading("left") && near(Number(now.answer.replace(",", ".")), reading("left").effective),
        learned: ({ effective, natural } = reading("left")) => () => ({ n: decimal(effective), natural: decimal(natural) }) },
      { choices: 3, right: 1, check: () => lab.forked && now.choice === 1 && reading("right")?.state === "healthy" && reading("left")?.state === "collapsed",
        learned: (right = reading("right").modes, { modes, of } = reading("left")) => () => ({ right, left: modes, of }) },
      { groups: true, check: () => now.answer !== "" && Boolean(reading("left")?.groups) && reading("left").state === "collapsed" && now.answer === left().slice(0, 2).join("."),
        learned: ([gender, hair, made, data] = left(), { effective } = reading("left")) => () => ({
          text: made >= ALONE ? ".learned" : ".learned.some", group: facekit.labGroup(gender, hair), made: percent(made), data: percent(data), n: decimal(effective) }) },
    ];
    const key = (name) => `lab.lesson.${now.step + 1}${name}`;
    function draw() {
      const step = STEPS[now.step], done = now.done[now.step], seen = done && now.seen[now.step]();
      const body = now.open ? [
        h("ol", { class: "fk-lesson-steps" }, STEPS.map((_, i) => h("li", {}, h("button", { type: "button", "data-lesson-step": i, "aria-current": i === now.step ? "step" : null, "aria-label": t("lab.lesson.step", { n: i + 1 }),
          class: now.done[i] ? "fk-done" : "", onclick: () => go(i) }, now.done[i] ? "✓" : i + 1)))),
        h("h3", {}, t(key(""))), h("p", {}, t(key(".task"))),
        step.choices ? h("fieldset", {}, h("legend", {}, t(key(".question"))), Array.from({ length: step.choices }, (_, i) => h("label", {},
          h("input", { type: "radio", name: "lesson", value: i, checked: now.choice === i, onchange: () => { now.choice = i; look(); draw(); } }), t(key(`.choice.${i}`))))) : null,
        step.choices && step.right !== undefined && now.choice !== null && now.choice !== step.right ? h("p", { class: "fk-soft" }, t("lab.lesson.again")) : null,
        step.number ? h("label", {}, t(key(".question")), h("input", { type: "text", inputmode: "decimal", autocomplete: "off", value: now.answer, "data-part": "lesson-answer", onchange: (event) => { now.answer = event.target.value; look(); draw(); } })) : null,
        step.groups ? h("label", {}, t(key(".question")), h("select", { "data-part": "lesson-answer", onchange: (event) => { now.answer = event.target.value; look(); draw(); } },
          ["", ...GENDERS.flatMap((gender) => HAIR.map((hair) => `${gender}.${hair}`))].map((name) => h("option", { value: name, selected: name === now.answer }, name ? facekit.labGroup(...name.split(".")) : t("lab.lesson.choose"))))) : null,
        step.groups && now.answer !== "" && !done ? h("p", { class: "fk-soft" }, t("lab.lesson.5.again")) : null,
        h("p", { class: "fk-lesson-check", role: "status", "data-part": "lesson-check", "data-done": String(Boolean(done)) }, done ? t(key(seen.text ?? ".learned"), seen) : t("lab.lesson.waiting")),
        done && now.step < STEPS.length - 1 ? h("button", { type: "button", class: "fk-button fk-primary", "data-part": "lesson-next", onclick: () => go(now.step + 1) }, t("lab.lesson.next")) : null,
      ] : [];
      const focus = document.activeElement?.dataset?.part;
      root.replaceChildren(h("button", { type: "button", class: "fk-link", "aria-expanded": now.open, "data-part": "lesson-open", onclick: () => { now.open = !now.open; draw(); } }, t(now.open ? "lab.lesson.close" : "lab.lesson.open")), ...body.filter(Boolean));
      root.dataset.open = now.open;
      if (focus?.startsWith("lesson-")) root.querySelector(`[data-part=${focus}]`)?.focus();
    }
    function go(step) { Object.assign(now, { step, choice: null, answer: "" }); draw(); look(); }
    // Called whenever something has changed; what was learned is quoted as it was seen then, in the language of now.
    function look() {
      if (!now.open || now.done[now.step] || !STEPS[now.step].check()) return;
      now.done[now.step] = true;
      now.seen = { ...now.seen, [now.step]: STEPS[now.step].learned?.() ?? (() => ({})) };
      draw();
    }
    draw();
    return { look, draw, get shown() { return now.open ? now.step + 1 : 0; }, open(step) { now.open = true; go(step - 1); } };
  };
})(window.facekit);
