// A line of a reading: text that can be written in, with its words shaded by how sure they are.

import { choicesOf, closeChoices, enterChoices, openChoices } from "./choices.js";
import { certainty } from "./confidence.js";
import { announce, icon, make, percent, round } from "./elements.js";

const SAID = { sure: "", unsure: "unsure", doubtful: "doubtful" };

export class LineRow {
  #before = null;
  #tokens = [];

  /** `onlight(word)`, `onchange()`, `onnext()`: what the card does about it. */
  constructor(corrected, { name, number, onlight, onchange, onnext }) {
    Object.assign(this, { corrected, name, onlight, onchange, onnext });
    this.shade = make("div", { class: "shade", "aria-hidden": "true" });
    this.field = make("textarea", {
      rows: "1",
      spellcheck: "false",
      autocapitalize: "off",
      autocomplete: "off",
      onfocus: () => this.#enter(),
      onblur: () => this.onlight(undefined),
      oninput: () => this.#typed(),
      onkeydown: (event) => this.#key(event),
      onclick: () => this.#clicked(),
      onkeyup: () => this.onlight(this.#atCaret()?.index ?? null),
      onpointermove: (event) => this.#hover(event),
      onpointerleave: () => this.onlight(undefined),
    });
    this.tick = make("button", { type: "button", class: "tick", onclick: () => this.#toggle() });
    this.tick.append(icon("tick"));
    const more = { class: "round quiet", "aria-haspopup": "menu" };
    this.more = round(`Other readings of ${name}`, "more", () => this.#open({ enter: true }), more);
    const text = make("div", { class: "text" }, this.shade, this.field);
    const count = make("span", { class: "number", "aria-hidden": "true" }, number);
    const onfocusout = (event) => this.#leave(event);
    this.element = make("li", { class: "line", onfocusout }, count, text, this.more, this.tick);
    this.show();
  }

  show() {
    const { corrected, field } = this;
    if (field.value !== corrected.text) field.value = corrected.text;
    this.#tokens = corrected.tokens;
    this.#shade();
    const { checked, edited } = corrected;
    this.element.classList.toggle("checked", checked);
    this.element.classList.toggle("edited", edited);
    this.tick.setAttribute("aria-pressed", String(checked));
    this.tick.setAttribute("aria-label", `${this.name} is right`);
    this.tick.title = checked ? "Checked" : "Right as it is";
    this.more.hidden = !this.#groups(null).length;
    field.setAttribute("aria-label", this.#label());
  }

  confirm() {
    this.corrected.checked = true;
    this.#changed();
  }

  focus(word = null) {
    this.field.focus();
    const token = this.#tokens.find((each) => each.index === word);
    if (token) this.field.setSelectionRange(token.end, token.end);
  }

  pick(word) {
    this.focus(word);
    this.#clicked();
  }

  light(on, word) {
    this.element.classList.toggle("lit", on);
    for (const [at, span] of [...this.shade.querySelectorAll(".word")].entries()) {
      span.classList.toggle("lit", on && word !== null && this.#tokens[at].index === word);
    }
  }

  #shade() {
    const { text, checked } = this.corrected;
    const parts = [];
    let end = 0;
    for (const token of this.#tokens) {
      // what a person has looked at is no longer doubtful
      const kind = token.same && !checked ? certainty(token.word.confidence) : "sure";
      parts.push(text.slice(end, token.start), make("span", { class: `word ${kind}` }, token.text));
      end = token.end;
    }
    this.shade.replaceChildren(...parts, `${text.slice(end)}\u200b`);
  }

  #label() {
    const { line, checked, edited } = this.corrected;
    if (edited) return `${this.name}, corrected`;
    if (checked) return `${this.name}, checked`;
    const doubts = line.words
      .filter((word) => certainty(word.confidence) !== "sure")
      .map((word) => `${word.text} ${SAID[certainty(word.confidence)]}, ${percent(word.confidence)}`);
    return [`${this.name}, ${percent(line.confidence)} sure`, ...doubts].join("; ");
  }

  #enter() {
    const { text, checked } = this.corrected;
    this.#before ??= { text, checked };
    this.onlight(this.#atCaret()?.index ?? null);
  }

  /** By the field or by one of its buttons: from then on Escape takes back what comes next. */
  #leave({ relatedTarget }) {
    if (this.element.contains(relatedTarget)) return;
    closeChoices();
    this.#before = null;
  }

  #typed() {
    const { field, corrected } = this;
    const value = field.value.replace(/\s*\p{Cc}\s*/gu, " ");
    if (value !== field.value) field.value = value;
    corrected.text = value;
    corrected.checked = corrected.edited || Boolean(this.#before?.checked);
    closeChoices();
    this.#changed();
    this.onlight(this.#atCaret()?.index ?? null);
  }

  #key(event) {
    if (event.isComposing) return;
    const menu = choicesOf(this.element);
    if (event.key === "Enter") {
      event.preventDefault();
      closeChoices();
      this.confirm();
      const { text, checked } = this.corrected;
      this.#before = { text, checked }; // where there is no next, Escape comes back to here
      this.onnext();
    } else if (event.key === "Escape") {
      if (menu) closeChoices();
      else this.#takeBack();
    } else if (event.key === "ArrowDown" && (menu || event.altKey)) {
      event.preventDefault();
      if (!menu) this.#open();
      enterChoices();
    }
  }

  #takeBack() {
    const before = this.#before;
    if (!before || before.text === this.corrected.text) return;
    Object.assign(this.corrected, before);
    this.#changed();
    announce("Taken back.");
  }

  #toggle() {
    this.corrected.checked = !this.corrected.checked;
    // of another text than the one before it says nothing
    if (this.#before?.text === this.corrected.text) this.#before.checked = this.corrected.checked;
    this.#changed();
  }

  #changed() {
    this.show();
    this.onchange();
  }

  #clicked() {
    const { selectionStart, selectionEnd } = this.field;
    if (selectionStart === selectionEnd) this.#open();
  }

  #atCaret() {
    const at = this.field.selectionStart;
    return this.#tokens.find((token) => token.start <= at && at <= token.end) ?? null;
  }

  #groups(token) {
    const groups = [];
    const choices = token ? this.corrected.choices(token) : [];
    if (choices.length) {
      const note = token.same ? `${percent(token.word.confidence)} sure` : "";
      groups.push({ name: `In place of “${token.text}”`, note, choices });
    }
    const { text } = this.corrected;
    const others = this.corrected.others.filter((other) => !choices.some((each) => each.text === other.text));
    if (others.length) groups.push({ name: "The whole line", note: "", choices: others, besides: text });
    return groups;
  }

  #open({ enter = false } = {}) {
    const token = this.#atCaret();
    const groups = this.#groups(token);
    if (!groups.length) return closeChoices();
    openChoices(this.element, groups, {
      onleave: () => this.field.focus(),
      onchoose: (choice) => {
        this.#before ??= { text: this.corrected.text, checked: this.corrected.checked };
        this.corrected.text = choice.text;
        this.corrected.checked = true;
        this.#changed();
        this.field.focus();
        announce(`${this.name} is now: ${choice.text}`);
      },
    });
    if (enter) enterChoices();
  }

  /** The field lies over the shaded words, so that it is asked here which of them is pointed at. */
  #hover({ clientX, clientY }) {
    const inside = (box) =>
      box.left <= clientX && clientX <= box.right && box.top <= clientY && clientY <= box.bottom;
    const spans = [...this.shade.querySelectorAll(".word")];
    const at = spans.findIndex((span) => [...span.getClientRects()].some(inside));
    const token = this.#tokens[at];
    this.onlight(token?.index ?? null);
    const { checked } = this.corrected;
    const told = token?.same && !checked ? `${token.text}: ${percent(token.word.confidence)} sure` : "";
    if (this.field.title !== told) this.field.title = told;
  }
}
