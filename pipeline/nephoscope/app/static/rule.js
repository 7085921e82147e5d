// The current rules: sliders, reset to the tuned values, and export as a link or JSON.

import { find, grouped, make, percent } from "./elements.js";

const NEVER = 2; // a presence threshold above any presence
const LARGEST_SHARE = 0.2; // of the image, the end of the area slider

export class RulePanel {
  constructor({ classes, rules, output_shape: [height, width] }, { onChange, onSelect }) {
    this.rules = rules;
    this.onChange = onChange;
    this.tuned = rules.rules.map(({ presence_threshold, pixel_threshold, min_area }) => ({ presence_threshold, pixel_threshold, min_area }));
    this.current = this.tuned.map((rule) => ({ ...rule }));
    this.selected = 0;
    this.tabs = classes.map(({ class_name: name, colour }, index) => makeTab(name, colour, index, onSelect));
    find("tabs").append(...this.tabs.map((tab) => tab.label));
    const area = height * width;
    const largest = Math.min(area, Math.max(LARGEST_SHARE * area, ...this.tuned.map((rule) => 1.5 * rule.min_area)));
    this.sliders = [
      new Slider(this, "presence_threshold", {
        label: "Presence threshold", min: 0, max: 1.005, step: 0.005,
        format: (value) => (value > 1 ? "never" : value.toFixed(3)),
        read: (value) => (value > 1 ? NEVER : value),
      }),
      new Slider(this, "pixel_threshold", {
        label: "Pixel threshold (level)", min: 1, max: 255, step: 1, format: (value) => `${value} (${(value / 255).toFixed(2)})`,
      }),
      new Slider(this, "min_area", {
        label: "Minimum area", min: 0, max: Math.ceil(largest / 250) * 250, step: 50,
        format: (value) => `${grouped(value)} pixels (${percent(value / area)})`,
      }),
    ];
    find("sliders").replaceChildren(...this.sliders.map((slider) => slider.element));
    find("reset").addEventListener("click", () => this.reset());
    this.select(0);
  }

  select(index) {
    this.selected = index;
    this.tabs[index].radio.checked = true;
    this.refresh();
  }

  change(key, value) {
    this.current[this.selected][key] = value;
    this.refresh();
    this.onChange();
  }

  reset() {
    this.current = this.tuned.map((rule) => ({ ...rule }));
    this.refresh();
    this.onChange();
  }

  refresh() {
    for (const slider of this.sliders) slider.show(this.current[this.selected][slider.key], this.tuned[this.selected][slider.key]);
    find("reset").disabled = !this.isChanged();
  }

  isChanged() {
    return JSON.stringify(this.current) !== JSON.stringify(this.tuned);
  }

  /** Mark the presence score of the image on the slider of the presence threshold. */
  showScores(decision) {
    this.sliders[0].mark(decision?.classes[this.selected].score ?? null);
  }

  /** A complete rules.json with the current values. */
  toJson() {
    const rules = this.rules.rules.map((rule, index) => ({ ...rule, ...this.current[index] }));
    return JSON.stringify({ ...this.rules, rules }, null, 2);
  }

  toLink() {
    return this.current.map((rule) => [rule.presence_threshold, rule.pixel_threshold, rule.min_area].join(",")).join(";");
  }

  /** Invalid text, or rules of other classes, change nothing. */
  fromLink(text) {
    const rows = text.split(";").map((row) => row.split(",").map(Number));
    const valid = rows.length === this.tuned.length && rows.every(
      ([presence, pixel, area, ...more]) => !more.length && presence >= 0 && presence <= NEVER
        && Number.isInteger(pixel) && pixel >= 1 && pixel <= 255 && Number.isInteger(area) && area >= 0,
    );
    if (!valid) return;
    this.current = rows.map(([presence_threshold, pixel_threshold, min_area]) => ({ presence_threshold, pixel_threshold, min_area }));
    this.refresh();
  }
}

function makeTab(name, colour, index, onSelect) {
  const radio = make("input", { type: "radio", name: "class", class: "visually-hidden", onchange: () => onSelect(index) });
  return { radio, label: make("label", { "--colour": colour }, radio, make("span", {}, name)) };
}

class Slider {
  constructor(panel, key, { label, min, max, step, format, read = (value) => value }) {
    Object.assign(this, { key, min, max, format });
    this.input = make("input", { type: "range", id: `slider-${key}`, min, max, step });
    // Not announced, because screen readers announce the value of the slider itself.
    this.output = make("output", { for: this.input.id, "aria-live": "off" });
    this.tuned = make("i", { class: "tuned", title: "tuned" });
    this.score = make("i", { class: "score", title: "this image", hidden: true });
    this.input.addEventListener("input", () => panel.change(key, read(Number(this.input.value))));
    const track = make("div", { class: "track" }, this.tuned, this.score, this.input);
    this.element = make("div", { class: "slider" }, make("label", { for: this.input.id }, label), this.output, track);
  }

  show(value, tuned) {
    // Unchanged values are not written back: that would round them again while the user drags.
    if (Number(this.input.value) !== value) this.input.value = value;
    this.output.textContent = this.format(value);
    this.input.setAttribute("aria-valuetext", this.format(value));
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
