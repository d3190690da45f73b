// Links into a tab: what was set up there, as JSON in the address.
(function (facekit) {
  const TABS = ["live", "generate", "lab", "models"];
  const told = (tab) => new URLSearchParams(location.search).get(tab);
  facekit.linkedTab = () => TABS.find((tab) => told(tab) !== null);
  // To this tab alone: a link that names two would open the other one.
  facekit.linkTo = (tab, state) => {
    const url = new URL(location.href);
    for (const other of TABS) url.searchParams.delete(other);
    url.searchParams.set(tab, JSON.stringify(state));
    return url.href;
  };
  facekit.isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
  // What `read` makes of it; undefined without a link to this tab, null where it cannot be read or `read` makes nothing of it.
  facekit.fromLink = (tab, read) => {
    if (told(tab) === null) return undefined;
    try {
      const state = JSON.parse(told(tab));
      return facekit.isObject(state) ? read(state) ?? null : null;
    } catch { return null; }
  };
})(window.facekit);
