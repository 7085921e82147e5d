// Where the image lies on Earth: lines of longitude and latitude with labels, and coordinates under the pointer.

import { draw, find, make } from "./elements.js";

const STEPS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30]; // degrees between two lines
const MOST_LINES = 6; // along a side
const EDGE = 0.04; // share of a side in which no label fits
const MIDNIGHT = "T00:00:00Z"; // the time of files that state only a date

export class Earth {
  constructor() {
    this.frame = find("shown").querySelector(".frame");
    this.frame.addEventListener("pointermove", (event) => this.point(event));
    this.frame.addEventListener("pointerleave", () => this.describe());
    find("show-graticule").addEventListener("change", (event) => {
      for (const id of ["graticule", "degrees"]) find(id).toggleAttribute("hidden", !event.target.checked);
    });
  }

  /** `place` has bounds, time and sensor; null removes everything. `shape` is that of the overlay. */
  show(place, shape) {
    this.place = place;
    find("graticule-toggle").hidden = !place;
    find("graticule").replaceChildren();
    find("degrees").replaceChildren();
    this.describe();
    if (place) this.drawGraticule(place.bounds, shape);
  }

  drawGraticule([west, south, east, north], [height, width]) {
    const step = STEPS.find((step) => Math.max(east - west, north - south) / step <= MOST_LINES + 1) ?? STEPS.at(-1);
    const paths = [];
    const labels = [];
    for (const longitude of multiples(west, east, step)) {
      const share = (longitude - west) / (east - west);
      paths.push(`M${share * width} 0V${height}`);
      if (share > EDGE && share < 1 - EDGE) labels.push(make("span", { class: "meridian", "--at": share }, longitudeText(longitude, step)));
    }
    for (const latitude of multiples(south, north, step)) {
      const share = (north - latitude) / (north - south);
      paths.push(`M0 ${share * height}H${width}`);
      if (share > EDGE && share < 1 - EDGE) labels.push(make("span", { class: "parallel", "--at": share }, latitudeText(latitude, step)));
    }
    find("graticule").replaceChildren(draw("path", { class: "rim", d: paths.join("") }), draw("path", { class: "line", d: paths.join("") }));
    find("degrees").replaceChildren(...labels);
  }

  /** The coordinates under the pointer, to 0.01°. */
  point(event) {
    if (!this.place) return;
    const [west, south, east, north] = this.place.bounds;
    const box = this.frame.getBoundingClientRect();
    const across = (event.clientX - box.left) / box.width;
    const down = (event.clientY - box.top) / box.height;
    if (across < 0 || across > 1 || down < 0 || down > 1) return this.describe();
    find("place").textContent = `${latitudeText(north - down * (north - south), 0.01)}, ${longitudeText(west + across * (east - west), 0.01)}`;
  }

  /** Without a pointer: the box, the time and the sensor. */
  describe() {
    find("place").textContent = this.place ? describePlace(this.place) : "";
  }
}

function describePlace({ bounds: [west, south, east, north], time, sensor }) {
  const step = [west, south, east, north].every(Number.isInteger) ? 1 : 0.01;
  const box = `${latitudeText(south, step)} to ${latitudeText(north, step)}, ${longitudeText(west, step)} to ${longitudeText(east, step)}`;
  const when = time?.endsWith(MIDNIGHT) ? time.slice(0, -MIDNIGHT.length) : time?.replace("T", " ").replace("Z", " UTC");
  return [box, when, sensor].filter(Boolean).join(" · ");
}

function multiples(first, last, step) {
  const start = Math.ceil(first / step - 1e-9);
  const count = Math.max(0, Math.floor(last / step + 1e-9) - start + 1);
  return Array.from({ length: count }, (_, index) => (start + index) * step);
}

function longitudeText(longitude, step) {
  const turned = ((((longitude + 180) % 360) + 360) % 360) - 180;
  return angle(turned, step, "E", "W");
}

function latitudeText(latitude, step) {
  return angle(latitude, step, "N", "S");
}

function angle(degrees, step, positive, negative) {
  const digits = step >= 1 ? 0 : step >= 0.1 ? 1 : 2;
  const text = Math.abs(degrees).toFixed(digits);
  const isBorder = Number(text) === 0 || Number(text) === 180; // the equator, Greenwich, the antimeridian
  return isBorder ? `${text}°` : `${text}° ${degrees > 0 ? positive : negative}`;
}
