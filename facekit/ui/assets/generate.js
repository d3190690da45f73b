// The tab Generate: which faces, the grid, and everything around it.
(function (facekit) {
  const { h, t } = facekit;
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const DEFAULTS = { checkpoint: "", seed: 0, count: 16, path: [], attributes: {}, truncation: null };
  const MOST = 64;  // faces
  // Whether a wish is of the kind that the page can show; what no generator can draw, the server tells.
  const fits = ({ checkpoint = "", seed = 0, count = 1, path = [], attributes = {}, truncation = null }) => typeof checkpoint === "string" && Number.isFinite(seed)
    && Number.isInteger(count) && count >= 1 && count <= MOST && Array.isArray(path) && path.every(Number.isInteger)
    && facekit.isObject(attributes) && Object.values(attributes).every((value) => typeof value === "boolean") && (truncation === null || Number.isFinite(truncation));
  const WALK = 140, SETTLE = 120;  // milliseconds a picture of a walk, and of quiet before something is drawn
  const percent = (share) => new Intl.NumberFormat(facekit.language, { style: "percent" }).format(share).replace(/\s*%/, "\u00a0%");

  facekit.useGenerator = (name) => { facekit.wantedGenerator = name; };  // until the tab is there
  facekit.generate = { start(element, server, props) {
    const root = element.querySelector(".fk-gen"), part = (name) => root.querySelector(`[data-part="${name}"]`);
    const now = { wish: { ...DEFAULTS, seed: facekit.randomSeed() }, about: null, sheet: null, rows: [], read: null, selected: 0, picks: [null, null], run: 0, walk: 0, epoch: null, open: { asked: false }, note: "" };
    let morph = null, growth = null;
    const shown = () => root.isConnected && root.offsetParent !== null;
    const say = (words) => { part("said").textContent = words; };
    function hint(text) { part("hint").textContent = text; part("hint").hidden = !text; }
    // What a request says of a wish: only what is not the default, so that links stay short.
    const plain = (wish) => Object.fromEntries(Object.entries(wish).filter(([name, value]) => name === "seed" || JSON.stringify(value) !== JSON.stringify(DEFAULTS[name])));
    const named = (i, wish = now.wish) => plain({ ...wish, count: DEFAULTS.count, path: [...wish.path, i] });

    async function ask(fn, request = {}, quiet = false, failed = quiet ? null : fail) {
      const ticket = `${Math.random().toString(36).slice(2)}${Date.now()}`, going = { on: true };
      keepPosted(ticket, going, quiet);
      const answer = await facekit.ask(server, fn, { ...request, ticket });
      going.on = false;
      if (going.said && part("hint").textContent === going.said) hint("");
      if (answer.error) failed?.(answer);
      return answer;
    }
    async function keepPosted(ticket, going, quiet) {
      for (await wait(500); going.on && !quiet; await wait(700)) {
        const status = await facekit.ask(server, "generate_status", { ticket });
        if (!going.on || root.dataset.state === "error") return;
        const words = status.state === "warming" ? t("gen.warming") : status.ahead ? t(status.ahead === 1 ? "gen.ahead.one" : "gen.ahead", { n: status.ahead }) : "";
        if (words) hint(going.said = words);
      }
    }

    // What is wrong, and a way out where it came with the link.
    function fail(answer) {
      root.dataset.state = "error";
      hint(facekit.errorText(answer));
      if (answer.kind !== "server") part("hint").append(" ", h("button", { type: "button", class: "fk-link", "data-do": "afresh" }, t("gen.afresh")));
    }

    // ---- the grid
    function skeleton() {
      const { count } = now.wish;
      part("grid").style.setProperty("--columns", Math.ceil(Math.sqrt(count)));
      part("grid").replaceChildren(...Array.from({ length: count }, () => h("div", { class: "fk-tile fk-skeleton" })));
    }
    function drawGrid() {
      const grid = part("grid"), { count } = now.wish;
      grid.style.setProperty("--columns", Math.ceil(Math.sqrt(count)));
      grid.dataset.small = String(count > 16);
      if (grid.querySelectorAll("canvas").length !== count) grid.replaceChildren(...Array.from({ length: count }, (_, i) => h("div", { class: "fk-tile" },
        h("button", { type: "button", class: "fk-tile-face", "data-face": i, onclick: () => select(i), onkeydown: (event) => step(event, i) }, h("canvas", {})),
        h("button", { type: "button", class: "fk-tile-like", "data-like": i, tabindex: -1, onclick: () => tool.like(i) }, facekit.icon("like")))));
      [...grid.children].forEach((tile, i) => {
        const [face, like] = tile.children;
        face.setAttribute("aria-label", facekit.faceLabel(tool, i));
        face.setAttribute("aria-pressed", i === now.selected);
        face.tabIndex = i === now.selected ? 0 : -1;
        like.title = t("gen.act.like");
        like.setAttribute("aria-label", `${t("gen.act.like")} (${t("face.title", { n: i + 1 })})`);
        facekit.drawFace(face.firstChild, now.sheet, i);
      });
    }
    const canvases = () => [...part("grid").querySelectorAll("canvas")];
    function select(i, focus = false) {
      now.selected = i;
      drawGrid();
      facekit.drawChosen(part("face"), tool);
      if (focus) part("grid").querySelector(`[data-face="${i}"]`).focus();
      say(facekit.faceLabel(tool, i));
    }
    function step(event, i) {
      const columns = Math.ceil(Math.sqrt(now.wish.count)), by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
      const to = { Home: 0, End: now.wish.count - 1 }[event.key] ?? (by === undefined ? undefined : i + by);
      if (to === undefined) return;
      event.preventDefault();
      if (to >= 0 && to < now.wish.count) select(to, true);
    }

    // ---- drawing what is wished; only the newest wish is shown
    async function redraw() {
      const mine = ++now.run, wish = plain(now.wish);
      stopWalk();
      root.dataset.state = now.sheet ? "working" : "warming";
      if (!now.sheet) skeleton();
      const answer = await ask("generate_faces", { wish });
      if (mine !== now.run || answer.error) return;
      const sheet = await facekit.faceSheet(answer.sheet, answer.size);
      if (mine !== now.run) return;
      Object.assign(now, { sheet, rows: answer.rows, read: null, selected: Math.min(now.selected, now.wish.count - 1) });
      root.dataset.state = "ready";
      root.dataset.drawn = String(Number(root.dataset.drawn || 0) + 1);
      hint(now.note);
      drawGrid();
      drawTrail();
      facekit.drawChosen(part("face"), tool);
      say(t("gen.said", { n: now.wish.count, seed: now.wish.seed }));
      const last = now.wish.count - 1;
      morph.show([now.picks[0] ?? named(0), now.picks[1] ?? named(Math.min(last, Math.ceil(Math.sqrt(last))))]);
      const read = await ask("generate_read", { wish }, true);
      if (mine !== now.run || read.error) return;
      now.read = read.read;
      facekit.drawChosen(part("face"), tool);
      drawBias();
    }
    let settling = 0;
    function set(changes, keep = "") {
      const other = "checkpoint" in changes;
      Object.assign(now, { wish: { ...now.wish, ...changes }, note: "" });
      if (other) now.picks = [null, null];  // of another network: there is no way between the two
      if (Object.keys(changes).some((name) => name !== "truncation" && name !== "attributes")) now.selected = 0;
      if (!keep) facekit.drawRow(part("row"), tool);
      if (!other) facekit.drawChoices(part("choices"), tool);
      remember();
      clearTimeout(settling);
      settling = setTimeout(other ? open : redraw, SETTLE);
    }
    function drawTrail() {
      const { path, seed } = now.wish, trail = part("trail");
      trail.hidden = !path.length;
      if (!path.length) return;
      trail.replaceChildren(h("span", {}, t(path.length === 1 ? "gen.trail.one" : "gen.trail", { n: path[0] + 1, seed, steps: path.length })), " ",
        h("button", { type: "button", class: "fk-link", "data-do": "back", onclick: () => { now.selected = 0; set({ path: path.slice(0, -1) }); } }, t("gen.back")));
    }

    // ---- a walk: the pictures come a few at a time and are shown as soon as the first are there
    async function walk() {
      if (now.walk) return stopWalk();
      const mine = now.walk = Date.now(), wish = plain(now.wish), sheets = [];
      facekit.drawRow(part("row"), tool);
      (async () => {
        while (mine === now.walk && sheets.length < now.about.frames) {
          const answer = await ask("generate_walk", { wish, first: sheets.length });
          if (answer.error) return stopWalk();
          sheets.push(...await Promise.all(answer.sheets.map((url) => facekit.faceSheet(url, now.sheet.size))));
          root.dataset.frames = sheets.length;
        }
      })();
      let at = 0, before = null;
      const still = matchMedia("(prefers-reduced-motion: reduce)").matches;  // whole pictures, and slowly
      (function tick(time) {
        if (mine !== now.walk || !root.isConnected) return;
        requestAnimationFrame(tick);
        if (!sheets.length || !shown()) return;
        const whole = sheets.length === now.about.frames;
        at += before === null ? 0 : Math.min(100, time - before) / (still ? 10 * WALK : WALK);
        before = time;
        at = whole ? at % sheets.length : Math.min(at, sheets.length - 1);
        const k = Math.floor(at), next = sheets[(k + 1) % sheets.length];
        canvases().forEach((canvas, i) => facekit.drawFace(canvas, sheets[k], i, still ? null : next, still ? 0 : at - k));
      })(performance.now());
    }
    function stopWalk() {
      if (!now.walk) return;
      now.walk = 0;
      delete root.dataset.frames;
      facekit.drawRow(part("row"), tool);
      if (now.sheet) drawGrid();
    }

    // ---- links and files
    const state = () => ({ ...plain(now.wish), ...(now.picks.some(Boolean) ? { morph: now.picks } : {}), ...(now.epoch !== null ? { epoch: now.epoch } : {}) });
    const link = () => facekit.linkTo("generate", state());
    const remember = () => history.replaceState(null, "", link());
    function fromLink() {
      const given = facekit.fromLink("generate", ({ morph: picks = [null, null], epoch = null, ...wish }) =>
        fits(wish) && Array.isArray(picks) && picks.length === 2 && picks.every((pick) => pick === null || (facekit.isObject(pick) && fits(pick)))
          && (epoch === null || Number.isFinite(epoch)) ? { wish: { ...DEFAULTS, ...wish }, picks, epoch } : null);
      if (given === null) now.note = t("gen.link.bad");
      Object.assign(now, given);
    }
    async function gif(kind, request, button) {
      const words = button.textContent;
      button.disabled = true;
      button.textContent = t("gen.save.working");
      const answer = await ask("generate_gif", { kind, ...request }, false, (error) => hint(facekit.errorText(error)));  // the faces are there all the same
      button.disabled = false;
      button.textContent = words;
      if (!answer.error) facekit.save(await (await fetch(answer.gif)).blob(), `faces-${kind}.gif`);
    }
    const act = {
      walk,
      afresh() { Object.assign(now, { wish: { ...DEFAULTS, seed: facekit.randomSeed() }, picks: [null, null], epoch: null, selected: 0 }); remember(); open(); },
      async png() { facekit.save(await facekit.asPng(facekit.sheetPicture(now.sheet, now.wish.count, 2)), `faces-seed-${now.wish.seed}.png`); },
      "gif-walk": (button) => gif("walk", { wish: plain(now.wish) }, button),
      async link(button) {
        remember();
        await navigator.clipboard?.writeText(link());
        button.textContent = t("save.copied");
        setTimeout(() => { button.textContent = t("gen.link"); }, 1500);
      },
    };
    const tool = {
      get wish() { return now.wish; }, get about() { return now.about; }, get sheet() { return now.sheet; }, get rows() { return now.rows; }, get read() { return now.read; },
      get selected() { return now.selected; }, get walking() { return Boolean(now.walk); }, open: now.open, ask, say, gif, set, size: 64,
      plain: () => plain({ ...DEFAULTS, checkpoint: now.wish.checkpoint, truncation: now.wish.truncation }),
      like(i) { set({ path: [...now.wish.path, i] }); part("grid").scrollIntoView({ block: "nearest" }); },
      pick(i, end) {
        const other = now.picks[1 - end] ?? morphEnds()[1 - end];
        now.picks = end ? [other, named(i)] : [named(i), other];
        remember();
        morph.show(now.picks);
        say(t(end ? "gen.picked.to" : "gen.picked.from", { n: i + 1 }));
      },
      async save(i) {
        const side = now.sheet.size, canvas = h("canvas", { width: 4 * side, height: 4 * side }), pen = canvas.getContext("2d");
        pen.imageSmoothingQuality = "high";
        pen.drawImage(now.sheet.image, (i % now.sheet.columns) * side, Math.floor(i / now.sheet.columns) * side, side, side, 0, 0, 4 * side, 4 * side);
        facekit.save(await facekit.asPng(canvas), `face-seed-${[now.wish.seed, ...now.wish.path, i].join("-")}.png`);
      },
      told(epoch) { now.epoch = epoch; clearTimeout(now.later); now.later = setTimeout(remember, 400); },
    };
    const morphEnds = () => { const last = now.wish.count - 1; return [now.picks[0] ?? named(0), now.picks[1] ?? named(Math.min(last, Math.ceil(Math.sqrt(last))))]; };

    // ---- what it learned from
    function drawBanner() {
      const { shares, growth: grown } = now.about, thousands = (n) => (Math.round(n / 1000) * 1000).toLocaleString(facekit.language, { useGrouping: "always" });
      const photos = grown?.photos ? t("gen.banner.photos", { n: thousands(grown.photos) }) : t("gen.banner.photos.some");
      const others = [["Young", "young"], ["Eyeglasses", "glasses"]].filter(([name]) => name in shares).map(([name, key]) => t("gen.banner." + key, { n: percent(shares[name]) })).join("");
      part("banner").textContent = [t("gen.banner.text"), "Male" in shares ? t("gen.banner.bias", { photos, women: percent(1 - shares.Male), others }) : ""].join(" ");
    }
    function drawBias() {
      const { shares, attributes } = now.about, panel = part("bias");
      panel.hidden = !attributes.some((name) => name in shares);
      if (panel.hidden) return;
      const read = (k) => now.read && now.read.filter((row) => row[k] >= 0.5).length / now.read.length;
      panel.replaceChildren(h("h2", {}, t("gen.bias")), h("p", { class: "fk-soft" }, t("gen.bias.text", { n: now.wish.count })),
        h("p", { class: "fk-gen-legend", "aria-hidden": "true" }, h("span", { class: "fk-of-photos" }, t("gen.bias.photos")), h("span", { class: "fk-of-faces" }, t("gen.bias.faces", { n: now.wish.count }))),
        h("dl", { class: "fk-gen-bars" }, attributes.map((name, k) => {
          if (!(name in shares)) return [];
          const seen = read(k), told = seen === null ? "…" : percent(seen);
          return [h("dt", { title: name }, facekit.attributeName(name)), h("dd", {}, h("i", { class: "fk-of-photos", style: `width:${100 * shares[name]}%` }), h("i", { class: "fk-of-faces", style: `width:${100 * (seen ?? 0)}%` }),
            h("span", { class: "fk-number" }, h("span", { class: "fk-sr" }, t("gen.bias.photos") + " "), percent(shares[name]), " · ", h("b", {}, h("span", { class: "fk-sr" }, t("gen.bias.faces", { n: now.wish.count }) + " "), told)))];
        }).flat()));
    }

    // ---- opening
    async function open() {
      growth?.end();
      skeleton();
      const about = await ask("generate_about", { wish: plain({ ...DEFAULTS, checkpoint: now.wish.checkpoint }) });
      if (about.error) return;
      now.about = about;
      part("card").innerHTML = about.card;
      morph ??= facekit.morphPanel(part("morph"), tool);
      quiz ??= facekit.quizPanel(part("quiz"), tool);
      growth = about.growth && about.growth.epochs.length ? facekit.growthPanel(part("growth"), tool) : null;
      part("growth").hidden = !growth;
      if (growth && now.epoch !== null) growth.goTo(now.epoch);
      part("fold").hidden = !about.attributes.length;
      facekit.drawChoices(part("choices"), tool);
      facekit.drawRow(part("row"), tool);
      drawBanner();
      drawBias();
      await redraw();
    }
    let quiz = null;
    root.addEventListener("click", (event) => { const button = event.target.closest("[data-do]"); act[button?.dataset.do]?.(button); });
    part("controls").addEventListener("submit", (event) => event.preventDefault());
    document.addEventListener("dragover", (event) => { if (shown()) event.preventDefault(); });
    document.addEventListener("drop", (event) => { if (!shown()) return; event.preventDefault(); if (quiz) { part("quiz").scrollIntoView({ block: "nearest" }); quiz.add([...event.dataTransfer.files]); } });
    new ResizeObserver(() => { if (now.sheet && !now.walk && shown()) { drawGrid(); facekit.drawChosen(part("face"), tool); morph.draw(); } }).observe(part("grid"));
    facekit.onLanguage(() => {
      if (!now.about) return;
      facekit.drawChoices(part("choices"), tool); facekit.drawRow(part("row"), tool); drawBanner(); drawBias(); morph.words(); quiz.words(); growth?.words();
      if (now.sheet) { drawGrid(); drawTrail(); facekit.drawChosen(part("face"), tool); }
    });
    if (matchMedia("(max-width: 640px)").matches) part("fold").open = false;  // a narrow screen shows the faces first
    facekit.translate(root);
    fromLink();
    facekit.useGenerator = (name) => set({ checkpoint: name, attributes: {} });  // for other tabs
    if (facekit.wantedGenerator) now.wish = { ...DEFAULTS, seed: now.wish.seed, checkpoint: facekit.wantedGenerator };
    facekit.drawChosen(part("face"), { ...tool, sheet: null });
    root.dataset.ready = "true";
    open();
  } };
})(window.facekit);
