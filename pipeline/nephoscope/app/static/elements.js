// Create elements with attributes, and format numbers.

const SVG = "http://www.w3.org/2000/svg";

export const find = (id) => document.getElementById(id);

/** make("li", { class: "row" }, "text", child): strings become text, never HTML. */
export function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.startsWith("--")) element.style.setProperty(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export const percent = (share) => `${Math.round(100 * share)} %`;
export const score = (value) => (value === null ? "n/a" : value.toFixed(3));
export const grouped = (count) => Math.round(count).toLocaleString("en").replaceAll(",", "\u202f");
