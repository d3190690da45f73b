// Two checkpoints on the same photo, and their figures on the same test pictures.
(function (facekit) {
  const { h, t, percent } = facekit;
  const CLEAR = 0.15;  // a probability that differs by more is worth a line
  const MOST = 12;  // lines that are not folded
  const ratio = (part, all) => `${(100 * part / all).toFixed(2)}%`;

  facekit.comparePanel = (panel, tool) => {
    const now = { first: "default", second: "", photo: null, preview: false, selected: 0, answer: null, run: 0, busy: false, error: "", url: "" };
    const file = h("input", { type: "file", accept: "image/*", hidden: true, onchange: () => { const [chosen] = file.files; file.value = ""; if (chosen) own(chosen); } });
    const body = h("div", { class: "fk-compare-body" });
    const said = h("p", { class: "fk-sr", role: "status", "aria-live": "polite" });
    let names = [];

    // ---- choosing
    const select = (place) => h("label", {}, h("span", {}, t("models.compare." + place)), h("select", { "data-place": place, onchange: (event) => { now[place] = event.target.value; run(); } },
      place === "second" ? h("option", { value: "" }, t("models.compare.choose")) : null, names.map((name) => h("option", { value: name, selected: name === now[place] }, name))));
    const head = () => [h("h2", {}, t("models.compare")), h("p", { class: "fk-soft" }, t("models.compare.text")),
      h("div", { class: "fk-compare-choose" }, select("first"), select("second"),
        h("div", {}, h("span", { class: "fk-compare-label" }, t("models.compare.photo")), h("div", { class: "fk-row" },
          Object.entries(tool.props.thumbnails).map(([name, url]) => h("button", { type: "button", class: "fk-compare-example", "data-example": name, "aria-label": t("example." + name), onclick: () => example(name) }, h("img", { src: url, alt: "" }))),
          h("button", { type: "button", class: "fk-button", "data-do": "own", onclick: () => file.click() }, t("models.compare.own"))))), file, body, said];
    async function example(name) { await take(await tool.ask("models_example", { name })); }
    async function own(blob) {
      if (blob.size > tool.props.max_bytes) { now.error = t("error.size", { size: facekit.decimal(blob.size / 1e6), limit: facekit.decimal(tool.props.max_bytes / 1e6) }); return draw(); }
      await take(await facekit.dataUrl(blob));
    }
    async function take(url) {
      if (typeof url !== "string") { now.error = url.error; return draw(); }
      const image = new Image();
      image.src = now.url = now.photo = url;
      now.preview = await image.decode().then(() => false, () => true);
      now.selected = 0;
      await run();
    }
    async function run() {
      now.answer = null;
      now.error = "";
      if (!now.second) return draw();
      if (!now.photo) return example("portrait");
      const mine = ++now.run;
      now.busy = true;
      draw();
      const answer = await tool.ask("models_compare", { first: now.first, second: now.second, photo: now.photo, preview: now.preview });
      if (mine !== now.run) return;
      now.busy = false;
      if (answer.error) now.error = facekit.errorText(answer);
      else {
        now.answer = answer;
        if (answer.first.preview) now.url = answer.first.preview;
        const area = ({ box: [x1, y1, x2, y2] }) => (x2 - x1) * (y2 - y1), faces = answer.first.report.faces;
        now.selected = faces.reduce((best, face, i) => (area(face) > area(faces[best]) ? i : best), 0);
        said.textContent = faces.length ? summary() : t("none.title");
      }
      draw();
    }

    // ---- what they say of one face
    const faces = () => ["first", "second"].map((place) => now.answer[place].report.faces[now.selected]);
    const GENDER = "Male";  // has a line of its own
    const answerOf = (face, name) => face.unsure.includes(name) ? "unsure" : face.attributes[name] >= 0.5 ? "yes" : "no";
    function attributes([a, b]) {
      const both = Object.keys(a.attributes).filter((name) => name in b.attributes && name !== GENDER);
      const apart = both.filter((name) => answerOf(a, name) !== answerOf(b, name) || Math.abs(a.attributes[name] - b.attributes[name]) > CLEAR);
      apart.sort((x, y) => Math.abs(b.attributes[y] - a.attributes[y]) - Math.abs(b.attributes[x] - a.attributes[x]));
      return { apart, same: both.length - apart.length, both: both.length };
    }
    function summary() {
      const { apart, same, both } = attributes(faces());
      return both ? t("models.compare.same", { n: same, of: both }) + (apart.length ? " " + t("models.compare.apart", { names: apart.slice(0, 3).map(facekit.attributeName).join(", ") }) : "") : t("models.compare.nothing");
    }
    function table() {
      const pair = faces(), rows = [], line = (name, words, differs, title = "") => rows.push(h("tr", differs ? { class: "fk-apart" } : {}, h("th", { scope: "row", title }, name), words.map((word) => h("td", {}, word))));
      const told = (face, name) => [t("models.answer." + answerOf(face, name)), h("span", { class: "fk-number" }, percent(face.attributes[name]))];
      if (pair.some((face) => face.age)) line(t("age.name"), pair.map((face) => face.age ? `${facekit.ageText(face.age)} (${Math.round(face.age.low)}–${Math.round(face.age.high)})` : "–"), pair.every((face) => face.age) && Math.abs(pair[0].age.years - pair[1].age.years) >= 3);
      if (pair.some((face) => face.gender)) line(t("models.row.gender"), pair.map((face) => face.gender ? [facekit.genderText(face), " ", h("span", { class: "fk-number" }, percent(face.gender.probability))] : "–"), pair.every((face) => face.gender) && facekit.genderText(pair[0]) !== facekit.genderText(pair[1]));
      if (pair.some((face) => face.expression)) line(t("expression.name"), pair.map((face) => face.expression ? facekit.expressionText(face) : "–"), pair.every((face) => face.expression) && pair[0].expression.label !== pair[1].expression.label);
      for (const name of attributes(pair).apart) line(facekit.attributeName(name), pair.map((face) => told(face, name)), answerOf(pair[0], name) !== answerOf(pair[1], name), name);
      const rest = h("tbody", { hidden: true }, rows.slice(MOST));
      const more = rows.length > MOST ? h("button", { type: "button", class: "fk-link", onclick: () => { rest.hidden = false; more.remove(); } }, t("card.unsure.more", { n: rows.length - MOST })) : null;
      return [h("table", { class: "fk-compare-table" }, h("thead", {}, h("tr", {}, h("td", {}), [now.first, now.second].map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, rows.slice(0, MOST)), rest), more];
    }
    function photo() {
      const { report } = now.answer.first, box = report.faces.map((face, i) => h("button", { type: "button", class: "fk-box", "aria-pressed": i === now.selected, "aria-label": t("face.title", { n: i + 1 }),
        style: `left:${ratio(Math.max(0, face.box[0]), report.width)};top:${ratio(Math.max(0, face.box[1]), report.height)};width:${ratio(Math.min(report.width, face.box[2]) - Math.max(0, face.box[0]), report.width)};height:${ratio(Math.min(report.height, face.box[3]) - Math.max(0, face.box[1]), report.height)}`,
        onclick: () => { now.selected = i; draw(); body.querySelectorAll(".fk-box")[i]?.focus(); said.textContent = summary(); } }, h("b", {}, i + 1)));
      return h("figure", { class: "fk-compare-photo" }, h("img", { src: now.url, alt: t("photo.alt") }), h("div", { class: "fk-boxes", role: "group", "aria-label": t("photo.boxes") }, box));
    }

    // ---- what was measured
    const key = (one) => JSON.stringify([one.task, one.data, one.of]);
    function difference(a, b) {
      const half = (one, other) => Math.hypot(a[one] - a.value, b[other] - b.value);
      const value = b.value - a.value, low = value - half("high", "low"), high = value + half("low", "high");
      const clear = low > 0 || high < 0, better = (value > 0) !== Boolean(a.years);
      return { value, low, high, verdict: clear ? (better ? "better" : "worse") : "none" };
    }
    function measured() {
      const [a, b] = [now.first, now.second].map((name) => tool.entries.get(name));
      if (!a || !b) return null;
      const flat = (entry) => new Map([...entry.figures.filter((one) => "data" in one), ...entry.charts.flatMap((chart) => chart.rows.slice(1).map((row) => ({ ...row, task: chart.task, data: chart.data, years: chart.years })))].map((one) => [key(one), one]));
      const [left, right] = [flat(a), flat(b)], rows = [...left].filter(([name]) => right.has(name)).map(([name, one]) => ({ one, other: right.get(name), ...difference(one, right.get(name)) }));
      if (!rows.length) return h("p", { class: "fk-soft" }, t("models.compare.unmeasured"));
      const sign = (one, value) => (value > 0 ? "+" : value < 0 ? "−" : "") + facekit.figureText(one, Math.abs(value)).replace(/^0[.,]0+(?=\u00a0%)/, "0");
      const most = Math.max(...rows.filter(({ one }) => !one.years).flatMap(({ low, high }) => [Math.abs(low), Math.abs(high)]), 1e-9), mostYears = Math.max(...rows.filter(({ one }) => one.years).flatMap(({ low, high }) => [Math.abs(low), Math.abs(high)]), 1e-9);
      const bar = ({ one, value, low, high, verdict }) => { const scale = (v) => ratio(50 + 50 * v / (one.years ? mostYears : most), 100); return h("span", { class: "fk-diff", "data-verdict": verdict, "aria-hidden": "true" }, h("i", { style: `left:${scale(low)};right:calc(100% - ${scale(high)})` }), h("b", { style: `left:${scale(value)}` })); };
      const row = (one) => h("tr", { class: Object.keys(one.one.of).length ? "fk-of-group" : "" }, h("th", { scope: "row" }, Object.keys(one.one.of).length ? facekit.groupName(one.one.of) : `${t("quality." + one.one.task)} · ${one.one.data}`),
        h("td", {}, facekit.figureText(one.one)), h("td", {}, facekit.figureText(one.other)), h("td", {}, sign(one.one, one.value)), h("td", {}, bar(one)), h("td", {}, t("models.verdict." + one.verdict)));
      const tasks = [...new Set(rows.map(({ one }) => one.data + one.task))];
      return h("details", { open: now.figures !== false, ontoggle: (event) => { now.figures = event.target.open; } }, h("summary", {}, t("models.compare.measured")), h("p", { class: "fk-soft fk-small" }, t("models.compare.unpaired")),
        h("div", { class: "fk-scroll", tabindex: 0 }, h("table", { class: "fk-compare-table fk-compare-figures" }, h("thead", {}, h("tr", {}, h("td", {}), h("th", { scope: "col" }, now.first), h("th", { scope: "col" }, now.second), h("th", { scope: "col", colspan: 2 }, t("models.compare.difference")), h("th", { scope: "col" }, t("models.compare.verdict", { name: now.second })))),
          h("tbody", {}, tasks.flatMap((task) => rows.filter(({ one }) => one.data + one.task === task).map(row))))));
    }
    function draw() {
      panel.dataset.state = now.busy ? "working" : now.error ? "error" : now.answer ? "answer" : "empty";
      const parts = now.error ? [h("p", { role: "alert" }, now.error)] : now.busy ? [h("p", { class: "fk-soft" }, t("models.compare.working"))] : !now.second ? [h("p", { class: "fk-soft" }, t("models.compare.empty"))]
        : now.answer && !now.answer.first.report.faces.length ? [h("p", {}, t("none.title"))] : now.answer ? [h("div", { class: "fk-compare-columns" }, photo(), h("div", {}, h("p", { class: "fk-compare-said" }, summary()), table()))] : [];
      const gate = now.answer?.gate;
      if (gate) parts.push(h("p", { class: "fk-compare-gate", "data-verdict": gate.verdict }, h("b", {}, t("models.gate." + gate.verdict, { name: now.second })), " ", gate.sentence));
      body.replaceChildren(...parts, ...(now.second && measured() ? [measured()] : []));
    }
    const words = () => { panel.replaceChildren(...head()); draw(); };
    return {
      words,
      entries(list) { names = list.map((one) => one.name); words(); },
      choose(name) { if (name === now.first) now.first = names.find((one) => one !== name) ?? name; now.second = name; words(); run(); },
    };
  };
})(window.facekit);
