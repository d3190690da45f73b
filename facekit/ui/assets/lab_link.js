// All that was set up in the lab, as a link keeps it: the settings as far as they are not the preset's, and what is around them.
(function (facekit) {
  const differing = facekit.labDiffering = (settings, from) => Object.fromEntries(Object.entries(settings).filter(([name, value]) => value !== from[name]));
  const kind = (data) => data.startsWith("faces") ? "faces" : "points";
  // `props` are those of the tab: defaults and presets.
  facekit.labPreset = (props, name, data) => ({ ...props.defaults, ...props.presets[kind(data)][name]?.settings });

  // `right` are the settings of the second run, null where there is none; `lesson` is the step that is open, from 1 on, or 0.
  facekit.labLink = (props, { preset, settings, right, lesson, slow, projector }) => ({
    ...differing(settings, facekit.labPreset(props, preset, settings.data)),
    ...(preset && { preset }), ...(right && { beside: differing(right, settings) }), ...(lesson && { lesson }), ...(slow && { slow }), ...(projector && { projector }),
  });
  facekit.labFromLink = (props, { preset = "", beside = null, lesson = 0, slow = false, projector = false, ...own }) => {
    // What a setting may be, and what no setting is called, the server knows.
    const fits = (settings) => Object.entries(settings).every(([name, value]) => !(name in props.defaults) || (typeof value === typeof props.defaults[name] && value !== null));
    const data = own.data ?? props.defaults.data;
    return fits(own) && (preset === "" || Object.hasOwn(props.presets[kind(data)], preset)) && (beside === null || (facekit.isObject(beside) && fits(beside)))
      && [0, 1, 2, 3, 4, 5].includes(lesson) && typeof slow === "boolean" && typeof projector === "boolean"
      ? { preset, settings: { ...facekit.labPreset(props, preset, data), ...own }, beside, lesson, slow, projector } : null;
  };
})(window.facekit);
