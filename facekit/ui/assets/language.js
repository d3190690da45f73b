// The words of the page: t("key", {name: value}), elements with data-t, and the switch between languages.
(function (facekit) {
  const listeners = [];
  const asked = new URLSearchParams(location.search).get("lang");
  const saved = (() => { try { return localStorage.getItem("facekit-language"); } catch { return null; } })();
  const known = [asked, saved, ...(navigator.languages || [navigator.language])]
    .map((tag) => (tag || "").slice(0, 2).toLowerCase()).find((code) => code in facekit.languages);
  facekit.language = known || "en";
  // Gradio takes the language of its own labels from here when it starts.
  Object.defineProperty(navigator, "language", { get: () => facekit.language, configurable: true });
  Object.defineProperty(navigator, "languages", { get: () => [facekit.language], configurable: true });
  document.documentElement.lang = facekit.language;

  facekit.has = (key) => key in facekit.texts[facekit.language];
  facekit.t = (key, values = {}) => {
    const words = facekit.texts[facekit.language][key] ?? facekit.texts.en[key] ?? key;
    return words.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  };
  facekit.percent = (p) => {
    const shown = Math.min(0.99, Math.max(0.01, p));  // never "100 %": no network is certain
    return new Intl.NumberFormat(facekit.language, { style: "percent" }).format(shown).replace(/\s*%/, "\u00a0%");
  };
  facekit.decimal = (value, digits = 1) => value.toLocaleString(facekit.language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  facekit.inLine = (parts) => parts.filter(Boolean).join("\u00a0· ");  // a line may end with the dot, and never begins with it
  facekit.translate = (root) => {
    for (const node of root.querySelectorAll("[data-t]")) node.textContent = facekit.t(node.dataset.t);
    for (const node of root.querySelectorAll("[data-t-label]")) node.setAttribute("aria-label", facekit.t(node.dataset.tLabel));
    for (const node of root.querySelectorAll("[data-t-alt]")) node.alt = facekit.t(node.dataset.tAlt);
  };
  // Gradio names its tabs once, in the language it starts with; its text nodes are kept and only reworded. Those behind
  // the dots of a narrow screen, and those it measures by, do not say which they are: their words do, in whatever language.
  const keyOf = (words) => Object.values(facekit.texts).flatMap(Object.entries).find(([key, text]) => key.startsWith("tab.") && text === words)?.[0];
  const tabs = () => [...document.querySelectorAll("#facekit-tabs .tab-container button, #facekit-tabs .overflow-dropdown button")].map((button) => {
    const text = [...button.childNodes].find((node) => node.nodeType === 3 && node.data.trim());
    return { button, text, key: button.dataset.tabId ? "tab." + button.dataset.tabId : keyOf(text?.data.trim()) };
  });
  facekit.nameTabs = () => {
    for (const { text, key } of tabs()) if (text && facekit.has(key) && text.data.trim() !== facekit.t(key)) text.data = facekit.t(key);
  };
  facekit.openTab = (name) => tabs().find(({ key, button }) => key === "tab." + name && !button.closest(".visually-hidden"))?.button.click();
  facekit.onLanguage = (listener) => listeners.push(listener);
  facekit.speak = (language) => {
    facekit.language = language;
    document.documentElement.lang = language;
    try { localStorage.setItem("facekit-language", language); } catch { /* private window: not remembered */ }
    const url = new URL(location.href);
    url.searchParams.set("lang", language);
    history.replaceState(null, "", url);
    facekit.translate(document);
    facekit.nameTabs();
    listeners.forEach((listener) => listener());
  };
})(window.facekit);
