// How images are read: level and decoder are remembered, the document is not.

import { byId, make } from "./elements.js";
import { always } from "./store.js";

const LEVELS = {
  auto: ["Anything", "It is found out by itself: a word, a line or a whole page."],
  word: ["One word", "The image is cut close around one word."],
  line: ["One line", "The image is cut close around one line."],
  page: ["A page", "Lines are found on the page, put in order and read."],
};

const DECODERS = {
  auto: ["Best", "The one of these that makes the fewest mistakes with the version in use."],
  greedy: ["Greedy", "Takes the likeliest character at each place. The fastest."],
  beam: ["Beam", "Weighs whole texts with what it knows of the language. A little slower, fewer mistakes."],
  lexicon: ["Lexicon", "Prefers words of its word list. Good for everyday words, less so for names."],
};

const TEXTS = { level: LEVELS, decoder: DECODERS };

const store = (name) => `handwriting.${name}`;

export class Options {
  #offered = { level: [], decoder: [] };

  constructor() {
    const root = byId("options");
    root.open = matchMedia("(min-width: 48rem)").matches;
    for (const name of ["level", "decoder"]) {
      byId(name).addEventListener("change", () => {
        always.set(store(name), byId(name).value);
        this.#say();
      });
    }
    byId("document").addEventListener("input", () => this.#say());
  }

  get level() {
    return byId("level").value || "auto";
  }

  get decoder() {
    return byId("decoder").value || "auto";
  }

  get document() {
    return byId("document").value.trim();
  }

  /** What the version in use can do. */
  offer({ levels, decoders }) {
    this.#fill("level", levels);
    this.#fill("decoder", decoders);
    this.#say();
  }

  #fill(name, offered) {
    if (String(offered) === String(this.#offered[name])) return;
    this.#offered[name] = offered;
    const wishes = [always.get(store(name)), "auto", offered[0]];
    const field = byId(name);
    field.replaceChildren(
      ...offered.map((value) => make("option", { value }, TEXTS[name][value]?.[0] ?? value)),
    );
    field.value = wishes.find((wish) => offered.includes(wish)) ?? "";
  }

  #say() {
    const texts = ["level", "decoder"].map((name) => TEXTS[name][byId(name).value] ?? ["", ""]);
    byId("level-hint").textContent = texts[0][1];
    byId("decoder-hint").textContent = texts[1][1];
    const parts = [...texts.map((each) => each[0].toLowerCase()), this.document];
    byId("options-said").textContent = parts.filter(Boolean).join(" · ");
  }
}
