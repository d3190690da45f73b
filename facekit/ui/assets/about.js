// The tab About: its words, its address in the snippets, and copying them.
(function (facekit) {
  facekit.about = { start(element) {
    facekit.translate(element);
    const here = location.origin + location.pathname.replace(/\/$/, "");
    for (const code of element.querySelectorAll("pre")) code.textContent = code.textContent.replaceAll("http://127.0.0.1:7860", here);
    for (const button of element.querySelectorAll("[data-copy]")) button.addEventListener("click", () =>
      navigator.clipboard?.writeText(button.parentElement.querySelector("pre").textContent));
  } };
})(window.facekit);
