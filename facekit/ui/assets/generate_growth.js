// How the generator learned: the same latents at every epoch, and the curves of the run below one marker.
(function (facekit) {
  const { h, t, icon } = facekit;
  const FIGURES = ["vendi", "recall", "coverage", "frechet"], MOST_CHARTS = 3, PACE = 350;
  const svg = (tag, attributes, ...children) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  };
  const short = (value) => value.toLocaleString(facekit.language, Math.abs(value) >= 10 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 2 });

  // The charts that a log has figures for: {key, series: [{key, dashed, values: [[epoch, value]]}]}.
  facekit.growthCharts = (log) => {
    const line = (key) => log.filter((record) => Number.isFinite(record[key])).map((record) => [record.epoch, record[key]]);
    const charts = [{ key: "losses", series: [{ key: "discriminator", values: line("discriminator") }, { key: "generator", dashed: true, values: line("generator") }] },
      ...FIGURES.map((key) => ({ key, series: [{ key, values: line(key) }] }))];
    return charts.filter(({ series }) => series.some(({ values }) => values.length)).slice(0, 1 + MOST_CHARTS);
  };

  facekit.growthChart = ({ key, series }, last, width, height, go) => {
    const left = 40, right = 12, top = 8, bottom = 22;
    const all = series.flatMap(({ values }) => values.map(([, value]) => value)), low = Math.min(0, ...all), high = Math.max(...all) || 1;
    const x = (epoch) => left + (width - left - right) * epoch / Math.max(1, last), y = (value) => top + (height - top - bottom) * (1 - (value - low) / (high - low || 1));
    const told = series.map((one) => `${t("gen.curve." + one.key)} ${t("gen.curve.range", { from: short(one.values[0][1]), to: short(one.values.at(-1)[1]) })}`).join("; ");
    const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": told });
    for (const value of [low, (low + high) / 2, high]) picture.append(svg("line", { class: "grid", x1: left, x2: width - right, y1: y(value), y2: y(value) }), svg("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, short(value)));
    for (const epoch of new Set([0, last])) picture.append(svg("text", { x: x(epoch), y: height - 5, "text-anchor": epoch ? "end" : "start" }, epoch));
    for (const one of series) {
      picture.append(svg("polyline", { class: "line" + (one.dashed ? " dashed" : ""), points: one.values.map(([epoch, value]) => `${x(epoch)},${y(value)}`).join(" ") }));
      if (one.values.length < 3) for (const [epoch, value] of one.values) picture.append(svg("circle", { class: one.dashed ? "dashed" : "", cx: x(epoch), cy: y(value), r: 4 }));
    }
    const marker = svg("line", { class: "marker", y1: top, y2: height - bottom }), dots = series.map((one) => svg("circle", { class: one.dashed ? "dashed" : "", r: 5 }));
    picture.append(marker, ...dots);
    picture.addEventListener("pointerdown", (event) => { const box = picture.getBoundingClientRect(); go(Math.round(((event.clientX - box.left) * width / box.width - left) / (width - left - right) * last)); });
    const legend = h("figcaption", {}), figure = h("figure", { "data-chart": key, style: `width: ${width}px` }, legend, picture);
    figure.mark = (epoch) => {
      marker.setAttribute("x1", x(epoch)); marker.setAttribute("x2", x(epoch));
      legend.replaceChildren(...series.map((one, k) => {
        const found = one.values.find(([at]) => at === epoch);
        dots[k].setAttribute("visibility", found ? "visible" : "hidden");
        if (found) { dots[k].setAttribute("cx", x(epoch)); dots[k].setAttribute("cy", y(found[1])); }
        return h("span", { class: "fk-key" + (one.dashed ? " fk-dashed" : ""), style: `--tone: var(--fk-${one.dashed ? "made" : "accent"})`, title: one.key }, t("gen.curve." + one.key), h("b", { class: "fk-number" }, found ? " " + short(found[1]) : ""));
      }));
    };
    return figure;
  };

  // `tool` has about, ask, gif, wish and told(epoch).
  facekit.growthPanel = (holder, tool) => {
    const { growth } = tool.about, last = growth.epochs.at(-1), drawn = growth.kept.find(([epoch, name]) => name === tool.about.checkpoint && growth.epochs.includes(epoch))?.[0] ?? last;
    const now = { at: growth.epochs.indexOf(drawn), sheets: null, playing: 0, loading: null };
    const charts = facekit.growthCharts(growth.log), columns = Math.ceil(Math.sqrt(growth.shown));
    const tiles = Array.from({ length: growth.shown }, () => h("canvas", {}));
    const sheet = h("div", { class: "fk-gen-sheet", role: "img", style: `--columns:${columns}`, "data-part": "growth-sheet" }, tiles);
    const play = h("button", { type: "button", class: "fk-button fk-square", "data-part": "growth-play", onclick: () => (now.playing ? stop() : start()) });
    const slider = h("input", { type: "range", min: 0, max: growth.epochs.length - 1, value: now.at, "data-part": "epoch", oninput: () => { stop(); go(Number(slider.value)); } });
    const output = h("output", { class: "fk-number" }), title = h("h2", {}), text = h("p", { class: "fk-soft" }), plots = h("div", { class: "fk-gen-plots" });
    const save = h("button", { type: "button", class: "fk-link", "data-act": "gif-growth", onclick: () => tool.gif("growth", { wish: tool.wish }, save) });
    const kept = h("p", { class: "fk-soft fk-small", "data-part": "growth-kept", hidden: !growth.kept.length });
    holder.replaceChildren(h("div", {}, title, text), h("div", { class: "fk-gen-growth-body" }, sheet, h("div", { class: "fk-gen-curves" }, plots, h("div", { class: "fk-gen-scrub" }, play, slider, output), kept, save)));
    holder.hidden = false;

    async function load() {
      const answer = await tool.ask("generate_growth", { wish: tool.wish });
      if (answer.error) return;
      now.sheets = await Promise.all(answer.sheets.map((url) => facekit.faceSheet(url, growth.size)));
      holder.dataset.state = "ready";
      draw();
    }
    const ready = () => (now.loading ??= load());
    function draw() {
      const epoch = growth.epochs[now.at];
      slider.value = now.at;
      slider.setAttribute("aria-valuetext", t("gen.epoch", { n: epoch, of: last }));
      output.textContent = t("gen.epoch", { n: epoch, of: last });
      sheet.setAttribute("aria-label", t("gen.growth.sheet", { n: growth.shown, epoch }));
      holder.dataset.epoch = epoch;
      for (const figure of plots.children) figure.mark(epoch);
      if (now.sheets) tiles.forEach((canvas, i) => facekit.drawFace(canvas, now.sheets[now.at], i));
    }
    function go(at) { now.at = Math.min(growth.epochs.length - 1, Math.max(0, at)); draw(); tool.told(growth.epochs[now.at]); ready(); }
    const goTo = (epoch) => { stop(); go(growth.epochs.reduce((best, one, i) => (Math.abs(one - epoch) < Math.abs(growth.epochs[best] - epoch) ? i : best), 0)); };
    async function start() {
      await ready();
      if (now.at === growth.epochs.length - 1) go(0);
      now.playing = setInterval(() => { if (!holder.isConnected || now.at >= growth.epochs.length - 1) return stop(); go(now.at + 1); }, PACE);
      face();
    }
    function stop() { clearInterval(now.playing); now.playing = 0; face(); }
    function face() { play.replaceChildren(icon(now.playing ? "pause" : "play")); play.setAttribute("aria-label", t(now.playing ? "gen.growth.pause" : "gen.growth.play")); play.title = t(now.playing ? "gen.growth.pause" : "gen.growth.play"); }
    function words() {
      title.textContent = t("gen.growth");
      text.textContent = t("gen.growth.text", { n: growth.shown, epochs: last });
      save.textContent = t("gen.save.growth");
      const whole = growth.kept.length ? growth.kept[0][1].split("@")[0] : "";
      kept.replaceChildren(t("gen.growth.kept"), ...[...growth.kept, [last, whole]].flatMap(([epoch, name], i) => [i ? " · " : " ", h("button", { type: "button", class: "fk-link fk-number", "data-checkpoint": name, "aria-current": name === tool.about.checkpoint ? "true" : null,
        disabled: name === tool.about.checkpoint, onclick: () => { tool.told(epoch); tool.set({ checkpoint: name }); } }, t("gen.growth.kept.epoch", { n: epoch }))]));
      slider.setAttribute("aria-label", t("gen.growth.slider"));
      face();
      size();
    }
    let width = 0;
    function size() {
      width = plots.clientWidth || 480;
      const each = width >= 520 && charts.length > 2 ? (width - 24) / 2 : width;
      plots.replaceChildren(...charts.map((chart) => facekit.growthChart(chart, last, Math.floor(each), each < width ? 144 : Math.round(Math.min(280, 0.4 * each)), goTo)));
      draw();
    }
    const sized = new ResizeObserver(() => { if (plots.clientWidth && Math.abs(plots.clientWidth - width) > 1) size(); else draw(); });
    sized.observe(holder);
    const seen = new IntersectionObserver((entries) => { if (entries.some((entry) => entry.isIntersecting)) { seen.disconnect(); ready(); } }, { rootMargin: "400px" });
    seen.observe(holder);
    words();
    return { words, goTo, end() { stop(); sized.disconnect(); seen.disconnect(); } };
  };
})(window.facekit);
