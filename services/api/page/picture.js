// An image with its lines and words laid over it, and a lens on one line.

import { certainty } from "./confidence.js";
import { draw, make } from "./elements.js";

const flat = (points) => points.map((point) => point.join(",")).join(" ");

/** What the image measures in its pixels, and whether this browser can show it. */
export async function sizeOf(image, { width, height }) {
  try {
    await image.decode();
    return { width, height, shown: true };
  } catch {
    return { width, height, shown: false };
  }
}

export class Picture {
  #lines = [];
  #lens = null;
  #looked = [0, null];

  /** `onpoint(line, word)`: the pointer is on a word, or on none; `onpick`: one was clicked. */
  constructor(image, { width, height, shown }, reading, { onpoint, onpick }) {
    this.size = { width, height };
    const over = draw("svg", {
      class: "overlay",
      viewBox: `0 0 ${width} ${height}`,
      preserveAspectRatio: "none",
      "aria-hidden": "true",
    });
    this.#lines = reading.lines.map((line, at) => {
      const outline = draw("polygon", { class: "outline", points: flat(line.polygon) });
      const words = line.words.map(({ box: [left, top, right, bottom], confidence }, index) =>
        draw("rect", {
          class: `spot ${certainty(confidence)}`,
          x: left,
          y: top,
          width: right - left,
          height: bottom - top,
          onpointerenter: () => onpoint(at, index),
          onclick: () => onpick(at, index),
        }),
      );
      outline.addEventListener("pointerenter", () => onpoint(at, null));
      outline.addEventListener("click", () => onpick(at, null));
      over.append(draw("g", {}, outline, ...words));
      return { outline, words, box: line.box, spots: line.words.map((word) => word.box) };
    });
    over.addEventListener("pointerleave", () => onpoint(null, null));
    const frame = make("div", { class: shown ? "frame" : "frame unseen" }, image, over);
    frame.style.setProperty("--ratio", width / height);
    this.element = make("div", { class: "picture" });
    if (reading.level === "page" && reading.lines.length && shown) {
      this.#lens = draw("svg", { class: "lens", "aria-hidden": "true" });
      this.#lens.append(draw("image", { href: image.src, width, height }));
      this.element.append(this.#lens);
      new ResizeObserver(() => this.#look(...this.#looked)).observe(this.#lens);
    }
    this.element.append(frame);
  }

  /** Show one line, or one word of it; null takes the light away. */
  light(at, index) {
    this.#lines.forEach(({ outline, words }, line) => {
      outline.classList.toggle("lit", line === at);
      words.forEach((word, each) => word.classList.toggle("lit", line === at && each === index));
    });
    if (at !== null) this.#look(at, index);
  }

  check(at, checked) {
    this.#lines[at].outline.classList.toggle("checked", checked);
  }

  /** A line as high as the lens; of one too long for it the part around a word, or its beginning. */
  #look(at, index) {
    if (!this.#lens) return;
    this.#looked = [at, index];
    const { box, spots } = this.#lines[at];
    const [left, top, right, bottom] = box;
    const margin = (bottom - top) * 0.15;
    const height = bottom - top + 2 * margin;
    const { clientWidth, clientHeight } = this.#lens;
    const width = height * (clientWidth / clientHeight || 5);
    const word = spots[index ?? 0] ?? box;
    const middle = (word[0] + word[2]) / 2;
    const last = Math.max(left - margin, right + margin - width);
    const start = Math.min(Math.max(middle - width / 2, left - margin), last);
    this.#lens.setAttribute("viewBox", `${start} ${top - margin} ${width} ${height}`);
  }
}
