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
      const wanted = facekit.linkedTab();
      const open = (tries = 0) => {  // again until it is there: while Gradio still measures its tabs, a click can get lost
        if (!wanted || document.getElementById("facekit-" + wanted)?.offsetParent || tries > 100) return;
        facekit.openTab(wanted);
        setTimeout(open, 250, tries + 1);
      };
      open();
      new MutationObserver(facekit.nameTabs).observe(document.body, { childList: true, characterData: true, subtree: true });  // Gradio rewords a tab that leaves the dots
      facekit.nameTabs();
      facekit.onLanguage(draw);
    },
  };
})(window.facekit);
