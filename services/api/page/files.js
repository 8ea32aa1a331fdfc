// A reading as files: text, JSON, PAGE XML. All with the text as it was corrected.

import { announce, make } from "./elements.js";

const PAGE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15";
// what no XML document may hold, not even escaped
const FORBIDDEN = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu;

export const textOf = (lines) => lines.map((line) => line.text).join("\n");

export function jsonOf(item, lines) {
  const { level, width, height, model, timing_ms } = item.reading;
  const told = lines.map(({ line, text, checked }) => ({ ...line, text, reading: line.text, checked }));
  // of an image that was made smaller the size tells what the boxes are in
  const size = { width, height };
  const all = { image: item.name, ...size, text: textOf(lines), level, lines: told, model, timing_ms };
  return `${JSON.stringify(all, null, 1)}\n`;
}

/** One region with the lines in their order, as `recognizer/page_xml.py` writes it. */
export function pageXmlOf(name, size, lines) {
  const xml = document.implementation.createDocument(PAGE, "PcGts");
  const add = (parent, tag, attributes = {}, text = null) => {
    const element = xml.createElementNS(PAGE, tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== null) element.textContent = text;
    parent.append(element);
    return element;
  };
  const outline = (parent, tag, points) => add(parent, tag, { points: pairs(points, size) });
  const said = (parent, text, confidence) => {
    const sure = confidence === null ? {} : { conf: confidence.toFixed(4) };
    add(add(parent, "TextEquiv", sure), "Unicode", {}, allowed(text));
  };
  const root = xml.documentElement;
  const metadata = add(root, "Metadata");
  add(metadata, "Creator", {}, "Handwriting");
  const moment = new Date().toISOString();
  add(metadata, "Created", {}, moment);
  add(metadata, "LastChange", {}, moment);
  const page = add(root, "Page", {
    imageFilename: allowed(name),
    imageWidth: size.width,
    imageHeight: size.height,
  });
  if (lines.length) {
    const region = add(page, "TextRegion", { id: "r1" });
    outline(region, "Coords", corners(around(lines.flatMap(({ line }) => line.polygon))));
    for (const [at, corrected] of lines.entries()) addLine(region, `r1_l${at + 1}`, corrected);
  }
  return `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(xml)}\n`;

  function addLine(region, id, { line, text, edited, checked, tokens }) {
    // the schema wants this order: outline, baseline, words, text
    const element = add(region, "TextLine", { id });
    outline(element, "Coords", line.polygon);
    if (line.baseline) outline(element, "Baseline", line.baseline);
    // words of a corrected line: where each of them stands on the image is known, or none is told
    if (tokens.every((token) => token.word)) {
      for (const [at, token] of tokens.entries()) {
        const word = add(element, "Word", { id: `${id}_w${at + 1}` });
        outline(word, "Coords", corners(token.word.box));
        said(word, token.text, token.same && !checked ? token.word.confidence : null);
      }
    }
    said(element, text, edited || checked ? null : line.confidence);
  }
}

export function download(name, text, type) {
  const link = URL.createObjectURL(new Blob([text], { type }));
  make("a", { href: link, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(link), 10_000);
}

/** Onto the clipboard, as the button pressed for it says for a moment. True where it went there. */
export async function copied(text, button) {
  const done = await copy(text);
  announce(done ? "Copied." : "The browser does not let it be copied.");
  const label = button.lastChild;
  const before = button.dataset.label ?? label.textContent;
  button.dataset.label = before; // it may be pressed again meanwhile
  label.textContent = done ? "Copied" : "Not copied";
  setTimeout(() => (label.textContent = before), 1500);
  return done;
}

/** Also where the page came without https, and browsers hide the newer way. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const focused = document.activeElement;
    const field = make("textarea", { class: "live" });
    field.value = text;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    focused?.focus();
    return done;
  }
}

export const stem = (name) => name.replace(/\.[^.]*$/, "") || name;

const allowed = (text) => text.replace(FORBIDDEN, "\ufffd");

function pairs(points, { width, height }) {
  const clamp = (value, most) => Math.min(Math.max(Math.round(value), 0), most);
  return points.map(([x, y]) => `${clamp(x, width)},${clamp(y, height)}`).join(" ");
}

function around(points) {
  const [xs, ys] = [0, 1].map((axis) => points.map((point) => point[axis]));
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

const corners = ([left, top, right, bottom]) => [
  [left, top],
  [right, top],
  [right, bottom],
  [left, bottom],
];
