// The list of classes: visibility, presence, confidence, share of the image, Dice.

import { find, make, percent, score } from "./elements.js";

export class Patterns {
  constructor(classes, { onToggle, onSelect }) {
    this.rows = classes.map(({ class_name: name, colour }, index) => makeRow(name, colour, index, onToggle, onSelect));
    find("classes").replaceChildren(...this.rows.map((row) => row.item));
  }

  show(decision, picture) {
    decision.classes.forEach((decided, index) => {
      const { item, presence, bar, facts, unsure } = this.rows[index];
      item.classList.toggle("absent", !decided.present);
      presence.textContent = percent(decided.presence);
      bar.style.setProperty("--share", decided.presence);
      unsure.hidden = !decided.unsure;
      facts.textContent = describe(decided, picture.truth_shares?.[index]);
    });
  }

  select(index) {
    this.rows.forEach(({ item }, place) => item.classList.toggle("selected", place === index));
  }

  clear() {
    for (const { item, presence, bar, facts, unsure } of this.rows) {
      item.classList.remove("absent");
      presence.textContent = "";
      bar.style.setProperty("--share", 0);
      facts.textContent = "";
      unsure.hidden = true;
    }
  }
}

function describe(decided, truthShare) {
  const presence = decided.present ? "present" : "absent";
  const text = `${presence}, ${percent(decided.confidence)} sure · covers ${percent(decided.area_share)}`;
  return truthShare === undefined ? text : `${text}\nDice ${score(decided.dice)} · truth covers ${percent(truthShare)}`;
}

function makeRow(name, colour, index, onToggle, onSelect) {
  const presence = make("span", { class: "presence" });
  const bar = make("span", { class: "bar", "aria-hidden": "true" });
  const facts = make("span", { class: "facts" });
  const unsure = make("span", { class: "unsure", hidden: true, title: "the probability of being wrong exceeds one third" }, "unsure");
  const box = make("input", { type: "checkbox", checked: true, "aria-label": `Show ${name} on the image` });
  box.addEventListener("change", () => onToggle(index, box.checked));
  const button = make("button", { type: "button", class: "name", title: `Change the rule of ${name}`, onclick: () => onSelect(index) }, name);
  const item = make("li", { "--colour": colour, "data-class": name }, box, button, unsure, presence, bar, facts);
  return { item, presence, bar, facts, unsure };
}
