// The image, with masks, truth, its place on Earth, and stripes on invisible pixels.

import { Earth } from "./earth.js";
import { draw, find, make, score } from "./elements.js";

const STRIPED_SIDE = 525; // of an overlay in which the stripes have their usual width

export class Viewer {
  constructor(classes) {
    this.earth = new Earth();
    this.predicted = classes.map(({ colour }) => makeOutline("mask", colour));
    this.truth = classes.map(({ colour }) => makeOutline("true", colour));
    find("predicted").replaceChildren(...this.predicted);
    find("truth").replaceChildren(...this.truth);
    const image = find("image");
    image.addEventListener("load", () => image.parentElement.style.setProperty("--ratio", image.naturalWidth / image.naturalHeight));
    const opacity = find("opacity");
    const apply = () => find("overlay").style.setProperty("--opacity", opacity.value);
    opacity.addEventListener("input", apply);
    apply();
    find("show-truth").addEventListener("change", (event) => find("truth").toggleAttribute("hidden", !event.target.checked));
  }

  /** Show a file at once, before it is uploaded. */
  showFile(file) {
    this.clear(file.name);
    this.release();
    if (/\.tiff?$/i.test(file.name)) return find("image").removeAttribute("src"); // browsers do not draw TIFF
    this.blob = URL.createObjectURL(file);
    find("image").src = this.blob;
  }

  showPicture(picture, source) {
    this.clear(picture.image_id);
    const [height, width] = picture.shape;
    find("overlay").setAttribute("viewBox", `0 0 ${width} ${height}`);
    find("stripes").setAttribute("patternTransform", `rotate(45) scale(${Math.max(height, width) / STRIPED_SIDE})`);
    this.earth.show(picture.place, picture.shape);
    find("notes").replaceChildren(...picture.notes.map((note) => make("li", {}, note)));
    find("image").src = source;
    find("image").alt = `Satellite image ${picture.image_id}`;
    find("invisible").setAttribute("d", picture.invisible);
    this.showTruth(picture.truth);
    this.release();
  }

  showTruth(paths) {
    this.truth.forEach((group, index) => trace(group, paths ? paths[index] : ""));
    find("truth-toggle").hidden = !paths;
  }

  showMasks(decision) {
    decision.classes.forEach(({ outline }, index) => trace(this.predicted[index], outline));
    find("mean").textContent = decision.mean_dice === null ? "" : `mean Dice ${score(decision.mean_dice)}`;
  }

  /** Lay a heat map over the image; null removes it. */
  showHeat(blob, name) {
    const heat = find("heat");
    if (heat.src) URL.revokeObjectURL(heat.src);
    heat.hidden = !blob;
    if (blob) heat.src = URL.createObjectURL(blob);
    else heat.removeAttribute("src");
    heat.alt = blob ? `Heat map of the classifier for ${name}` : "";
  }

  toggle(index, shown) {
    this.predicted[index].toggleAttribute("hidden", !shown);
    this.truth[index].toggleAttribute("hidden", !shown);
  }

  clear(name) {
    find("welcome").hidden = true;
    find("shown").hidden = false;
    find("name").textContent = name;
    find("mean").textContent = "";
    find("invisible").setAttribute("d", "");
    find("notes").replaceChildren();
    this.earth.show(null);
    this.predicted.forEach((group) => trace(group, ""));
    this.showTruth(null);
    this.showHeat(null);
  }

  empty() {
    this.release();
    find("welcome").hidden = false;
    find("shown").hidden = true;
    find("tools").hidden = true;
  }

  release() {
    if (this.blob) URL.revokeObjectURL(this.blob);
    this.blob = null;
  }
}

/** A dark rim below the line keeps it visible on clouds of the same brightness. */
function makeOutline(kind, colour) {
  return draw("g", { class: kind, "--colour": colour }, draw("path", { class: "rim" }), draw("path", { class: "line" }));
}

function trace(group, path) {
  for (const line of group.children) line.setAttribute("d", path);
}
