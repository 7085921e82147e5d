// The PR curves of the run for one class, with the point of the rule as it stands and as it was tuned.

import { draw, find, make, score } from "./elements.js";

const SIZE = 100;
const KINDS = [
  { kind: "pixels", title: "Pixels", key: "pixel_point", at: ({ pixel_threshold: level }) => `from level ${level}` },
  { kind: "presence", title: "Presence", key: "presence_point", at: ({ presence_threshold: from }) => `from ${from.toFixed(3)}` },
];

export class Curves {
  constructor(curves, classes) {
    this.classes = classes;
    this.charts = KINDS.map((each) => new Chart(each, curves[each.kind]));
    find("curves").querySelector(".charts").replaceChildren(...this.charts.map((each) => each.element));
    find("curves").hidden = false;
  }

  pick(index) {
    find("curves-class").textContent = this.classes[index].class_name;
    for (const chart of this.charts) chart.pick(index, this.classes[index].colour);
  }

  show(answer, index, moved) {
    for (const chart of this.charts) chart.show(answer.classes[index], moved[index]);
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

  pick(index, colour) {
    this.curve = this.curves[index];
    this.element.style.setProperty("--colour", colour);
    const points = this.curve.recall.map((recall, place) => `${(SIZE * recall).toFixed(2)},${(SIZE * (1 - this.curve.precision[place])).toFixed(2)}`);
    this.line.setAttribute("points", points.join(" "));
    place(this.ring, this.curve.tuned);
  }

  show(answer, rule) {
    const point = answer[this.key];
    const title = `${this.title} ${this.at(rule)}`;
    place(this.dot, point);
    const nowhere = this.curve.follows ? "the threshold follows each picture, and so has no one point here" : "nothing is predicted";
    const told = point ? `precision ${score(point.precision)}, recall ${score(point.recall)}` : nowhere;
    const average = `average precision ${score(this.curve.average_precision)}`;
    this.label.replaceChildren(make("b", {}, title), make("span", {}, told), make("small", {}, average));
    this.image.setAttribute("aria-label", `${title}: ${told}; ${average}`);
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
