// The holdout of the run: search, filter, sort by Dice; a click on a row opens its image.

import { fetchJson } from "./requests.js";
import { find, make, score } from "./elements.js";

const ORDERS = {
  worst: (dice) => (first, second) => dice(first) - dice(second),
  best: (dice) => (first, second) => dice(second) - dice(first),
  name: () => (first, second) => first.image_id.localeCompare(second.image_id),
};

export class Holdout {
  constructor(classes, onOpen) {
    this.classes = classes;
    this.onOpen = onOpen;
    this.rows = null;
    this.open = null;
    find("filter").append(...classes.map(({ class_name: name }, index) => make("option", { value: index }, name)));
    find("browse").hidden = false;
    find("browse").addEventListener("click", () => this.toggle());
    find("search").addEventListener("input", () => this.list());
    for (const id of ["filter", "order"]) find(id).addEventListener("change", () => this.list());
  }

  async toggle() {
    const shown = find("holdout").hidden;
    find("holdout").hidden = !shown;
    find("browse").setAttribute("aria-expanded", String(shown));
    if (shown && !this.rows) {
      this.rows = await fetchJson("/api/run/pictures");
      this.list();
    }
    if (shown) find("search").focus();
  }

  list() {
    const chosen = find("filter").value;
    const query = find("search").value.trim().toLowerCase();
    // With a class chosen, show and sort by the Dice of this class.
    const dice = chosen === "" ? (row) => row.mean_dice : (row) => row.dices[Number(chosen)];
    const rows = this.rows
      .filter((row) => row.image_id.toLowerCase().includes(query) && (chosen === "" || row.annotated[Number(chosen)]))
      .sort(ORDERS[find("order").value](dice));
    find("count").textContent = `${rows.length} of ${this.rows.length} images`;
    find("rows").replaceChildren(...rows.map((row) => this.item(row, dice(row))));
    this.mark(this.open);
  }

  item(row, dice) {
    const dots = this.classes.map(({ class_name: name, colour }, index) =>
      make("i", { "--colour": colour, class: row.annotated[index] ? "dot true" : "dot", title: row.annotated[index] ? name : "" }));
    const source = `/api/run/thumbnails/${encodeURIComponent(row.image_id)}`;
    const button = make(
      "button", { type: "button", "data-image": row.image_id, onclick: () => this.onOpen(row.image_id) },
      make("img", { src: source, alt: "", loading: "lazy", width: 72, height: 48 }),
      make("span", { class: "id" }, row.image_id), make("span", { class: "dots" }, ...dots), make("span", { class: "dice" }, score(dice)),
    );
    return make("li", {}, button);
  }

  mark(imageId) {
    this.open = imageId;
    for (const button of find("rows").querySelectorAll("button")) {
      if (button.dataset.image === imageId) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
  }
}
