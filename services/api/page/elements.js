// Elements of the page, and what is said to those who do not see it.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

/** An element: `on...` are listeners, true and false set flags, null leaves an attribute out. */
export function make(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function draw(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else if (value !== null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

export function icon(name) {
  return draw("svg", { "aria-hidden": "true" }, draw("use", { href: `#i-${name}` }));
}

export function button(text, symbol, onclick, attributes = {}) {
  const made = make("button", { type: "button", class: "button small", onclick, ...attributes });
  made.append(...(symbol ? [icon(symbol)] : []), text);
  return made;
}

/** A button that shows its icon alone. */
export function round(label, symbol, onclick, attributes = {}) {
  const more = { type: "button", class: "round", "aria-label": label, title: label, onclick };
  return make("button", { ...more, ...attributes }, icon(symbol));
}

const MOST_SAID = 200;
let silence = 0;

/** Say it to screen readers; what is said in one moment is said together. */
export function announce(text) {
  const live = byId("live");
  clearTimeout(silence);
  const before = live.textContent.length < MOST_SAID ? live.textContent : "";
  live.textContent = before ? `${before} ${text}` : text;
  silence = setTimeout(() => (live.textContent = ""), 1500);
}

/** Sentences one after another; some come without their full stop. */
export const sentences = (...texts) =>
  texts
    .filter(Boolean)
    .map((text) => (/[.!?…]$/.test(text.trim()) ? text.trim() : `${text.trim()}.`))
    .join(" ");

export const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

/** Nothing is called entirely sure or impossible that is only nearly so. */
export function percent(share) {
  if (share > 0.99 && share < 1) return "over 99 %";
  if (share > 0 && share < 0.01) return "below 1 %";
  return `${Math.round(share * 100)} %`;
}
