// One run of the lab: its picture, and its instruments beside it.
(function (facekit) {
  const { h, t } = facekit;
  const MOST = 4000, FRAMES = 120, CHARTED = 200;  // points of a curve, frames kept for a GIF, and milliseconds between two charts
  const number = (value, digits = 0) => new Intl.NumberFormat(facekit.language, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
  const percent = (share) => new Intl.NumberFormat(facekit.language, { style: "percent" }).format(share).replace(/\s*%/, "\u00a0%");
  const effective = (value) => number(value, value < 9.95 ? 1 : 0);

  // `reach` tells the last step that the charts of all panels have room for, so that they can be compared.
  facekit.labPanel = (root, side, reach) => {
    const now = { real: null, frame: null, queue: [], frames: [], figures: [], readings: [], steps: [0], settings: null, running: false, ended: false, drawn: 0, error: null };  // ended: its process is gone
    const made = (name) => root.querySelector(`[data-part="${name}"]`);
    function build() {
      const chart = (name, ...keys) => h("figure", { "data-chart": name }, h("figcaption", {}, keys.map(([key, dashed, tone]) =>
        h("span", { class: "fk-key" + (dashed ? " fk-dashed" : ""), style: `--tone: var(--fk-${tone})`, "data-t": key }, t(key)))), h("canvas", { "data-part": name, role: "img", "aria-label": keys.map(([key]) => t(key)).join(", ") }));
      root.replaceChildren(
        h("div", { class: "fk-lab-picture" }, h("canvas", { "data-part": "plane", role: "img", "aria-label": t("lab.picture"), "data-t-label": "lab.picture" }),
          h("p", { class: "fk-lab-step fk-number", "data-part": "step" }), h("p", { class: "fk-lab-legend" },
            h("span", { class: "fk-dot fk-real", "data-t": "lab.real" }, t("lab.real")), h("span", { class: "fk-dot fk-made", "data-t": "lab.made" }, t("lab.made")), h("span", { class: "fk-dot fk-believed", "data-t": "lab.believed" }, t("lab.believed"))),
          h("details", { class: "fk-lab-data", ontoggle: () => draw(true) }, h("summary", { "data-t": "lab.data.show" }, t("lab.data.show")), h("canvas", { "data-part": "data", role: "img", "aria-label": t("lab.data.picture"), "data-t-label": "lab.data.picture" }))),
        h("div", { class: "fk-lab-instruments" },
          h("p", { class: "fk-lab-verdict", "data-part": "verdict" }),
          h("div", { class: "fk-lab-meter" }, h("strong", { class: "fk-number", "data-part": "effective" }, "–"), h("span", { "data-part": "meter-text" }),
            h("div", { class: "fk-lab-bar", "aria-hidden": "true" }, h("i", { "data-part": "bar" }))),
          h("p", { class: "fk-lab-modes", "data-part": "modes" }),
          h("ul", { class: "fk-lab-groups", "data-part": "groups", "data-t-label": "lab.groups", "aria-label": t("lab.groups") }),
          chart("losses", ["lab.loss.d", false, "accent"], ["lab.loss.g", true, "made"]),
          chart("belief", ["lab.belief.real", false, "accent"], ["lab.belief.made", true, "made"])));
    }
    const view = {
      now, side,
      clear(real) { Object.assign(now, { real, begun: (now.begun ?? 0) + 1, frame: null, queue: [], frames: [], figures: [], readings: [], steps: [0], ended: false, error: null }); draw(true); },
      take(event) {
        if (event.kind === "frame") {
          now.queue.push(event);
          if (event.figures.discriminator !== undefined || event.figures.generator !== undefined) now.figures.push([event.step, event.figures]);
          if (now.figures.length > MOST) now.figures = now.figures.filter((_, i) => i % 2);
        }
        else if (event.kind === "reading") {
          now.readings.push(event);
          if (now.readings.length > MOST) now.readings.splice(0, 2);
          drawReading(event);  // there may be no further frame
        }
        else if (event.kind === "snapshots") now.steps = event.steps;
        else if (event.kind === "state") Object.assign(now, { settings: event.settings, running: event.running, ended: Boolean(event.ended) });
        else if (event.kind === "error") {
          now.error = event.text;
          drawReading(now.readings.at(-1));
        }
        else if (event.kind === "rewound") {
          now.queue = [];
          now.figures = now.figures.filter(([step]) => step <= event.step);
          now.readings = now.readings.filter((one) => one.step <= event.step);
          now.frames = now.frames.filter((one) => one.step <= event.step);
        }
      },
      // Show the next frame that has come; the newest where they come faster than they can be shown.
      tick(time) {
        if (now.reach !== reach() && performance.now() - (now.charted || 0) >= CHARTED) drawCharts();  // the other panel has gone on
        if (!now.queue.length || (time - now.drawn < 32 && now.queue.length < 12)) return;
        const frame = now.queue.length > 12 ? now.queue.splice(0, now.queue.length).at(-1) : now.queue.shift();
        now.drawn = time;
        now.frames.push(frame.sheet ? { step: frame.step, sheet: frame.sheet } : { step: frame.step, points: frame.points });
        if (now.frames.length > FRAMES) now.frames = now.frames.filter((_, i) => i % 2);
        if (frame.sheet) {
          const { begun } = now;
          facekit.labSheet("data:image/jpeg;base64," + frame.sheet).then((image) => { if (begun === now.begun) { now.frame = { ...frame, image }; draw(false); } });
          return;
        }
        now.frame = { ...frame, points: facekit.labPoints(frame.points) };
        draw(false);
      },
      get last() { return now.figures.at(-1)?.[0] ?? 0; },
      draw: () => draw(true), build,
    };
    function draw(whole) {
      if (!root.clientWidth) return;
      const faces = now.frame ? Boolean(now.frame.sheet) : now.real instanceof ImageBitmap;
      root.dataset.samples = faces ? "faces" : "points";
      if (!faces) facekit.labPlane(made("plane"), now.real, now.frame);
      else {
        facekit.labFaces(made("plane"), now.frame?.image);
        facekit.labFaces(made("data"), now.real);
      }
      made("step").textContent = now.frame ? t("lab.steps", { n: number(now.frame.step) }) : "";
      if (!whole && performance.now() - (now.charted || 0) < CHARTED) return;
      drawReading(now.readings.at(-1));
      drawCharts();
    }
    function drawCharts() {
      if (!root.clientWidth) return;
      Object.assign(now, { charted: performance.now(), reach: reach() });
      const last = Math.max(1, now.reach);
      const line = (name) => now.figures.filter(([, f]) => f[name] !== undefined).map(([step, f]) => [step, f[name]]);
      facekit.labLines(made("losses"), [{ values: line("discriminator"), colour: "accent" }, { values: line("generator"), colour: "made", dashed: true }], { low: 0, high: 1, last });
      facekit.labLines(made("belief"), [{ values: line("real"), colour: "accent" }, { values: line("fake"), colour: "made", dashed: true }], { low: 0, high: 1, last, mark: 0.5 });
    }
    function drawReading(reading) {
      const state = now.error ? "error" : reading?.state ?? "empty";
      root.dataset.verdict = state;
      made("effective").textContent = reading ? effective(reading.effective) : "–";
      made("meter-text").textContent = reading ? t("lab.meter", { n: effective(reading.natural) }) : t("lab.meter.empty");
      made("bar").style.width = reading ? `${Math.min(100, 100 * reading.effective / reading.natural)}%` : "0";
      made("verdict").textContent = facekit.labVerdict(reading, now.error);
      if (!reading) { made("modes").replaceChildren(); made("groups").replaceChildren(); return; }
      if (reading.groups) drawGroups(reading);
      else made("modes").textContent = t("lab.modes", { modes: reading.modes, of: reading.of, good: percent(reading.good) });
    }
    // Who is there: a bar for the share among the made faces, a mark for the share in the data.
    function drawGroups(reading) {
      made("modes").textContent = t("lab.groups.text", { good: percent(reading.good), variation: percent(reading.total_variation) });
      const longest = Math.max(0.3, ...reading.groups.flatMap((row) => row.slice(2)));
      made("groups").replaceChildren(...reading.groups.filter(([, , madeShare, share]) => Math.max(madeShare, share) >= 0.02).map(([gender, hair, madeShare, share]) =>
        h("li", { "data-group": `${gender}.${hair}` }, h("span", {}, facekit.labGroup(gender, hair)), h("b", { class: "fk-number" }, percent(madeShare)),
          h("i", { "aria-hidden": "true" }, h("em", { style: `width: ${100 * madeShare / longest}%` }), h("u", { style: `left: ${100 * share / longest}%` })),
          h("small", { class: "fk-number" }, t("lab.groups.data", { share: percent(share) })))));
    }
    build();
    return view;
  };

  facekit.labGroup = (gender, hair) => t(`lab.group.${gender}.${hair}`);

  // The verdict in one sentence; every number in it is one that the instruments show.
  facekit.labVerdict = (reading, error) => {
    if (error) return error;
    if (!reading) return t("lab.verdict.empty");
    const numbers = { n: effective(reading.effective), natural: effective(reading.natural), good: percent(reading.good) };
    if (!reading.groups) return t("lab.verdict." + reading.state, { ...numbers, modes: reading.modes, of: reading.of, missing: reading.of - reading.modes });
    const [gender, hair, share, data] = reading.groups.reduce((most, row) => row[2] > most[2] ? row : most);
    return t(`lab.verdict.faces.${reading.state}`, { ...numbers, group: facekit.labGroup(gender, hair), share: percent(share), data: percent(data) });
  };
})(window.facekit);
