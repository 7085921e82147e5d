// The rule of every class as it stands: sliders, the tuned values to go back to, and the same as a link or JSON.

import { find, grouped, make, percent } from "./elements.js";

const NEVER = 2; // a presence threshold that no presence reaches
const LARGEST_SHARE = 0.2; // of the picture, on the slider of areas

export class RulePanel {
  constructor({ classes, rules, output_shape: [height, width] }, { onMove, onPick }) {
    this.rules = rules;
    this.onMove = onMove;
    this.tuned = rules.rules.map(({ presence_threshold, pixel_threshold, min_area }) => ({ presence_threshold, pixel_threshold, min_area }));
    this.moved = this.tuned.map((each) => ({ ...each }));
    this.picked = 0;
    this.tabs = classes.map(({ class_name: name, colour }, index) => tab(name, colour, index, onPick));
    find("tabs").append(...this.tabs.map((each) => each.label));
    const area = height * width;
    const largest = Math.min(area, Math.max(LARGEST_SHARE * area, ...this.tuned.map((each) => 1.5 * each.min_area)));
    this.sliders = [
      new Slider(this, "presence_threshold", {
        label: "Presence from", min: 0, max: 1.005, step: 0.005,
        tell: (value) => (value > 1 ? "never" : value.toFixed(3)),
        read: (value) => (value > 1 ? NEVER : value),
      }),
      new Slider(this, "pixel_threshold", {
        label: "Pixels from level", min: 1, max: 255, step: 1, tell: (value) => `${value} (${(value / 255).toFixed(2)})`,
      }),
      new Slider(this, "min_area", {
        label: "Areas from", min: 0, max: Math.ceil(largest / 250) * 250, step: 50,
        tell: (value) => `${grouped(value)} pixels (${percent(value / area)})`,
      }),
    ];
    find("sliders").replaceChildren(...this.sliders.map((each) => each.element));
    find("reset").addEventListener("click", () => this.reset());
    this.pick(0);
  }

  pick(index) {
    this.picked = index;
    this.tabs[index].radio.checked = true;
    this.refresh();
  }

  move(key, value) {
    this.moved[this.picked][key] = value;
    this.refresh();
    this.onMove();
  }

  reset() {
    this.moved = this.tuned.map((each) => ({ ...each }));
    this.refresh();
    this.onMove();
  }

  refresh() {
    for (const slider of this.sliders) slider.show(this.moved[this.picked][slider.key], this.tuned[this.picked][slider.key]);
    find("reset").disabled = !this.isMoved();
  }

  isMoved() {
    return JSON.stringify(this.moved) !== JSON.stringify(this.tuned);
  }

  /** Where the picture's own score stands among presence thresholds. */
  showScores(answer) {
    this.sliders[0].mark(answer?.classes[this.picked].score ?? null);
  }

  /** The whole of rules.json with what was moved. */
  toJson() {
    const rules = this.rules.rules.map((rule, index) => ({ ...rule, ...this.moved[index] }));
    return JSON.stringify({ ...this.rules, rules }, null, 2);
  }

  toLink() {
    return this.moved.map((each) => [each.presence_threshold, each.pixel_threshold, each.min_area].join(",")).join(";");
  }

  /** What is no rule for these classes is left alone. */
  fromLink(text) {
    const found = text.split(";").map((each) => each.split(",").map(Number));
    const fits = found.length === this.tuned.length && found.every(
      ([presence, pixel, area, ...more]) => !more.length && presence >= 0 && presence <= NEVER
        && Number.isInteger(pixel) && pixel >= 1 && pixel <= 255 && Number.isInteger(area) && area >= 0,
    );
    if (!fits) return;
    this.moved = found.map(([presence_threshold, pixel_threshold, min_area]) => ({ presence_threshold, pixel_threshold, min_area }));
    this.refresh();
  }
}

function tab(name, colour, index, onPick) {
  const radio = make("input", { type: "radio", name: "class", class: "unseen", onchange: () => onPick(index) });
  return { radio, label: make("label", { "--colour": colour }, radio, make("span", {}, name)) };
}

class Slider {
  constructor(panel, key, { label, min, max, step, tell, read = (value) => value }) {
    Object.assign(this, { key, min, max, tell });
    this.input = make("input", { type: "range", id: `slider-${key}`, min, max, step });
    // Silent: the slider itself says its value.
    this.output = make("output", { for: this.input.id, "aria-live": "off" });
    this.tuned = make("i", { class: "tuned", title: "tuned" });
    this.score = make("i", { class: "score", title: "this picture", hidden: true });
    this.input.addEventListener("input", () => panel.move(key, read(Number(this.input.value))));
    const track = make("div", { class: "track" }, this.tuned, this.score, this.input);
    this.element = make("div", { class: "slider" }, make("label", { for: this.input.id }, label), this.output, track);
  }

  show(value, tuned) {
    // While it is being moved it stands where the hand is: writing it back would round it twice.
    if (Number(this.input.value) !== value) this.input.value = value;
    this.output.textContent = this.tell(value);
    this.input.setAttribute("aria-valuetext", this.tell(value));
    this.tuned.style.setProperty("--at", this.share(tuned));
  }

  mark(value) {
    this.score.hidden = value === null;
    if (value !== null) this.score.style.setProperty("--at", this.share(value));
  }

  share(value) {
    return (Math.min(value, this.max) - this.min) / (this.max - this.min);
  }
}
