// The card of an image: where it stands, what was read, what became of it.

import { copied, download, jsonOf, pageXmlOf, stem, textOf } from "./files.js";
import { announce, button, icon, make, percent, plural, round, sentences } from "./elements.js";
import { certainty, LEGEND } from "./confidence.js";
import { LineRow } from "./lines.js";
import { model } from "./model.js";
import { Picture, sizeOf } from "./picture.js";
import { triesOf } from "./queue.js";
import { Corrected } from "./reading.js";
import { Saving } from "./saving.js";

const LEVELS = { word: "a word", line: "a line", page: "a page" };

// what can be done about it, where the service's own words leave that open
const ADVICE = {
  "unsupported-image": "Save it as PNG or JPEG and add it again.",
  "unreadable-image": "The file may be damaged. Save it anew as PNG or JPEG and add it again.",
  "not-offered": "Choose another level or decoder under “How it is read”, then try again.",
  "too-many-bytes": "Make the image smaller and add it again.",
  "too-slow": "The network is slow: make the image smaller, or try again later.",
};
// what may be otherwise when it is asked again: the key, the network, the rush
const LATER = [401, 408, 429];

let made = 0;

export class Card {
  #url = null;
  #saving = null;
  #lines = [];
  #rows = [];
  #picture = null;
  #shown = null;

  /** `onagain`, `onremove`: of this item; `document()`: the name in the options. */
  constructor(item, { onagain, onremove, documentName }) {
    Object.assign(this, { item, onagain, documentName });
    const id = `card-${++made}`;
    this.title = make("h2", { id, tabindex: "-1" }, item.name);
    this.meta = make("p", { class: "meta" });
    this.older = make("p", { class: "older", hidden: true });
    this.body = make("div", { class: "body" });
    const remove = round(`Remove ${item.name}`, "close", onremove);
    const head = make("header", {}, make("div", { class: "names" }, this.title, this.meta), remove);
    this.element = make("article", { class: "card", "aria-labelledby": id });
    this.element.append(head, this.older, this.body);
    item.addEventListener("change", () => this.show());
    this.#link(item.file);
    this.show();
  }

  end() {
    this.#saving?.end();
    URL.revokeObjectURL(this.#url);
  }

  /** As it is now. */
  get text() {
    return textOf(this.#lines);
  }

  /** Somebody has it now as it is. */
  take() {
    this.#saving?.take();
  }

  /** Whether leaving now would lose what somebody wrote. */
  get open() {
    return this.#saving?.open ?? false;
  }

  show() {
    const { item } = this;
    this.element.dataset.status = item.status;
    this.element.setAttribute("aria-busy", String(item.status === "reading"));
    if (item.status === "read") {
      if (this.#shown !== item.reading) this.#read();
      return;
    }
    this.#shown = null;
    this.#saving?.end();
    this.#saving = null;
    this.#lines = [];
    this.older.hidden = true;
    this.meta.textContent = "";
    const image = make("img", { src: this.#url, alt: "", class: "thumb", onerror: () => image.remove() });
    this.body.className = "body";
    this.body.replaceChildren(image, this.#state());
  }

  /** Another version came or went. */
  compare() {
    const { reading } = this.item;
    if (this.item.status !== "read" || model.version === null) return;
    const same = reading.model.version === model.version && reading.model.name === model.state.name;
    this.older.hidden = same;
    if (same || this.older.childElementCount) return;
    this.older.replaceChildren(
      `Read by version ${reading.model.version}, which is no longer in use. `,
      button("Read again", "again", () => this.#again()),
    );
  }

  #again() {
    if (this.open && !confirm("What you have done on this card will be lost. Read again?")) return;
    this.title.focus();
    this.onagain();
  }

  #state() {
    const { item } = this;
    const state = make("div", { class: "state" });
    if (item.status === "failed") {
      const { title, detail, kind, status } = item.problem;
      state.append(make("p", { class: "state-title wrong" }, icon("wrong"), title));
      const advice = ADVICE[kind] ?? "";
      if (detail || advice) state.append(make("p", {}, sentences(detail, advice)));
      // what was wrong stays wrong; what was not to be had, or asked for, may be there by now
      const sent = status === 0 && item.sent;
      if (sent || status >= 500 || LATER.includes(status) || kind === "not-offered") {
        const again = () => {
          this.title.focus();
          this.onagain();
        };
        state.append(button("Try again", "again", again));
      }
      return state;
    }
    const words = {
      waiting: model.version === null ? "Waiting for a model" : "Waiting",
      reading: "Reading …",
      pausing: item.busy,
    };
    state.append(make("p", { class: "state-title" }, words[item.status]));
    if (item.status === "pausing") {
      const most = triesOf(item.problem) - 1;
      const again = `It is tried again by itself in ${item.wait} s, ${item.tries} of ${plural(most, "time")}.`;
      state.append(make("p", {}, sentences(item.problem.detail, again)));
    }
    state.append(make("div", { class: "run", "aria-hidden": "true" }));
    return state;
  }

  #link(file) {
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.linked = file;
    this.#url = URL.createObjectURL(file);
  }

  async #read() {
    const { item } = this;
    const { reading } = item;
    this.#shown = reading;
    if (this.linked !== item.sent) this.#link(item.sent);
    const image = make("img", { src: this.#url, alt: `The image ${item.name}` });
    const size = await sizeOf(image, reading);
    if (this.#shown !== reading) return; // it is read again already
    this.#lines = reading.lines.map((line) => new Corrected(line));
    this.#picture = new Picture(image, size, reading, {
      onpoint: (at, word) => this.#light(at, word),
      onpick: (at, word) => this.#rows[at].pick(word),
    });
    this.#rows = this.#lines.map((line, at) => this.#row(line, at));
    this.#saving = new Saving(item, this.#lines, {
      documentOf: () => item.document || this.documentName(),
      onall: () => this.#rows.forEach((row) => row.confirm()),
    });
    const wide = size.width > 2.2 * size.height && reading.level !== "page";
    this.body.className = `body read ${wide ? "stacked" : "beside"}`;
    this.body.replaceChildren(this.#picture.element, this.#texts());
    this.#say();
    this.older.replaceChildren();
    this.compare();
  }

  #say() {
    const { reading, said } = this.item;
    const { level, lines, confidence, timing_ms, model: by } = reading;
    const { total } = timing_ms;
    const parts = [
      `Read as ${LEVELS[level]}`,
      ...(level === "page" ? [plural(lines.length, "line")] : []),
      ...(lines.length ? [`${percent(confidence)} sure`] : []),
      total < 100 ? `${Math.ceil(total)} ms` : `${(total / 1000).toFixed(1)} s`,
      `version ${by.version}`,
    ];
    this.meta.textContent = said ? sentences(parts.join(" · "), said) : parts.join(" · ");
  }

  #row(line, at) {
    const page = this.item.reading.level === "page";
    return new LineRow(line, {
      name: page ? `Line ${at + 1}` : "The text",
      number: page ? String(at + 1) : "",
      onlight: (word) => (word === undefined ? this.#light(null, null) : this.#light(at, word)),
      onchange: () => {
        this.#picture.check(at, line.checked);
        this.#saving.show();
      },
      onnext: () => (this.#rows[at + 1] ?? this.#saving).focus(),
    });
  }

  #texts() {
    const list = make("ol", { class: "lines" }, ...this.#rows.map((row) => row.element));
    const texts = make("div", { class: "texts" });
    texts.append(this.#rows.length ? list : make("p", { class: "hint" }, "No writing was found on it."));
    if (this.#rows.length) texts.append(this.#legend(), this.#tools(), this.#saving.element);
    return texts;
  }

  #legend() {
    const marked = this.item.reading.lines.some((line) =>
      line.words.some((word) => certainty(word.confidence) !== "sure"),
    );
    if (!marked) return "";
    const keys = LEGEND.map(([kind, text]) =>
      make("li", {}, make("span", { class: `word ${kind}`, "aria-hidden": "true" }, "abc"), ` ${text}`),
    );
    return make("ul", { class: "legend", "aria-label": "How words are marked" }, ...keys);
  }

  #tools() {
    const name = stem(this.item.name);
    const file = (label, suffix, type, text) => {
      const load = () => {
        this.take();
        download(`${name}.${suffix}`, text(), type);
      };
      return button(label, null, load, { "aria-label": `Download as ${label}` });
    };
    const { item } = this;
    return make(
      "div",
      { class: "tools" },
      button("Copy", "copy", async ({ currentTarget }) => {
        if (await copied(this.text, currentTarget)) this.take();
      }),
      make("span", { class: "tools-name", "aria-hidden": "true" }, icon("save"), "Download"),
      file("Text", "txt", "text/plain", () => `${textOf(this.#lines)}\n`),
      file("PAGE XML", "xml", "application/xml", () =>
        pageXmlOf(item.sent.name || item.name, this.#picture.size, this.#lines),
      ),
      file("JSON", "json", "application/json", () => jsonOf(item, this.#lines)),
    );
  }

  #light(at, word) {
    if (at === null) {
      // where somebody writes stays lit
      at = this.#rows.findIndex((row) => row.field === document.activeElement);
      if (at < 0) at = null;
    }
    this.#picture.light(at, word);
    this.#rows.forEach((row, each) => row.light(each === at, word));
  }
}
