// Thumbnails to rewind by: what the left run showed near some of its snapshots, spread over the whole run.
(function (facekit) {
  const { h, t } = facekit;
  const MOST = 6, PACE = 800;
  const nearest = (frames, step) => frames.reduce((best, one) => Math.abs(one.step - step) < Math.abs(best.step - step) ? one : best);

  facekit.labRewind = (holder, now, go) => {
    let shown = "", drawn = 0;
    return {
      draw(language) {
        const steps = now.steps.slice(0, -1), count = Math.min(MOST, steps.length), stamp = performance.now();
        const chosen = now.frames.length ? Array.from({ length: count }, (_, i) => steps[Math.round(i * (steps.length - 1) / Math.max(1, count - 1))]) : [];
        const frames = chosen.map((step) => nearest(now.frames, step)), told = [language, now.begun, ...chosen, ...frames.map(({ step }) => step)].join(" ");
        if (told === shown || (chosen.length && stamp - drawn < PACE)) return;
        [shown, drawn] = [told, stamp];
        holder.hidden = !chosen.length;
        const canvases = chosen.map(() => h("canvas", { "aria-hidden": "true" }));
        holder.replaceChildren(...chosen.map((step, i) => h("button", { type: "button", class: "fk-lab-thumb", "data-step": String(step), "aria-label": t("lab.rewind.to", { n: step.toLocaleString(facekit.language) }), onclick: () => go(step) },
          canvases[i], h("span", { class: "fk-number" }, step.toLocaleString(facekit.language)))));
        frames.forEach(async (frame, i) => {
          if (!frame.sheet) return facekit.labPlane(canvases[i], now.real, { points: facekit.labPoints(frame.points) });
          facekit.labFaces(canvases[i], await facekit.labSheet("data:image/jpeg;base64," + frame.sheet), 0.5);
        });
      },
    };
  };
})(window.facekit);
