// The tab: from a dropped, pasted, chosen or taken photo to the answer, through every state in between.
(function (facekit) {
  const { h, t } = facekit;
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  facekit.errorText = (result) => facekit.language !== "en" && facekit.has("error." + result.kind) ? t("error." + result.kind) : result.error;

  facekit.attributes = { start(element, server, props) {
    const root = element.querySelector(".fk-attributes");
    const part = (name) => root.querySelector(`[data-part="${name}"]`);
    const now = { state: "empty", answer: null, blob: null, name: "", selected: 0, run: 0, error: null, engine: "warming", words: "" };
    const view = { select, walk, ask: (fn, request) => ask(fn, { ...request, ...chosen() }), get faces() { return now.answer.report.faces; }, estimated: false };

    const chosen = () => ({ detector: part("detector").value, checkpoint: part("checkpoint").value });
    const ask = (fn, request) => facekit.ask(server, fn, request);

    // ---- states
    function show(state) {
      now.state = root.dataset.state = state;
      part("drop").hidden = !["empty", "error"].includes(state);
      part("photo").hidden = !["working", "answer", "none"].includes(state);
      part("camera").hidden = state !== "camera";
      part("again").hidden = ["empty", "error", "camera"].includes(state);
      part("hint").hidden = true;
      draw();
    }
    function draw() {
      const column = part("answer");
      if (now.state !== "answer") part("boxes").replaceChildren();
      part("line").textContent = "";
      if (now.state === "empty" || now.state === "camera") column.replaceChildren(facekit.emptyPanel(props.thumbnails, example));
      else if (now.state === "working") column.replaceChildren(facekit.skeletonPanel(now.words));
      else if (now.state === "error") column.replaceChildren(facekit.errorPanel(t("error.title"), facekit.errorText(now.error), () => part("file").click()));
      else if (now.state === "none") { drawLine(); column.replaceChildren(facekit.nonePanel(otherDetector(), tryOther)); }
      else { drawLine(); drawBoxes(); drawCard(); }
    }
    function drawLine() {
      const { report, milliseconds, checkpoint, detector } = now.answer, n = report.faces.length;
      part("line").textContent = facekit.inLine([t(n === 1 ? "line.faces.one" : "line.faces", { n }), t("line.speed", { n: milliseconds }),
        t("line.checkpoint", { name: checkpoint }), t("line.detector", { name: detector })]);
    }
    function drawBoxes() {
      const { report } = now.answer, [w, hgt] = [report.width, report.height], share = (v, all) => `${(100 * v / all).toFixed(3)}%`;
      const scale = (part("photo").clientWidth || 600) / w;
      part("boxes").replaceChildren(...report.faces.map((face, i) => {
        const x1 = Math.max(0, face.box[0]), y1 = Math.max(0, face.box[1]), x2 = Math.min(w, face.box[2]), y2 = Math.min(hgt, face.box[3]);
        return h("button", { type: "button", class: "fk-box" + ((x2 - x1) * scale < 48 ? " fk-tiny" : ""), "data-face": i, tabindex: i === now.selected ? 0 : -1,
          "aria-pressed": i === now.selected, "aria-label": facekit.summary(face, i + 1),
          style: `left:${share(x1, w)};top:${share(y1, hgt)};width:${share(x2 - x1, w)};height:${share(y2 - y1, hgt)}`,
          onclick: () => select(i, true), onkeydown: (event) => walk(event, "boxes") }, h("b", {}, i + 1));
      }));
    }
    function drawCard() {
      const { report, crops } = now.answer, i = now.selected, column = part("answer");
      const old = column.querySelector(".fk-faces"), scroll = old ? [old.scrollLeft, old.scrollTop] : [0, 0];
      column.replaceChildren(...[report.faces.length > 1 ? facekit.strip(crops, i, view) : null,
        facekit.card(report.faces[i], i + 1, report.faces.length, crops[i], view), facekit.savers(report, now.name, part("picture"))].filter(Boolean));
      const strip = column.querySelector(".fk-faces");
      if (strip) [strip.scrollLeft, strip.scrollTop] = scroll;
    }

    // ---- choosing a face
    function select(i, focus, where = "boxes") {
      const n = view.faces.length;
      now.selected = (i + n) % n;
      for (const box of part("boxes").children) {
        const mine = Number(box.dataset.face) === now.selected;
        box.setAttribute("aria-pressed", mine);
        box.tabIndex = mine ? 0 : -1;
      }
      drawCard();
      const to = (where === "strip" ? part("answer").querySelector(".fk-faces") : part("boxes"))?.querySelector(`[data-face="${now.selected}"]`);
      if (focus) to?.focus();
      else part("said").textContent = facekit.summary(view.faces[now.selected], now.selected + 1);
      if (where === "strip") to?.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    function walk(event, where) {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      const end = { Home: 0, End: view.faces.length - 1 }[event.key];
      if (step === undefined && end === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      select(end ?? now.selected + step, true, where);
    }

    // ---- a photo in
    async function read(blob, name) {
      if (!blob) return;
      const run = ++now.run, megabytes = (bytes) => facekit.decimal(bytes / 1e6);
      facekit.camera.stop(part("video"));
      Object.assign(now, { blob, name, selected: 0, answer: null, words: t(now.engine === "warming" ? "work.warming" : "work.reading") });
      if (blob.type && !blob.type.startsWith("image/")) return fail({ error: t("error.type"), kind: "type" });
      if (blob.size > props.max_bytes) return fail({ error: t("error.size", { size: megabytes(blob.size), limit: megabytes(props.max_bytes) }), kind: "size" });
      const preview = !(await display(URL.createObjectURL(blob)));
      if (run !== now.run) return;
      show("working");
      part("said").textContent = now.words;
      const ticket = `${Math.random().toString(36).slice(2)}${Date.now()}`;
      keepPosted(run, ticket);
      const answer = await ask("analyze", { photo: await facekit.dataUrl(blob), preview, ticket, ...chosen() });
      if (run !== now.run) return;  // another photo was chosen meanwhile
      if (answer.error) return fail(answer);
      if (answer.preview) await display(answer.preview);
      now.answer = answer;
      view.estimated = answer.detector === "haar";
      const faces = answer.report.faces, area = ({ box: [x1, y1, x2, y2] }) => (x2 - x1) * (y2 - y1);
      now.selected = faces.reduce((best, face, i) => (area(face) > area(faces[best]) ? i : best), 0);  // the largest comes first
      show(faces.length ? "answer" : "none");
      part("said").textContent = !faces.length ? t("none.title") : t(faces.length === 1 ? "said.face" : "said.faces", { n: faces.length, first: facekit.summary(faces[now.selected], now.selected + 1) });
    }
    function fail(error) {
      now.error = error;
      show("error");
    }
    async function display(url) {
      const image = part("picture"), old = image.src;
      image.src = url;
      if (old.startsWith("blob:")) URL.revokeObjectURL(old);
      try { await image.decode(); } catch { return false; }
      part("photo").style.setProperty("--w", image.naturalWidth);
      part("photo").style.setProperty("--h", image.naturalHeight);
      return true;
    }
    async function keepPosted(run, ticket) {
      for (await wait(400); run === now.run && now.state === "working"; await wait(600)) {
        const { state, ahead } = await ask("status", { ticket });
        if (run !== now.run || now.state !== "working") return;
        now.words = state === "warming" ? t("work.warming") : ahead ? t(ahead === 1 ? "work.ahead.one" : "work.ahead", { n: ahead }) : t("work.reading");
        const line = root.querySelector('[data-part="progress"]');
        if (line && line.textContent !== now.words) line.textContent = part("said").textContent = now.words;
      }
    }
    async function example(name) {
      const url = await ask("example", { name });
      if (url.error) return fail(url);
      await read(await (await fetch(url)).blob(), name + ".jpg");
    }
    facekit.openPhoto = (blob, name) => read(blob, name);  // for other tabs
    const again = () => { if (now.blob && !["working", "camera"].includes(now.state)) read(now.blob, now.name); };
    const otherDetector = () => [...part("detector").options].map((option) => option.value).find((name) => name !== now.answer.detector);
    function tryOther() { part("detector").value = otherDetector(); again(); }

    // ---- ways in
    const visible = () => root.offsetParent !== null;
    const pictureOf = (items) => [...(items || [])].find((item) => item.kind === "file")?.getAsFile();
    const actions = {
      choose: () => part("file").click(),
      async paste() {
        try {
          for (const item of await navigator.clipboard.read()) {
            const type = item.types.find((one) => one.startsWith("image/"));
            if (type) return read(await item.getType(type), "clipboard");
          }
        } catch { /* the browser keeps the clipboard to itself: the keys work */ }
        part("hint").textContent = t("drop.paste.hint");
        part("hint").hidden = false;
      },
      async camera() {
        now.run++;
        show("camera");
        part("camera-note").textContent = t("camera.starting");
        try { await facekit.camera.start(part("video")); } catch { return fail({ error: t("error.camera"), kind: "camera" }); }
        part("camera-note").textContent = t("camera.note");
        const take = root.querySelector('[data-do="take"]');
        take.disabled = false;
        take.focus();
      },
      async take() { await read(await facekit.camera.take(part("video")), "camera.jpg"); },
      "default-checkpoint": () => facekit.useCheckpoint(choices.checkpoints[0]),
      cancel() { facekit.camera.stop(part("video")); show(now.answer ? (view.faces.length ? "answer" : "none") : "empty"); },
    };
    root.addEventListener("click", (event) => actions[event.target.closest("[data-do]")?.dataset.do]?.());
    part("file").addEventListener("change", () => { const file = part("file").files[0]; part("file").value = ""; read(file, file?.name); });
    document.addEventListener("paste", (event) => { const file = visible() && pictureOf(event.clipboardData?.items); if (file) { event.preventDefault(); read(file, file.name); } });
    let depth = 0;  // dragenter and dragleave also fire for every child
    const over = (to) => { depth = Math.max(0, to); part("release").hidden = !depth; };
    document.addEventListener("dragenter", (event) => { if (visible() && event.dataTransfer?.types.includes("Files")) over(depth + 1); });
    document.addEventListener("dragleave", () => over(depth - 1));
    document.addEventListener("dragover", (event) => { if (visible()) event.preventDefault(); });
    document.addEventListener("drop", (event) => { if (!visible()) return; event.preventDefault(); over(0); const file = event.dataTransfer.files[0]; if (file) read(file, file.name); });
    for (const name of ["detector", "checkpoint"]) part(name).addEventListener("change", () => { part("options").open = false; drawUsing(); again(); loadAbout(); facekit.onCheckpoint?.(); });
    part("options").addEventListener("keydown", (event) => { if (event.key === "Escape") { part("options").open = false; part("options").firstElementChild.focus(); } });
    document.addEventListener("click", (event) => { if (!part("options").contains(event.target)) part("options").open = false; });

    // ---- what the checkpoint is good at, and warming up
    let about = null;
    async function loadAbout() {
      about = now.engine === "ready" ? await ask("about_checkpoint", chosen()) : null;
      drawAbout();
    }
    function drawAbout() {
      if (!about || about.error) return;
      part("quality-body").replaceChildren(facekit.quality(about.charts));
      part("card-body").innerHTML = about.card || h("p", { class: "fk-soft" }, t("card.none")).outerHTML;
    }
    function options({ detectors, checkpoints }) {
      const fill = (select, names, words) => {
        const value = select.value || names[0];
        select.replaceChildren(...names.map((name) => h("option", { value: name }, words(name))));
        select.value = value;
      };
      fill(part("detector"), detectors, (name) => facekit.has("option.detector." + name) ? t("option.detector." + name) : name);
      fill(part("checkpoint"), checkpoints, (name) => name);
    }
    let choices = { detectors: [], checkpoints: [] };
    facekit.checkpointInUse = () => part("checkpoint").value;
    facekit.useCheckpoint = (name) => {  // for other tabs, and for links: one from the Hub is not among the shipped ones
      if (!choices.checkpoints.includes(name)) choices.checkpoints.push(name);
      options(choices);
      part("checkpoint").value = name;
      part("checkpoint").dispatchEvent(new Event("change"));
    };
    function drawUsing(words = "") {
      const name = part("checkpoint").value, other = choices.checkpoints.length && name !== choices.checkpoints[0];
      part("using").hidden = !words && !other;
      part("using").replaceChildren(...(words ? [words] : [t("using", { name }), " ", h("button", { type: "button", class: "fk-link", "data-do": "default-checkpoint" }, t("using.back"))]));
    }
    async function useLinked() {
      const wanted = new URLSearchParams(location.search).get("checkpoint");
      if (!wanted) return;
      drawUsing(t("models.opening", { name: wanted }));
      const told = await ask("about_checkpoint", { checkpoint: wanted });
      if (told.error) return drawUsing(facekit.errorText(told) + " " + t("using.failed"));
      facekit.useCheckpoint(told.name);
    }
    async function warmUp() {
      for (;;) {
        const status = await ask("status", {});
        now.engine = status.state || now.engine;
        if (status.state === "ready") break;
        part("warm").hidden = status.state !== "warming";
        if (status.state === "failed") return part("answer").replaceChildren(facekit.errorPanel(t("error.engine"), status.failure));
        await wait(500);
        if (!element.isConnected) return;
      }
      part("warm").hidden = true;
      root.dataset.engine = "ready";
      const told = await ask("choices", {});
      if (!told.error) options(choices = told);
      loadAbout();
      useLinked();
    }

    facekit.onLanguage(() => { draw(); options(choices); drawAbout(); drawUsing(); });
    if (matchMedia("(hover: none)").matches) root.querySelector(".fk-drop-title").dataset.t = "drop.title.touch";  // nothing to drop with
    facekit.translate(root);
    show("empty");
    root.dataset.ready = "true";
    warmUp();
  } };
})(window.facekit);
