// Small tools to draw with: elements, and what the parts of an answer are called.
(function (facekit) {
  facekit.h = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (name === "style") node.style.cssText = value;
      else if (value !== null && value !== undefined && (value !== false || name.startsWith("aria-"))) node.setAttribute(name, value === true && !name.startsWith("aria-") ? "" : value);
    }
    node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
    return node;
  };
  // The content of a file, as the server functions take it; what cannot be read, a folder say, has none.
  facekit.dataUrl = (blob) => new Promise((done) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.onerror = () => done("data:;base64,");
    reader.readAsDataURL(blob);
  });
  // What a function of the server answers; where the server fails, Gradio's client throws, or gives nothing.
  facekit.ask = async (server, fn, request) => {
    let answer;
    try { answer = await server[fn](request); } catch { /* as below */ }
    return answer ?? { error: facekit.t("error.server"), kind: "server" };
  };
  // A name that only this page knows, by which the server tells its visitors apart.
  facekit.ownName = () => crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(16)).join("-");
  // A last request, which outlives the page.
  facekit.onLeaving = (tell) => addEventListener("pagehide", () => {
    const plain = window.fetch.plain ?? window.fetch;
    window.fetch = Object.assign((url, options) => plain(url, { ...options, keepalive: true }), { plain });
    addEventListener("pageshow", () => { window.fetch = plain; }, { once: true });  // browsers keep pages: a photo is too large for such a request
    tell();
  });
  const AREAS = {
    hair: ["Black_Hair", "Brown_Hair", "Blond_Hair", "Gray_Hair", "Bald", "Straight_Hair", "Wavy_Hair", "Bangs", "Receding_Hairline"],
    eyes: ["Arched_Eyebrows", "Bushy_Eyebrows", "Narrow_Eyes", "Bags_Under_Eyes"],
    mouth: ["Smiling", "Mouth_Slightly_Open", "Pointy_Nose"],
    beard: ["No_Beard", "5_o_Clock_Shadow", "Mustache", "Goatee", "Sideburns"],
    worn: ["Eyeglasses", "Wearing_Lipstick", "Heavy_Makeup", "Wearing_Earrings", "Wearing_Necklace", "Wearing_Necktie", "Wearing_Hat"],
    face: ["Young", "Male", "Oval_Face", "High_Cheekbones", "Rosy_Cheeks", "Pale_Skin", "Blurry"],
    opinion: ["Attractive", "Big_Lips", "Big_Nose", "Chubby", "Double_Chin"],
  };
  facekit.areas = AREAS;
  // Perceived gender has a line of its own; opinions of the labellers are only in the list of all.
  const APART = new Set(["Male", ...AREAS.opinion]);
  facekit.headline = (face) => Object.entries(face.attributes)
    .filter(([name, p]) => p >= 0.5 && !face.unsure.includes(name) && !APART.has(name))
    .sort((a, b) => b[1] - a[1]);
  facekit.doubts = (face) => face.unsure.filter((name) => name in face.attributes && !APART.has(name))
    .map((name) => [name, face.attributes[name]]).sort((a, b) => b[1] - a[1]);
  facekit.attributeName = (name) => facekit.has("attribute." + name) ? facekit.t("attribute." + name) : name.replaceAll("_", " ");
  facekit.ageText = (age) => facekit.t("age.about", { n: Math.round(age.years) });
  facekit.genderText = (face) => face.unsure.includes("gender") ? facekit.t("gender.unsure") : facekit.t("gender." + face.gender.label);
  facekit.expressionText = (face) => {
    const label = facekit.t("expression." + face.expression.label);
    return face.unsure.includes("expression") ? facekit.t("expression.unsure", { label }) : label;
  };
  // One sentence about a face, for those who hear the page.
  facekit.summary = (face, n) => [
    facekit.t("face.title", { n }) + ":",
    [face.age && facekit.ageText(face.age), face.gender && facekit.genderText(face),
      ...facekit.headline(face).slice(0, 3).map(([name]) => facekit.attributeName(name))].filter(Boolean).join(", "),
  ].join(" ");
})(window.facekit);
