// The header: the switch between languages.
(function (facekit) {
  facekit.page = {
    start(element) {
      facekit.translate(element);
      const { h } = facekit;
      const nav = element.querySelector(".fk-languages");
      const draw = () => nav.replaceChildren(...Object.entries(facekit.languages).map(([code, name]) =>
        h("button", { type: "button", lang: code, title: name, "aria-label": name, "aria-pressed": code === facekit.language,
          "data-language": code, onclick: () => { facekit.speak(code); nav.querySelector(`[data-language=${code}]`).focus(); } }, code.toUpperCase())));
      draw();
      // A link into a tab opens it: Gradio builds what a tab holds when it is first shown.
      const wanted = ["live", "generate", "lab", "models"].find((name) => new URLSearchParams(location.search).has(name));
      const open = () => { const tab = wanted && document.querySelector(`#facekit-tabs button[data-tab-id=${wanted}]`); tab ? tab.click() : wanted && setTimeout(open, 100); };
      open();
      new MutationObserver(facekit.nameTabs).observe(document.body, { childList: true, subtree: true });
      facekit.nameTabs();
      facekit.onLanguage(draw);
    },
  };
})(window.facekit);
