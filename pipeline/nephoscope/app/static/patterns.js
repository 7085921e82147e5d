// The list of classes: shown or not, how likely, how sure, how much of the picture, how near to truth.

import { find, make, percent, score } from "./elements.js";

export class Patterns {
  constructor(classes, { onToggle, onPick }) {
    this.rows = classes.map(({ class_name: name, colour }, index) => row(name, colour, index, onToggle, onPick));
    find("classes").replaceChildren(...this.rows.map((each) => each.item));
  }

  show(answer, picture) {
    answer.classes.forEach((one, index) => {
      const { item, presence, bar, facts, unsure } = this.rows[index];
      item.classList.toggle("absent", !one.present);
      presence.textContent = percent(one.presence);
      bar.style.setProperty("--share", one.presence);
      unsure.hidden = !one.unsure;
      facts.textContent = tell(one, picture.truth_shares?.[index]);
    });
  }

  pick(index) {
    this.rows.forEach(({ item }, place) => item.classList.toggle("picked", place === index));
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

function tell(one, truthShare) {
  const decision = one.present ? "present" : "absent";
  const read = `${decision}, ${percent(one.confidence)} sure · covers ${percent(one.area_share)}`;
  return truthShare === undefined ? read : `${read}\nDice ${score(one.dice)} · truth covers ${percent(truthShare)}`;
}

function row(name, colour, index, onToggle, onPick) {
  const presence = make("span", { class: "presence" });
  const bar = make("span", { class: "bar", "aria-hidden": "true" });
  const facts = make("span", { class: "facts" });
  const unsure = make("span", { class: "unsure", hidden: true, title: "wrong more often than once in three" }, "unsure");
  const box = make("input", { type: "checkbox", checked: true, "aria-label": `Show ${name} on the picture` });
  box.addEventListener("change", () => onToggle(index, box.checked));
  const pick = make("button", { type: "button", class: "name", title: `Move the rule of ${name}`, onclick: () => onPick(index) }, name);
  const item = make("li", { "--colour": colour, "data-class": name }, box, pick, unsure, presence, bar, facts);
  return { item, presence, bar, facts, unsure };
}
