// The picture, and over it masks, truth, and stripes where nobody saw anything.

import { draw, find, score } from "./elements.js";

export class Stage {
  constructor(classes, [height, width]) {
    find("overlay").setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.predicted = classes.map(({ colour }) => outline("mask", colour));
    this.truth = classes.map(({ colour }) => outline("true", colour));
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

  /** A picture at once, before the server knows it. */
  showFile(file) {
    this.clear(file.name);
    this.release();
    this.blob = URL.createObjectURL(file);
    find("image").src = this.blob;
  }

  showPicture(picture, source) {
    this.clear(picture.image_id);
    find("image").src = source;
    find("image").alt = `Satellite picture ${picture.image_id}`;
    find("unseen").setAttribute("d", picture.unseen);
    this.showTruth(picture.truth);
    this.release();
  }

  showTruth(paths) {
    this.truth.forEach((each, index) => trace(each, paths ? paths[index] : ""));
    find("truth-toggle").hidden = !paths;
  }

  showMasks(answer) {
    answer.classes.forEach((one, index) => trace(this.predicted[index], one.outline));
    find("mean").textContent = answer.mean_dice === null ? "" : `mean Dice ${score(answer.mean_dice)}`;
  }

  /** A heat map over everything, or none. */
  showHeat(blob, name) {
    const heat = find("heat");
    if (heat.src) URL.revokeObjectURL(heat.src);
    heat.hidden = !blob;
    if (blob) heat.src = URL.createObjectURL(blob);
    else heat.removeAttribute("src");
    heat.alt = blob ? `Heat map: where the classifier looks for ${name}` : "";
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
    find("unseen").setAttribute("d", "");
    this.predicted.forEach((each) => trace(each, ""));
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

/** A dark rim below the line keeps a colour readable on clouds of the same brightness. */
function outline(kind, colour) {
  return draw("g", { class: kind, "--colour": colour }, draw("path", { class: "rim" }), draw("path", { class: "line" }));
}

function trace(group, path) {
  for (const each of group.children) each.setAttribute("d", path);
}
