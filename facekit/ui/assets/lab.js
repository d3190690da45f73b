// The tab Collapse lab: what is set, what runs, and what is shown of it.
(function (facekit) {
  const { t } = facekit;
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const POLL = 90, IDLE = 1500;  // milliseconds between two questions
  const PATIENCE = 400;  // milliseconds before a start is spoken of
  const SLOW = 5;  // steps a second

  facekit.lab = { start(element, server, props) {
    const root = element.querySelector(".fk-lab");
    const part = (name) => root.querySelector(`[data-part="${name}"]`);
    const visitor = facekit.ownName();
    const panels = Object.fromEntries(["left", "right"].map((side) => [side, facekit.labPanel(root.querySelector(`[data-side="${side}"]`), side, () => Math.max(...both().map((one) => panels[one].last)))]));
    const thumbs = facekit.labRewind(part("thumbs"), panels.left.now, (step) => rewind(step));
    const now = { settings: { ...props.defaults }, preset: "", side: "left", forked: false, started: false, since: {}, slow: false, run: 0, said: "", beside: null, asked: null };  // beside: what a second run shall have that is not there yet; asked: whether it shall run, from a press until the run says so
    const both = () => now.forked || now.beside ? ["left", "right"] : ["left"];
    const sheets = {};  // of the data's portraits, by its name
    const ofFaces = () => now.settings.data.startsWith("faces");
    const presets = () => props.presets[ofFaces() ? "faces" : "points"];
    const running = () => now.asked ?? both().some((side) => panels[side].now.running);
    const real = () => ofFaces() ? sheets[now.settings.data] : facekit.labPoints(props.real[now.settings.data] ?? props.real.ring);
    const shown = () => root.isConnected && root.getClientRects().length > 0;  // over the whole window it has no offsetParent

    async function ask(fn, request = {}) {
      const answer = await facekit.ask(server, fn, { visitor, ...request });
      if (answer.error) hint(facekit.errorText(answer));
      return answer;
    }
    function hint(text) { part("hint").textContent = text; part("hint").hidden = !text; }

    // ---- the recipe
    const settingsOf = (side) => (now.started && panels[side].now.settings) || (side === "right" ? { ...now.settings, ...now.beside } : now.settings);
    const current = () => settingsOf(now.side);
    // What a visitor has set on this side of a pair and not on the other: it stays where the rest goes back.
    function own(side) {
      const [mine, other] = [side, side === "left" ? "right" : "left"].map((one) => panels[one].now.settings ?? now.settings);
      return now.forked ? facekit.labDiffering(mine, other) : {};
    }
    let copied = null;
    const recipe = {
      get presets() { return presets(); },
      get settings() { return current(); }, get preset() { return now.preset; }, get forked() { return both().includes("right"); }, get side() { return now.side; },
      get faces() { return ofFaces(); },
      get skewed() { return current().skew > 0 || (presets()[now.preset]?.settings.skew ?? 0) > 0; },
      get remedy() {
        const remedy = presets()[now.preset]?.remedy ?? {};
        return Object.entries(remedy).some(([name, value]) => current()[name] !== value) ? remedy : null;
      },
      choose(name) { now.preset = name; now.settings = { ...facekit.labPreset(props, name, now.settings.data), data: now.settings.data, seed: now.settings.seed }; begin(); },
      restart(changes) { now.settings = { ...now.settings, ...changes }; again(goesOn()); },
      // Points and faces need other rates: from one to the other the preset stays, if both have it, and its settings change.
      take(data) {
        const before = ofFaces();
        now.settings = { ...now.settings, data };
        if (before === ofFaces()) again(goesOn());
        else recipe.choose(presets()[now.preset] ? now.preset : "healthy");
      },
      turn(side) { now.side = side; drawRecipe(); },
      async fork() {
        if (recipe.forked) {
          Object.assign(now, { forked: false, beside: null, side: "left" });
          delete now.since.right;
          if (now.started) await ask("lab_leave", { side: "right" });
          return arrange();
        }
        await ready();
        if (!await (copied = putBeside({}, "right"))) return;
        if (now.slow) await tell({ do: "speed", steps: SLOW }, "right");
        if (panels.left.now.running) await tell({ do: "run" }, "right");
      },
      async set(changes) {
        await copied;  // for a copy that is on its way
        if (now.started) {
          const { now: panel } = panels[now.side];
          panel.settings &&= { ...panel.settings, ...changes };  // until the run tells its own
          await tell({ do: "change", settings: changes }, now.side);
        }
        else { if (now.side === "right") now.beside = { ...now.beside, ...changes }; else now.settings = { ...now.settings, ...changes }; drawRecipe(); }
      },
    };
    function drawRecipe() { facekit.labRecipe(part("recipe"), recipe); }
    function arrange() {
      root.querySelector("[data-side=right]").hidden = !recipe.forked;
      part("runs").dataset.runs = both().length;
      drawRecipe();
      for (const side of both()) panels[side].draw();
    }

    const lesson = facekit.labLesson(part("lesson"), { panels, get preset() { return now.preset; }, get forked() { return now.forked; } });

    // ---- starting and telling
    // One start after the other: the last one asked for is the one that runs.
    let begun = Promise.resolve();
    const goesOn = () => now.started && (now.asked ?? panels.left.now.running);
    function begin(goes = goesOn(), beside = null) {
      const mine = ++now.run, before = begun;
      now.beside = beside;
      begun = before.then(() => mine === now.run ? startOver(mine, goes) : undefined);
      return begun;
    }
    async function startOver(mine, goes) {
      Object.assign(now, { forked: false, side: now.beside ? now.side : "left", started: false, since: {} });
      for (const side of ["left", "right"]) { panels[side].clear(real()); panels[side].now.settings = null; }
      panels.left.now.running = false;
      root.dataset.state = "starting";
      root.dataset.samples = ofFaces() ? "faces" : "points";
      hint("");
      arrange();
      if (ofFaces()) await showData(mine);
      for (;;) {
        const slow = setTimeout(() => { if (mine === now.run) hint(t("lab.starting")); }, PATIENCE);
        const answer = await ask("lab_start", { settings: now.settings });
        clearTimeout(slow);
        if (mine !== now.run) return;
        if (answer.error) { root.dataset.state = "idle"; now.asked = null; return; }
        if (!answer.ahead) break;
        root.dataset.state = "waiting";
        hint(t("lab.ahead", { n: answer.ahead }));
        await wait(IDLE);
        if (mine !== now.run) return;
      }
      hint("");
      now.started = true;
      root.dataset.state = "running";
      if (now.beside) await putBeside(now.beside);
      if (mine !== now.run) return;
      if (now.slow) await tell({ do: "speed", steps: SLOW });
      if (goes) await tell({ do: "run" });
    }
    // A copy of the left run, as it is now; whether it is there.
    async function putBeside(changes, side = now.side) {
      const { error } = await ask("lab_fork", { changes });
      Object.assign(now, { forked: !error, beside: null, side: error ? "left" : side });
      if (!error) {
        now.since.right = 0;
        panels.right.clear(real());
        panels.right.now.settings = { ...settingsOf("left"), ...changes };
        for (const name of ["figures", "readings", "frames"]) panels.right.now[name] = [...panels.left.now[name]];
      }
      arrange();
      return !error;
    }
    async function showData(mine) {
      const { data } = now.settings;
      if (!sheets[data]) {
        const { sheet, error } = await ask("lab_data", { data });
        if (error || mine !== now.run) return;
        sheets[data] = await facekit.labSheet(sheet);
      }
      if (mine === now.run) for (const side of both()) panels[side].clear(real());
    }
    // From the first step again: a pair as a pair.
    function again(goes = false) {
      const beside = now.forked ? own("right") : now.beside;
      now.settings = { ...now.settings, ...own("left") };
      return begin(goes, beside);
    }
    const ready = async () => { await begun; if (!now.started) await again(); };
    let commands = Promise.resolve();  // one after the other
    function tell(command, side) { return (commands = commands.then(() => tellNow(command, side))); }
    async function tellNow(command, side) {
      if (!now.started) return;  // it could not be started: the hint says why
      hint("");
      for (const one of side ? [side] : both()) {
        if (!panels[one].now.ended) panels[one].now.error = null;
        const { error } = await ask("lab_tell", { side: one, command });
        if (error) now.asked = null;
      }
    }

    // ---- watching
    async function watch() {
      for (;;) {
        if (!now.started) { await wait(200); continue; }
        if (!element.isConnected) return void ask("lab_leave");
        const mine = now.run, answer = await ask("lab_watch", { since: now.since });
        if (mine !== now.run) continue;
        if (answer.error) { await wait(IDLE); continue; }
        if (answer.ahead || !answer.sides?.left) {
          Object.assign(now, { started: false, asked: null });
          for (const side of both()) panels[side].now.running = false;
          root.dataset.state = "idle";
          hint(t("lab.ended"));
          buttons();
          continue;
        }
        for (const [side, news] of Object.entries(answer.sides)) {
          if (side === "right" && !now.forked) continue;
          now.since[side] = news.next;
          for (const event of news.events) panels[side].take(event);
          const told = news.events.some((event) => event.kind === "state");
          if (told) drawRecipe();
          if (told && (panels[side].now.ended || now.asked === both().some((one) => panels[one].now.running))) now.asked = null;
        }
        buttons();
        say();
        lesson.look();
        await wait(shown() ? (running() ? POLL : 300) : IDLE);
      }
    }
    function buttons() {
      const goes = running(), { steps, frame } = panels.left.now;
      const run = root.querySelector("[data-do=run]");
      run.dataset.t = goes ? "lab.pause" : "lab.run";
      run.textContent = t(run.dataset.t);
      root.dataset.running = goes;
      const slider = part("rewind");
      slider.max = steps.length - 1;
      if (goes || document.activeElement !== slider) slider.value = steps.length - 1;
      slider.disabled = steps.length < 2;
      sayStep();
      thumbs.draw(facekit.language);
      root.dataset.step = frame?.step ?? 0;
    }
    function sayStep() { part("rewind-step").textContent = (panels.left.now.steps[part("rewind").value] ?? 0).toLocaleString(facekit.language); }
    async function rewind(step) {
      await tell({ do: "pause" });
      for (const side of both()) await tell({ do: "rewind", step, settings: own(side) }, side);
    }
    function say() {
      const words = both().map((side) => panels[side].now.error ?? panels[side].now.readings.at(-1)?.state).join(" ");
      if (words === now.said) return;
      now.said = words;
      part("said").textContent = both().map((side) => facekit.labVerdict(panels[side].now.readings.at(-1), panels[side].now.error)).join(" ");
    }
    (function tick(time) {
      if (!element.isConnected) return;
      if (shown()) for (const side of both()) panels[side].tick(time);
      requestAnimationFrame(tick);
    })(0);

    // ---- buttons
    const act = {
      async run() { const goes = now.asked = !running(); buttons(); await ready(); await tell({ do: goes ? "run" : "pause" }); },
      async step() { await ready(); await tell({ do: "step" }); },
      async discriminator() { await ready(); await tell({ do: "discriminator" }); },
      async generator() { await ready(); await tell({ do: "generator" }); },
      async slow(button) { now.slow = !now.slow; button.setAttribute("aria-pressed", now.slow); await tell({ do: "speed", steps: now.slow ? SLOW : null }); },
      reset: () => again(),
      projector(button) { button.setAttribute("aria-pressed", root.classList.toggle("fk-projector")); arrange(); },
    };
    const save = {
      async gif() {
        const { gif, error } = await ask("lab_gif", { frames: panels[now.side].now.frames });
        if (!error) facekit.save(await (await fetch(gif)).blob(), "collapse.gif");
      },
      csv() { facekit.save(new Blob([csv()], { type: "text/csv" }), "collapse.csv"); },
      async link(button) {
        await navigator.clipboard?.writeText(link());
        button.textContent = t("save.copied");
        setTimeout(() => { button.textContent = t("lab.link"); }, 1500);
      },
    };
    function csv() {
      const names = ["discriminator", "generator", "real", "fake"], kept = ofFaces() ? ["effective", "good", "total_variation"] : ["modes", "good", "effective"];
      const rows = both().flatMap((side) => {  // one a step, of the last that was told of it
        const { figures, readings } = panels[side].now, f = new Map(figures), one = new Map(readings.map((reading) => [reading.step, reading]));
        return [...new Set([...f.keys(), ...one.keys()])].map((step) => [side, step, ...names.map((name) => f.get(step)?.[name] ?? ""), ...kept.map((name) => one.get(step)?.[name] ?? "")]);
      }).sort((a, b) => a[1] - b[1]);
      return [["run", "step", "loss_discriminator", "loss_generator", "believed_real", "believed_made", ...kept], ...rows].map((row) => row.join(",")).join("\n") + "\n";
    }
    const link = () => facekit.linkTo("lab", facekit.labLink(props, { preset: now.preset, settings: settingsOf("left"), right: recipe.forked ? settingsOf("right") : null,
      lesson: lesson.shown, slow: now.slow, projector: root.classList.contains("fk-projector") }));
    function setUp() {
      const given = facekit.fromLink("lab", (state) => facekit.labFromLink(props, state));
      if (given === null) hint(t("lab.link.bad"));
      const { lesson: opened, projector, ...rest } = given ?? { preset: "healthy", settings: facekit.labPreset(props, "healthy", props.defaults.data) };
      Object.assign(now, rest);
      if (now.beside) now.side = "right";
      root.querySelector("[data-do=slow]").setAttribute("aria-pressed", now.slow);
      if (projector) act.projector(root.querySelector("[data-do=projector]"));
      if (opened) lesson.open(opened);
    }
    root.addEventListener("click", (event) => {
      const button = event.target.closest("[data-do], [data-save]");
      if (!button || button.closest("[data-part=recipe]")) return;
      (act[button.dataset.do] ?? save[button.dataset.save])?.(button);
    });
    part("recipe").addEventListener("submit", (event) => event.preventDefault());
    part("rewind").addEventListener("input", sayStep);
    part("rewind").addEventListener("change", (event) => rewind(panels.left.now.steps[event.target.value]));
    facekit.onLeaving(() => now.started && ask("lab_leave"));
    new ResizeObserver(() => { for (const side of both()) panels[side].draw(); }).observe(root);
    facekit.onLanguage(() => { for (const side of both()) panels[side].draw(); drawRecipe(); buttons(); lesson.draw(); });
    facekit.translate(root);
    setUp();
    root.dataset.samples = ofFaces() ? "faces" : "points";
    if (ofFaces()) showData(now.run);
    else for (const side of both()) panels[side].clear(real());
    arrange();
    buttons();
    root.dataset.ready = "true";
    watch();
  } };
})(window.facekit);
