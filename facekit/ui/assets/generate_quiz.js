// "Real or generated?" Ten pictures. Real photos may not be shipped, so visitors bring theirs; they stay in this page.
(function (facekit) {
  const { h, t } = facekit;
  const TEN = 10, MOST_REAL = 5, KEPT = 200;
  const shuffle = (list) => { for (let i = list.length - 1; i > 0; i--) { const j = Math.floor(Math.random() * (i + 1)); [list[i], list[j]] = [list[j], list[i]]; } return list; };

  // `tool` has ask, say(words), size and truncation().
  facekit.quizPanel = (holder, tool) => {
    const now = { state: "start", real: [], own: false, cards: [], at: 0, answers: [], hint: null, busy: 0 };
    const file = h("input", { type: "file", accept: "image/*", multiple: true, hidden: true, onchange: () => take(file) });
    const folder = h("input", { type: "file", multiple: true, webkitdirectory: true, hidden: true, onchange: () => take(folder) });
    const video = h("video", { autoplay: true, playsinline: true, muted: true });
    const body = h("div", { class: "fk-gen-quiz-body" });
    holder.replaceChildren(h("h2", {}, h("span", { "data-t": "gen.quiz" }, t("gen.quiz"))), body, file, folder);
    const button = (key, call, { primary, values, disabled } = {}) => h("button", { type: "button", class: "fk-button" + (primary ? " fk-primary" : ""), "data-quiz": key, disabled, onclick: call }, t("gen.quiz." + key, values));

    function take(input) { const files = [...input.files].filter((one) => one.type.startsWith("image/")); input.value = ""; add(files); }
    async function add(files) {
      if (!files.length) return;
      now.hint = null;
      let without = 0;
      for (const one of files.slice(0, 60)) {
        if (now.real.length >= KEPT) break;
        now.busy = files.length;
        draw();
        const answer = await tool.ask("generate_portraits", { photo: await facekit.dataUrl(one), size: tool.size }, true);
        if (answer.error) now.hint = facekit.errorText(answer);
        else if (!answer.portraits.length) without++;
        else { if (!now.own) now.real = []; now.own = true; now.real.push(...answer.portraits); }
      }
      now.busy = 0;
      if (without) now.hint = t(without === 1 ? "gen.quiz.none.one" : "gen.quiz.none", { n: without });
      if (now.own) tool.say(t("gen.quiz.have", { n: now.real.length }));
      draw();
    }
    async function begin() {
      now.busy = 1;
      draw();
      if (!now.real.length) {
        const answer = await tool.ask("generate_portraits", { example: true, size: tool.size }, true);
        if (answer.error) { now.busy = 0; now.hint = facekit.errorText(answer); return draw(); }
        now.real = answer.portraits;
      }
      const real = shuffle([...now.real]).slice(0, MOST_REAL);
      const made = await tool.ask("generate_faces", { wish: { ...tool.plain(), seed: facekit.randomSeed(), count: TEN } }, true);
      now.busy = 0;
      if (made.error) { now.hint = facekit.errorText(made); return draw(); }
      const generated = await facekit.faceSheet(made.sheet, made.size);
      const photos = await Promise.all(real.map((url) => facekit.faceSheet(url, tool.size)));
      now.cards = shuffle([...photos.map((sheet) => ({ real: true, sheet, i: 0 })), ...Array.from({ length: TEN - photos.length }, (_, i) => ({ real: false, sheet: generated, i }))]);
      Object.assign(now, { state: "question", at: 0, answers: [], hint: null });
      draw();
      body.querySelector("[data-quiz=real]").focus({ preventScroll: true });
      tool.say(t("gen.quiz.question", { n: 1 }));
    }
    function answer(real) {
      const card = now.cards[now.at], right = card.real === real;
      now.answers.push(real);
      now.at++;
      now.hint = t(`gen.quiz.was.${right ? "right" : "wrong"}.${card.real ? "real" : "made"}`);
      if (now.at < TEN) { draw(); body.querySelector(`[data-quiz=${real ? "real" : "made"}]`).focus({ preventScroll: true }); tool.say(now.hint + " " + t("gen.quiz.question", { n: now.at + 1 })); return; }
      now.state = "result";
      draw();
      body.querySelector("[data-quiz=again]").focus({ preventScroll: true });
      tool.say(now.hint + " " + score());
    }
    const right = () => now.answers.filter((real, i) => real === now.cards[i].real).length;
    const score = () => t("gen.quiz.score", { n: right() });
    async function camera() {
      now.state = "camera";
      draw();
      try { await facekit.camera.start(video); } catch { now.state = "start"; now.hint = t("error.camera"); draw(); }
    }
    async function snap() { const blob = await facekit.camera.take(video); await add([blob]); }
    function stop() { facekit.camera.stop(video); now.state = "start"; draw(); }

    const views = {
      start: () => [h("p", {}, t("gen.quiz.text")), h("p", { class: "fk-soft fk-small" }, t("gen.quiz.why")),
        h("div", { class: "fk-row" }, button("choose", () => file.click()), "webkitdirectory" in file ? button("folder", () => folder.click()) : null, button("camera", camera)),
        now.own ? collected() : null,
        h("div", { class: "fk-row" }, now.own ? button("start", begin, { primary: true, values: { n: Math.min(MOST_REAL, now.real.length) }, disabled: now.busy > 0 }) : button("one", begin, { primary: true, disabled: now.busy > 0 }), now.own ? button("forget", forget) : null),
        now.own ? null : h("p", { class: "fk-soft fk-small" }, t("gen.quiz.one.text"))],
      camera: () => [h("p", {}, t("gen.quiz.camera.text")), h("div", { class: "fk-gen-video" }, video), now.own ? collected() : null,
        h("div", { class: "fk-row" }, button("snap", snap, { primary: true, disabled: now.busy > 0 }), button("done", stop))],
      question: () => {
        const canvas = h("canvas", { class: "fk-gen-question", role: "img", "aria-label": t("gen.quiz.picture", { n: now.at + 1 }) });
        queueMicrotask(() => facekit.drawFace(canvas, now.cards[now.at].sheet, now.cards[now.at].i));
        return [h("p", { class: "fk-soft" }, t("gen.quiz.question", { n: now.at + 1 })), canvas,
          h("div", { class: "fk-row fk-centre", onkeydown: (event) => { const key = { ArrowLeft: "real", ArrowRight: "made" }[event.key]; if (key) { event.preventDefault(); body.querySelector(`[data-quiz=${key}]`).focus(); } } }, button("real", () => answer(true)), button("made", () => answer(false)))];
      },
      result: () => [h("p", { class: "fk-gen-score" }, score()), h("p", {}, t("gen.quiz.guessing", { n: now.cards.filter((card) => card.real).length })),
        h("div", { class: "fk-gen-results" }, now.cards.map((card, i) => {
          const good = now.answers[i] === card.real, canvas = h("canvas", {});
          queueMicrotask(() => facekit.drawFace(canvas, card.sheet, card.i));
          return h("figure", { "data-right": String(good) }, canvas, h("figcaption", {}, t(card.real ? "gen.quiz.card.real" : "gen.quiz.card.made"), h("span", {}, t(good ? "gen.quiz.card.right" : "gen.quiz.card.wrong"))));
        })),
        h("div", { class: "fk-row" }, button("again", begin, { primary: true }), button("photos", () => { now.state = "start"; draw(); }), now.own ? button("forget", forget) : null)],
    };
    const collected = () => {
      const row = h("div", { class: "fk-gen-collected", "aria-hidden": "true" }, now.real.slice(0, 16).map((url) => h("img", { src: url, alt: "" })));
      return h("div", {}, h("p", {}, t(now.real.length === 1 ? "gen.quiz.have.one" : "gen.quiz.have", { n: now.real.length })), row);
    };
    function forget() { Object.assign(now, { state: "start", real: [], own: false, cards: [], answers: [], hint: t("gen.quiz.forgotten") }); draw(); tool.say(now.hint); }
    function draw() {
      holder.dataset.state = now.state;
      holder.dataset.at = now.at;
      if (now.state !== "camera" && video.srcObject) facekit.camera.stop(video);
      const line = now.busy ? t(now.state === "start" && now.busy > 1 ? "gen.quiz.reading" : "gen.quiz.working") : now.hint;
      body.replaceChildren(...views[now.state]().filter(Boolean), h("p", { class: "fk-hint", "data-part": "quiz-hint", hidden: !line }, line ?? ""));
    }
    draw();
    return { words: draw, add, get cards() { return now.cards; } };
  };
})(window.facekit);
