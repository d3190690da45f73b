// The tab Live. The browser shows its own video; small frames go up one at a time, and answers are drawn over the video.
(function (facekit) {
  const { h, t } = facekit;
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const SIDE = 640, QUALITY = 0.75;  // of the frames that go up
  const MOST = 30, DRAWN = 35;  // analyses and drawings a second
  const STALE = 3000;  // milliseconds without an answer after which the last one is no longer shown
  const KEPT = "facekit-live";  // what is remembered of the switches, in this browser
  const FIRST = ["age", "gender", "expression", "Smiling", "Eyeglasses", "Wearing_Hat", "Young", "Black_Hair", "Brown_Hair", "Blond_Hair", "Gray_Hair", "Bald", "Wearing_Lipstick", "Mustache"];
  const DEFAULT = ["age", "gender", "Smiling", "Eyeglasses", "Wearing_Hat", "Black_Hair", "Brown_Hair", "Blond_Hair", "Gray_Hair", "Bald"];

  // Events a second, over the last two; and the middle of the last values.
  const rate = () => { const times = []; return { add(time) { times.push(time); while (times[0] < time - 2000) times.shift(); }, get value() { const n = times.length; return n > 1 && performance.now() - times[n - 1] < 1500 ? 1000 * (n - 1) / (times[n - 1] - times[0]) : 0; } }; };
  const middle = () => { const last = []; return { add(value) { last.push(value); if (last.length > 30) last.shift(); }, get value() { return [...last].sort((a, b) => a - b)[last.length >> 1] ?? 0; } }; };

  facekit.live = { start(element, server) {
    const root = element.querySelector(".fk-live");
    const part = (name) => root.querySelector(`[data-part="${name}"]`);
    const video = part("video"), overlay = facekit.liveOverlay(part("overlay")), canvas = h("canvas");
    const viewer = facekit.ownName();
    const now = { state: "off", run: 0, camera: "", engine: "warming", failure: "", hint: null, report: null, told: "", mirror: null };  // mirror: whether, if the visitor has said so
    let drawn = 0, answered = 0;
    const pictures = rate(), analyses = rate(), latency = middle();
    const shown = new Set(remembered());
    const visible = () => root.isConnected && root.offsetParent !== null;

    const ask = (fn, request = {}) => facekit.ask(server, fn, { viewer, ...request });
    function hint(words) {  // a function, so that it follows the language
      now.hint = words ?? null;
      const text = words?.() ?? now.failure;
      if (part("hint").textContent !== text) part("hint").textContent = text;
      part("hint").hidden = !text;
    }
    function show(state) {
      now.state = root.dataset.state = state;
      const on = state === "on" || state === "paused";
      part("intro").hidden = on || state === "starting";
      part("picture").hidden = !(on || state === "starting");
      part("controls").hidden = !on;
      part("state").hidden = state === "on";
      part("state").textContent = state === "paused" ? t("live.paused") : t("live.starting");
      root.querySelector('[data-do="pause"]').textContent = t(state === "paused" ? "live.resume" : "live.pause");
      warm();
      if (!on) part("line").textContent = "";
    }
    function warm() { part("warm").hidden = !(now.engine === "warming" && now.state !== "off"); }

    // ---- the camera
    const REFUSED = { NotAllowedError: "refused", SecurityError: "refused", NotFoundError: "none", OverconstrainedError: "none", NotReadableError: "used", AbortError: "used" };
    async function open(focused = document.activeElement) {
      if (!navigator.mediaDevices?.getUserMedia) return refuse("insecure");
      if (!facekit.camera.readable) return refuse("blurred");
      const run = ++now.run, wanted = now.camera;
      hint();
      show("starting");
      facekit.camera.stop(video);
      let stream;
      try {
        stream = await facekit.camera.ask(wanted ? { deviceId: { exact: wanted } } : undefined);
      } catch (error) {
        if (run !== now.run) return;
        if (!wanted || REFUSED[error.name] !== "none") return refuse(REFUSED[error.name] ?? "failed");
        now.camera = "";  // it was pulled out: any other one
        return open(focused);
      }
      if (run !== now.run) return stream.getTracks().forEach((track) => track.stop());
      video.srcObject = stream;
      stream.getVideoTracks()[0].addEventListener("ended", () => { if (run === now.run) refuse("lost"); });
      try { await video.play(); } catch { return run === now.run && refuse("failed"); }
      if (run !== now.run) return;
      mirror(now.mirror ?? stream.getVideoTracks()[0].getSettings().facingMode !== "environment");  // what is in front of a phone is seen as it is
      fit();
      answered = performance.now();
      show("on");
      if (focused?.dataset.do === "start" && [focused, document.body].includes(document.activeElement)) root.querySelector('[data-do="pause"]').focus({ preventScroll: true });
      cameras();
      count(run);
      draw(run);
      analyse(run);
    }
    function refuse(why) {
      stop();
      hint(() => t("live.error." + why));
      root.querySelector('[data-do="start"]').focus();
    }
    function stop() {
      now.run++;
      facekit.camera.stop(video);
      overlay.clear();
      nothing();
      show("off");
      ask("live_leave");
    }
    async function cameras() {
      const all = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
      const own = video.srcObject?.getVideoTracks()[0]?.getSettings().deviceId;
      part("cameras").replaceChildren(...all.map(({ deviceId, label }, i) => h("option", { value: deviceId, selected: deviceId === own }, label || `${t("live.camera")} ${i + 1}`)));
      part("cameras").disabled = all.length < 2;
    }
    function fit() {
      part("picture").style.setProperty("--w", video.videoWidth || 4);
      part("picture").style.setProperty("--h", video.videoHeight || 3);
    }

    // ---- the loops: pictures counted, boxes drawn, frames analysed; each ends when the camera is closed or opened anew
    const next = () => video.requestVideoFrameCallback ? new Promise((done) => video.requestVideoFrameCallback(done)) : wait(33);
    async function count(run) {
      for (; run === now.run; await next()) pictures.add(performance.now());
    }
    function draw(run) {
      if (run !== now.run) return;
      const time = performance.now();
      if (time - drawn >= 1000 / DRAWN) overlay.draw(drawn = time);
      requestAnimationFrame(() => draw(run));
    }
    function grab() {
      const scale = Math.min(1, SIDE / Math.max(video.videoWidth, video.videoHeight));
      const [w, hgt] = [Math.round(video.videoWidth * scale), Math.round(video.videoHeight * scale)];
      if (canvas.width !== w || canvas.height !== hgt) [canvas.width, canvas.height] = [w, hgt];
      canvas.getContext("2d").drawImage(video, 0, 0, w, hgt);
      return canvas.toDataURL("image/jpeg", QUALITY);
    }
    async function analyse(run) {
      let still = false;  // a paused picture is read once more: its boxes belong to it and not to the one before
      while (run === now.run) {
        if (!visible()) return leaveTab(run);
        still &&= now.state === "paused";
        if (document.hidden || still || now.engine !== "ready" || video.readyState < 2) { await wait(100); continue; }
        still = now.state === "paused";
        const time = performance.now(), frame = grab();
        const answer = await ask("live_frame", { frame, time: time / 1000, expression: shown.has("expression") });
        if (run !== now.run) continue;
        hint(answer.error ? () => facekit.errorText(answer) : undefined);
        if (answer.error) { nothing(); await wait(1500); continue; }
        if (answer.skipped) still = false;
        else take(answer, time);
        await wait(1000 / MOST - (performance.now() - time));
      }
    }
    function take(answer, time) {
      overlay.take(answer);
      now.report = answer;
      analyses.add(answered = performance.now());
      requestAnimationFrame(() => latency.add(performance.now() - time));
    }
    function nothing() {  // nobody is known to be in view any more
      overlay.take({ faces: [] });
      now.report = null;
      people();
    }
    async function leaveTab(run) {  // another tab of the page was chosen: the camera is closed until this one is shown again
      const on = now.state === "on";
      stop();
      if (!on) return;
      for (; !visible(); await wait(200)) if (!root.isConnected || now.run !== run + 1) return;
      if (now.run === run + 1) open();
    }

    // ---- who is in view, as text, and what may be shown
    function people() {
      const faces = [...(now.report?.faces ?? [])].filter((face) => face.presence > 0.5).sort((a, b) => a.track - b.track);
      const rows = faces.map((face) => {
        const [first, second] = facekit.liveWords(face, shown);
        return [face.track, first.join(", "), second.join(", ")];
      });
      part("nobody").hidden = rows.length > 0;
      const words = JSON.stringify(rows);
      if (words !== part("people").dataset.words) {
        part("people").dataset.words = words;
        part("people").replaceChildren(...rows.map(([track, first, second]) => h("li", { "data-track": track }, h("b", {}, track), h("div", {}, h("p", {}, first || t("face.title", { n: track })), second ? h("p", { class: "fk-soft" }, second) : null))));
      }
      const said = now.state === "on" ? t(faces.length === 1 ? "line.faces.one" : "line.faces", { n: faces.length }) : "";
      if (said !== now.told) part("said").textContent = now.told = said;
    }
    function strip() {
      const on = now.state === "on";
      if (on && performance.now() - answered > STALE) nothing();
      if (on || now.state === "paused") {
        const n = overlay.count, number = new Intl.NumberFormat(facekit.language, { maximumFractionDigits: 0 });
        if (on) Object.assign(root.dataset, { pictures: pictures.value.toFixed(1), analyses: analyses.value.toFixed(1), latency: latency.value.toFixed(0) });
        part("line").textContent = facekit.inLine([t(n === 1 ? "line.faces.one" : "line.faces", { n }), on && t("live.pictures", { n: number.format(pictures.value) }),
          on && t("live.analyses", { n: number.format(analyses.value) }), on && t("live.latency", { n: number.format(latency.value) })]);
        people();
      }
    }
    function figures() {
      strip();
      if (element.isConnected) setTimeout(figures, 400);
    }
    const words = (name) => facekit.has("live.name." + name) ? t("live.name." + name) : facekit.attributeName(name);
    function toggle(name) {
      return h("button", { type: "button", class: "fk-live-switch", "data-name": name, title: name, "aria-pressed": shown.has(name), onclick: () => turn(name) }, words(name));
    }
    function switches() {
      part("switches").replaceChildren(...FIRST.map(toggle));
      part("more").replaceChildren(...Object.entries(facekit.areas).map(([area, names]) => {
        const rest = names.filter((name) => !FIRST.includes(name) && name !== "Male");
        return h("div", {}, h("p", { class: "fk-label" }, t("group." + area)), h("div", { class: "fk-live-switches" }, rest.map(toggle)));
      }));
    }
    function turn(name, on = !shown.has(name)) {
      on ? shown.add(name) : shown.delete(name);
      for (const button of root.querySelectorAll(`[data-name="${name}"]`)) button.setAttribute("aria-pressed", on);
      remember();
      people();
    }
    function remembered() {
      try { return [...JSON.parse(localStorage.getItem(KEPT))]; } catch { return DEFAULT; }
    }
    function remember() {
      try { localStorage.setItem(KEPT, JSON.stringify([...shown])); } catch { /* private window: not remembered */ }
    }
    function mirror(on) {
      overlay.look.mirror = root.dataset.mirror = part("mirror").checked = on;
    }
    function classroom(on) {
      overlay.look.large = on;
      part("classroom").checked = on;
      root.dataset.classroom = on;
      if (on) turn("expression", false);
    }

    const actions = {
      start: open,
      stop() { hint(); stop(); root.querySelector('[data-do="start"]').focus(); },
      pause() {
        if (now.state === "paused") { video.play(); answered = performance.now(); show("on"); } else { video.pause(); show("paused"); }
      },
      async snapshot() {
        const blob = await facekit.camera.take(video);
        facekit.openTab("attributes");
        facekit.openPhoto(blob, "snapshot.jpg");
      },
    };
    root.addEventListener("click", (event) => actions[event.target.closest("[data-do]")?.dataset.do]?.());
    part("cameras").addEventListener("change", (event) => { now.camera = event.target.value; if (now.state !== "off") open(); });
    navigator.mediaDevices?.addEventListener("devicechange", () => now.state !== "off" && cameras());
    part("options").addEventListener("toggle", () => part("options").open && part("options").lastElementChild.scrollIntoView({ block: "nearest" }));
    part("mirror").addEventListener("change", (event) => mirror(now.mirror = event.target.checked));
    part("classroom").addEventListener("change", (event) => classroom(event.target.checked));
    video.addEventListener("resize", fit);
    part("options").addEventListener("keydown", (event) => { if (event.key === "Escape") { part("options").open = false; part("options").firstElementChild.focus(); } });
    document.addEventListener("click", (event) => { if (!part("options").contains(event.target)) part("options").open = false; });
    facekit.onLeaving(() => now.state !== "off" && ask("live_leave"));
    async function warmUp() {
      for (let status = {}; ; await wait(500)) {
        status = await ask("live_status");
        now.engine = status.state || now.engine;
        warm();
        if (status.state === "failed") { now.failure = status.failure; return hint(now.hint); }
        if (status.state === "ready" || !element.isConnected) return;
      }
    }
    overlay.look.shown = shown;
    mirror(true);
    classroom(new URLSearchParams(location.search).has("classroom"));
    facekit.onLanguage(() => { switches(); show(now.state); delete part("people").dataset.words; people(); strip(); hint(now.hint); if (now.state !== "off") cameras(); });
    facekit.translate(root);
    switches();
    show("off");
    people();
    figures();
    root.dataset.ready = "true";
    warmUp();
  } };
})(window.facekit);
