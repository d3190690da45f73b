// The tab Collapse lab: what is set, what runs, and what is shown of it.
(function (facekit) {
  const { t } = facekit;
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const POLL = 90, IDLE = 1500;  // milliseconds between two questions
  const SLOW = 5;  // steps a second

  facekit.lab = { start(element, server, props) {
    const root = element.querySelector(".fk-lab");
    const part = (name) => root.querySelector(`[data-part="${name}"]`);
    const visitor = facekit.ownName();
    const panels = Object.fromEntries(["left", "right"].map((side) => [side, facekit.labPanel(root.querySelector(`[data-side="${side}"]`), side, () => Math.max(...both().map((one) => panels[one].last)))]));
    const thumbs = facekit.labRewind(part("thumbs"), panels.left.now, (step) => rewind(step));
    const now = { settings: { ...props.defaults }, preset: "", side: "left", forked: false, started: false, since: {}, slow: false, run: 0, said: "", wants: null };
    const both = () => now.forked ? ["left", "right"] : ["left"];
    const sheets = {};  // of the data's portraits, by its name
    const ofFaces = () => now.settings.data.startsWith("faces");
    const presets = () => props.presets[ofFaces() ? "faces" : "points"];
    const real = () => ofFaces() ? sheets[now.settings.data] : facekit.labPoints(props.real[now.settings.data] ?? props.real.ring);
    const shown = () => root.isConnected && root.offsetParent !== null;

    async function ask(fn, request = {}) {
      const answer = await facekit.ask(server, fn, { visitor, ...request });
      if (answer.error) hint(facekit.errorText(answer));
      return answer;
    }
    function hint(text) { part("hint").textContent = text; part("hint").hidden = !text; }

    // ---- the recipe
    const current = () => (now.started && panels[now.side].now.settings) || now.settings;
    const recipe = {
      get presets() { return presets(); },
      get settings() { return current(); }, get preset() { return now.preset; }, get forked() { return now.forked; }, get side() { return now.side; },
      get faces() { return ofFaces(); },
      get skewed() { return current().skew > 0 || (presets()[now.preset]?.settings.skew ?? 0) > 0; },
      get remedy() {
        const remedy = presets()[now.preset]?.remedy ?? {};
        return Object.entries(remedy).some(([name, value]) => current()[name] !== value) ? remedy : null;
      },
      choose(name) { now.preset = name; now.settings = { ...props.defaults, ...presets()[name].settings, data: now.settings.data, seed: now.settings.seed }; begin(); },
      restart(changes) { now.settings = { ...now.settings, ...changes }; begin(); },
      // Points and faces need other rates: from one to the other the preset stays, if both have it, and its settings change.
      take(data) {
        const before = ofFaces();
        now.settings = { ...now.settings, data };
        if (before === ofFaces()) begin();
        else recipe.choose(presets()[now.preset] ? now.preset : "healthy");
      },
      turn(side) { now.side = side; drawRecipe(); },
      async fork() {
        if (now.forked) { now.forked = false; now.side = "left"; delete now.since.right; await ask("lab_leave", { side: "right" }); return arrange(); }
        await ready();
        const answer = await ask("lab_fork", { changes: {} });
        if (answer.error) return;
        Object.assign(now, { forked: true, side: "right" });
        now.since.right = 0;
        panels.right.clear(real());
        for (const name of ["figures", "readings", "frames"]) panels.right.now[name] = [...panels.left.now[name]];
        arrange();
        if (now.slow) await tell({ do: "speed", steps: SLOW }, "right");
        if (panels.left.now.running) await tell({ do: "run" }, "right");
      },
      async set(changes) {
        if (now.started) await tell({ do: "change", settings: changes }, now.side);
        else { now.settings = { ...now.settings, ...changes }; drawRecipe(); }
      },
    };
    function drawRecipe() { facekit.labRecipe(part("recipe"), recipe); }
    function arrange() {
      root.querySelector("[data-side=right]").hidden = !now.forked;
      part("runs").dataset.runs = now.forked ? 2 : 1;
      drawRecipe();
      for (const side of both()) panels[side].draw();
    }

    const lesson = facekit.labLesson(part("lesson"), { panels, get preset() { return now.preset; }, get forked() { return now.forked; } });

    // ---- starting and telling
    // One start after the other: the last one asked for is the one that runs.
    let begun = Promise.resolve();
    function begin(running = now.started && panels.left.now.running) {
      const mine = ++now.run, before = begun;
      begun = before.then(() => mine === now.run ? startOver(mine, running) : undefined);
      return begun;
    }
    async function startOver(mine, running) {
      Object.assign(now, { forked: false, side: "left", started: false, since: {} });
      for (const side of ["left", "right"]) { panels[side].clear(real()); panels[side].now.settings = null; }
      panels.left.now.running = false;
      root.dataset.state = "starting";
      root.dataset.samples = ofFaces() ? "faces" : "points";
      hint("");
      arrange();
      if (ofFaces()) await showData(mine);
      for (;;) {
        const answer = await ask("lab_start", { settings: now.settings });
        if (mine !== now.run) return;
        if (answer.error) { root.dataset.state = "idle"; return; }
        if (!answer.ahead) break;
        root.dataset.state = "waiting";
        hint(t("lab.ahead", { n: answer.ahead }));
        await wait(IDLE);
        if (mine !== now.run) return;
      }
      hint("");
      now.started = true;
      root.dataset.state = "running";
      if (running) await tell({ do: "run" });
      if (now.slow) await tell({ do: "speed", steps: SLOW });
    }
    async function showData(mine) {
      const { data } = now.settings;
      if (!sheets[data]) {
        const { sheet, error } = await ask("lab_data", { data });
        if (error || mine !== now.run) return;
        sheets[data] = await facekit.labSheet(sheet);
      }
      if (mine === now.run) panels.left.clear(real());
    }
    const ready = async () => { await begun; if (!now.started) await begin(false); };
    async function tell(command, side) {
      if (!now.started) return;  // it could not be started: the hint says why
      hint("");
      for (const one of side ? [side] : both()) { panels[one].now.error = null; await ask("lab_tell", { side: one, command }); }
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
          now.started = false;
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
          if (news.events.some((event) => event.kind === "state")) drawRecipe();
        }
        buttons();
        say();
        lesson.look();
        await wait(shown() ? (both().some((side) => panels[side].now.running) ? POLL : 300) : IDLE);
      }
    }
    function buttons() {
      const running = both().some((side) => panels[side].now.running), { steps, frame } = panels.left.now;
      const run = root.querySelector("[data-do=run]");
      run.dataset.t = running ? "lab.pause" : "lab.run";
      run.textContent = t(run.dataset.t);
      root.dataset.running = running;
      const slider = part("rewind");
      slider.max = steps.length - 1;
      if (running || document.activeElement !== slider) slider.value = steps.length - 1;
      slider.disabled = steps.length < 2;
      part("rewind-step").textContent = steps[slider.value] ?? 0;
      thumbs.draw(facekit.language);
      if (frame) root.dataset.step = frame.step;
    }
    async function rewind(step) {
      await tell({ do: "pause" });
      await tell({ do: "rewind", step });
    }
    function say() {
      const words = both().map((side) => panels[side].now.readings.at(-1)?.state).join(" ");
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
      async run() { const running = both().some((side) => panels[side].now.running); await ready(); await tell({ do: running ? "pause" : "run" }); },
      async step() { await ready(); await tell({ do: "step" }); },
      async discriminator() { await ready(); await tell({ do: "discriminator" }); },
      async generator() { await ready(); await tell({ do: "generator" }); },
      async slow(button) { now.slow = !now.slow; button.setAttribute("aria-pressed", now.slow); if (now.started) await tell({ do: "speed", steps: now.slow ? SLOW : null }); },
      async reset() { await begin(false); },
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
      const rows = both().flatMap((side) => [
        ...panels[side].now.figures.map(([step, f]) => [side, step, ...names.map((name) => f[name] ?? ""), ...kept.map(() => "")]),
        ...panels[side].now.readings.map((one) => [side, one.step, ...names.map(() => ""), ...kept.map((name) => one[name])]),
      ]).sort((a, b) => a[1] - b[1]);
      return [["run", "step", "loss_discriminator", "loss_generator", "believed_real", "believed_made", ...kept], ...rows].map((row) => row.join(",")).join("\n") + "\n";
    }
    function link() {
      const url = new URL(location.href), own = Object.entries(current()).filter(([name, value]) => value !== props.defaults[name]);
      url.searchParams.set("lab", JSON.stringify(Object.fromEntries(own)));
      return url.href;
    }
    function fromLink() {
      const given = new URLSearchParams(location.search).get("lab");
      if (given === null) return false;
      try { now.settings = { ...props.defaults, ...JSON.parse(given) }; } catch { hint(t("lab.link.bad")); return false; }
      return true;
    }
    root.addEventListener("click", (event) => {
      const button = event.target.closest("[data-do], [data-save]");
      if (!button || button.closest("[data-part=recipe]")) return;
      (act[button.dataset.do] ?? save[button.dataset.save])?.(button);
    });
    part("recipe").addEventListener("submit", (event) => event.preventDefault());
    part("rewind").addEventListener("input", (event) => { part("rewind-step").textContent = panels.left.now.steps[event.target.value]; });
    part("rewind").addEventListener("change", (event) => rewind(panels.left.now.steps[event.target.value]));
    facekit.onLeaving(() => now.started && ask("lab_leave"));
    new ResizeObserver(() => { for (const side of both()) panels[side].draw(); }).observe(root);
    facekit.onLanguage(() => { for (const side of both()) panels[side].draw(); drawRecipe(); buttons(); lesson.draw(); });
    facekit.translate(root);
    if (!fromLink()) { now.preset = "healthy"; now.settings = { ...props.defaults, ...presets().healthy.settings }; }
    root.dataset.samples = ofFaces() ? "faces" : "points";
    if (ofFaces()) showData(now.run);
    else panels.left.clear(real());
    arrange();
    buttons();
    root.dataset.ready = "true";
    watch();
  } };
})(window.facekit);
