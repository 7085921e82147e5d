// PR curves of the run for one class, with the points of the current and of the tuned rule.

import { draw, find, make, score } from "./elements.js";

const SIZE = 100;
const KINDS = [
  { kind: "pixels", title: "Pixels", key: "pixel_point", at: ({ pixel_threshold: level }) => `from level ${level}` },
  { kind: "presence", title: "Presence", key: "presence_point", at: ({ presence_threshold: from }) => `from ${from.toFixed(3)}` },
];

export class Curves {
  constructor(curves, classes) {
    this.classes = classes;
    this.charts = KINDS.map((kind) => new Chart(kind, curves[kind.kind]));
    find("curves").querySelector(".charts").replaceChildren(...this.charts.map((chart) => chart.element));
    find("curves").hidden = false;
  }

  select(index) {
    find("curves-class").textContent = this.classes[index].class_name;
    for (const chart of this.charts) chart.select(index, this.classes[index].colour);
  }

  show(decision, index, rules) {
    for (const chart of this.charts) chart.show(decision.classes[index], rules[index]);
  }
}

class Chart {
  constructor({ title, key, at }, curves) {
    Object.assign(this, { title, key, at, curves });
    this.line = draw("polyline", { class: "curve" });
    this.ring = draw("circle", { r: 3.2, class: "ring", hidden: true });
    this.dot = draw("circle", { r: 3, class: "dot", hidden: true });
    this.label = make("figcaption", {});
    this.image = draw("svg", { viewBox: "-13 -4 117 117", role: "img" }, ...frame(), this.line, this.ring, this.dot);
    this.element = make("figure", { "data-chart": key }, this.image, this.label);
  }

  select(index, colour) {
    this.curve = this.curves[index];
    this.element.style.setProperty("--colour", colour);
    const points = this.curve.recall.map((recall, place) => `${(SIZE * recall).toFixed(2)},${(SIZE * (1 - this.curve.precision[place])).toFixed(2)}`);
    this.line.setAttribute("points", points.join(" "));
    place(this.ring, this.curve.tuned);
  }

  show(decided, rule) {
    const point = decided[this.key];
    const title = `${this.title} ${this.at(rule)}`;
    place(this.dot, point);
    const noPoint = this.curve.adaptive ? "the threshold differs per image, so it has no point here" : "nothing is predicted";
    const text = point ? `precision ${score(point.precision)}, recall ${score(point.recall)}` : noPoint;
    const average = `average precision ${score(this.curve.average_precision)}`;
    this.label.replaceChildren(make("b", {}, title), make("span", {}, text), make("small", {}, average));
    this.image.setAttribute("aria-label", `${title}: ${text}; ${average}`);
  }
}

function place(mark, point) {
  mark.toggleAttribute("hidden", !point);
  if (!point) return;
  mark.setAttribute("cx", SIZE * point.recall);
  mark.setAttribute("cy", SIZE * (1 - point.precision));
}

function frame() {
  const lines = [0, 50, 100].flatMap((at) => [
    draw("line", { x1: 0, x2: SIZE, y1: at, y2: at, class: "grid" }),
    draw("line", { y1: 0, y2: SIZE, x1: at, x2: at, class: "grid" }),
  ]);
  return [
    ...lines,
    draw("text", { x: SIZE / 2, y: SIZE + 9, "text-anchor": "middle" }, "recall"),
    draw("text", { x: -SIZE / 2, y: -5, "text-anchor": "middle", transform: "rotate(-90)" }, "precision"),
  ];
}
