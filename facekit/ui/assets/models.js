// The tab Models: a gallery of checkpoints, opening one from the Hub, and handing it to the other tabs.
(function (facekit) {
  const { h, t } = facekit;
  const RECENT = "facekit-checkpoints", MOST_RECENT = 6;
  const whole = (value) => value.toLocaleString(facekit.language);
  const share = (value) => `${new Intl.NumberFormat(facekit.language, { minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(100 * value)}\u00a0%`;
  const years = (value) => t("models.years", { n: value.toLocaleString(facekit.language, { minimumFractionDigits: 2, maximumFractionDigits: 2 }) });
  const plain = (value) => value.toLocaleString(facekit.language, { maximumFractionDigits: Math.abs(value) < 10 ? 2 : 0 });
  facekit.figureText = (figure, value = figure.value) => figure.years ? years(value) : share(value);
  facekit.intervalText = (figure) => figure.low === figure.high ? "" : figure.years
    ? `${facekit.decimal(figure.low, 2)} – ${facekit.decimal(figure.high, 2)}` : `${facekit.decimal(100 * figure.low)} – ${facekit.decimal(100 * figure.high)}`;

  facekit.models = { start(element, server, props) {
    const root = element.querySelector(".fk-models");
    const part = (name) => root.querySelector(`[data-part="${name}"]`);
    const now = { entries: new Map(), listed: [], told: "", run: 0, folds: new Set(), cards: new Map(), pulls: new Map() };
    const ask = (fn, request) => facekit.ask(server, fn, request);
    const recent = () => { try { return JSON.parse(localStorage.getItem(RECENT) || "[]").filter((name) => typeof name === "string"); } catch { return []; } };
    function remember(name) {
      try { localStorage.setItem(RECENT, JSON.stringify([name, ...recent().filter((one) => one !== name)].slice(0, MOST_RECENT))); } catch { /* private window */ }
    }

    // ---- one card
    function figures(entry) {
      const rows = entry.figures.slice(0, 6).map((one) => "data" in one
        ? h("tr", {}, h("th", { scope: "row" }, t("quality." + one.task), h("span", { class: "fk-soft fk-small" }, ` ${one.data}${one.split ? ", " + one.split : ""}`)),
          h("td", {}, facekit.figureText(one)), h("td", { class: "fk-soft fk-small" }, facekit.intervalText(one)))
        : h("tr", {}, h("th", { scope: "row" }, t("models.figure." + one.task, { n: one.faces ?? "?" })), h("td", {}, plain(one.value)),
          h("td", { class: "fk-soft fk-small" }, one.low === one.high ? "" : `${plain(one.low)} – ${plain(one.high)}`)));
      return rows.length ? h("table", { class: "fk-models-figures" }, h("tbody", {}, rows)) : h("p", { class: "fk-soft fk-small" }, t("models.figures.none"));
    }
    function fold(entry, what, title, body) {
      const key = `${entry.name} ${what}`;
      const details = h("details", { "data-fold": what, open: now.folds.has(key) }, h("summary", { onclick: () => {  // before it opens: never empty, and kept when all is drawn again
        now.folds[details.open ? "delete" : "add"](key);
        fill();
      } }, title));
      const fill = () => { if (details.children.length === 1) details.append(body()); };
      if (now.folds.has(key)) fill();
      return details;
    }
    function made(entry) {
      const row = (one) => h("li", {}, [one.recipe && h("b", {}, one.recipe), one.data && t("models.made.on", { data: one.data }),
        one.epochs && t(one.steps ? "models.made.length" : "models.made.epochs", { epochs: one.epochs, steps: one.steps }), one.seed !== null && t("models.made.seed", { n: one.seed }),
        one.commit && t("models.made.commit", { id: one.commit })].filter(Boolean).flatMap((word, i) => i ? [", ", word] : [word]));
      return h("ul", { class: "fk-points fk-small" }, entry.made.map(row), entry.commit ? h("li", {}, t("models.made.hub", { id: entry.commit.slice(0, 12) })) : null);
    }
    function card(entry) {
      const body = h("div", { class: "fk-prose fk-models-card" });
      const load = async () => {
        if (!now.cards.has(entry.name)) now.cards.set(entry.name, await ask("models_card", { name: entry.name }));
        const told = now.cards.get(entry.name);
        if (told.error) body.replaceChildren(h("p", {}, facekit.errorText(told)));
        else body.innerHTML = told.card || h("p", { class: "fk-soft" }, t("card.none")).outerHTML;
        for (const link of body.querySelectorAll("a")) Object.assign(link, { target: "_blank", rel: "noopener noreferrer nofollow" });
      };
      load();
      return body;
    }
    function facts(entry) {
      const speed = entry.milliseconds === undefined ? "…" : t(entry.kind === "classifier" ? "models.speed" : "models.speed.make", { n: entry.milliseconds < 10 ? entry.milliseconds.toLocaleString(facekit.language) : Math.round(entry.milliseconds) });
      return facekit.inLine([entry.answers.map((one) => t("models.answers." + one)).join(", "), t("models.size", { n: whole(Number((entry.bytes / 1e6).toFixed(1))) }), speed]);
    }
    function panel(entry) {
      const reads = entry.kind === "classifier", chosen = reads && facekit.checkpointInUse?.() === entry.name;
      return h("article", { class: "fk-panel", "data-name": entry.name, "aria-label": entry.name },
        h("header", {}, h("h3", {}, entry.name), h("span", { class: "fk-tag", title: t(entry.verified ? "models.verified.why" : "models.unverified.why") }, t(entry.verified ? "models.verified" : "models.unverified"))),
        h("p", { class: "fk-models-about" }, entry.description || t("models.about.none")),
        h("p", { class: "fk-soft fk-small", "data-facts": "" }, facts(entry)),
        figures(entry),
        entry.charts.length ? fold(entry, "groups", t("models.groups"), () => facekit.quality(entry.charts)) : null,
        entry.made.length || entry.commit ? fold(entry, "made", t("models.made"), () => made(entry)) : null,
        fold(entry, "card", t("models.card"), () => card(entry)),
        entry.terms ? h("p", { class: "fk-soft fk-small" }, t("models.terms", { terms: entry.terms })) : null,
        h("div", { class: "fk-row" },
          h("button", { type: "button", class: "fk-button fk-primary", "data-use": entry.name, disabled: chosen, onclick: () => use(entry) }, t(chosen ? "models.used" : reads ? "models.use" : "models.use.make")),
          reads ? h("button", { type: "button", class: "fk-button", "data-compare": entry.name, onclick: () => { compare.choose(entry.name); part("compare").scrollIntoView({ behavior: "smooth", block: "start" }); } }, t("models.compare.this")) : null));
    }
    function use(entry) {
      if (entry.kind === "classifier") facekit.useCheckpoint(entry.name);
      else facekit.useGenerator(entry.name);
      draw();
      facekit.openTab(entry.kind === "classifier" ? "attributes" : "generate");
    }

    // ---- the gallery
    function draw() {
      const entries = [...now.entries.values()], order = (kind) => entries.filter((one) => one.kind === kind).sort((a, b) => Number(a.shipped) - Number(b.shipped));
      part("classifiers").replaceChildren(...order("classifier").map(panel));
      part("generators").replaceChildren(...order("generator").map(panel));
      const names = recent().filter((name) => !now.entries.has(name));
      part("recent").hidden = !names.length;
      part("recent").replaceChildren(h("span", { class: "fk-soft fk-small" }, t("models.recent")), ...names.map((name) => h("button", { type: "button", class: "fk-link", onclick: () => open(name) }, name)));
      part("hub").hidden = !now.listed.length;
      part("rows").replaceChildren(...now.listed.map(row));
      part("told").textContent = now.told;
      sign();
      compare.entries(order("classifier"));
    }
    function sign() {  // Gradio's routes; they lead back to where the visitor was
      const search = new URLSearchParams(location.search);
      if (!search.has("models")) search.set("models", "");
      const back = encodeURIComponent(`/?${search}`);
      part("sign").hidden = !props.sign_in;
      part("sign").href = now.visitor ? `/logout?_target_url=${back}` : `/login/huggingface?_target_url=${back}`;
      part("sign").textContent = now.visitor ? t("models.sign_out", { name: now.visitor }) : t("models.sign_in");
    }
    function row(one) {
      const pulls = h("div", { class: "fk-models-pulls" });
      const show = () => {
        const told = now.pulls.get(one.name);
        if (!told) return;
        pulls.replaceChildren(...(told.error ? [h("p", { class: "fk-small" }, facekit.errorText(told))] : told.pulls.length
          ? told.pulls.map((pull) => h("button", { type: "button", class: "fk-link", onclick: () => open(pull.name) }, t("models.pull", { n: pull.number, title: pull.title, author: pull.author })))
          : [h("p", { class: "fk-soft fk-small" }, t("models.pulls.none"))]));
      };
      const look = async (button) => {
        button.disabled = true;
        now.pulls.set(one.name, await ask("models_pulls", { repository: one.name }));
        button.disabled = false;
        if (pulls.isConnected) show();
        else part("rows").replaceChildren(...now.listed.map(row));  // the list was drawn again meanwhile
      };
      show();
      return h("div", { class: "fk-models-row" }, h("b", {}, one.name), h("span", { class: "fk-soft fk-small" }, one.updated ? t("models.updated", { day: one.updated }) : ""),
        h("button", { type: "button", class: "fk-link", onclick: () => open(one.name) }, t("models.open.go")), h("button", { type: "button", class: "fk-link", onclick: (event) => look(event.currentTarget) }, t("models.pulls")), pulls);
    }
    async function open(name) {
      const run = ++now.run;
      part("address").value = name;
      part("go").disabled = true;
      root.dataset.state = "opening";
      say(t("models.opening", { name }));
      const told = await ask("models_open", { name, anew: true });
      if (run !== now.run) return;
      part("go").disabled = false;
      root.dataset.state = told.error ? "error" : "ready";
      if (told.error) return say(facekit.errorText(told));
      now.entries.set(told.entry.name, told.entry);
      remember(told.entry.name);
      now.told = t("models.opened", { name: told.entry.name });
      draw();
      compare.choose(told.entry.name);
      root.querySelector(`[data-name="${CSS.escape(told.entry.name)}"]`)?.scrollIntoView({ block: "nearest" });
    }
    const say = (words) => { now.told = part("told").textContent = words; };

    const compare = facekit.comparePanel(part("compare"), { ask, props, get entries() { return now.entries; } });
    part("form").addEventListener("submit", (event) => { event.preventDefault(); const name = part("address").value.trim(); if (name) open(name); });
    facekit.onLanguage(() => { draw(); compare.words(); });
    facekit.onCheckpoint = draw;
    facekit.translate(root);
    (async () => {
      for (;;) {
        const { state } = await ask("models_status", {});
        if (state === "ready" || state === "failed") break;
        await new Promise((done) => setTimeout(done, 500));
        if (!element.isConnected) return;
      }
      const { entries = [], visitor, error } = await ask("models_shipped", {});
      for (const entry of entries) now.entries.set(entry.name, { ...entry, ...now.entries.get(entry.name) });
      now.told = error || now.told;
      now.visitor = visitor;
      root.dataset.state = "ready";
      draw();
      const wanted = new URLSearchParams(location.search).get("models");
      if (wanted) open(wanted);
      ask("models_listed", {}).then((told) => { now.listed = told.listed || []; if (told.error) say(facekit.errorText(told)); draw(); });
      for (const { name } of entries) {  // one after the other, while nothing else is asked
        const told = await ask("models_open", { name });
        if (!told.error) {  // only these words: whoever reads or types meanwhile is not disturbed
          now.entries.set(name, told.entry);
          const line = root.querySelector(`[data-name="${CSS.escape(name)}"] [data-facts]`);
          if (line) line.textContent = facts(told.entry);
        }
        if (!element.isConnected) return;
      }
      root.dataset.timed = "true";
    })();
  } };
})(window.facekit);
