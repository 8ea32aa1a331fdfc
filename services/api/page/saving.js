// The foot of a card: which lines are checked, and saving them.

import { corrections } from "./corrections.js";
import { announce, button, byId, make, plural } from "./elements.js";

export class Saving {
  #taken = "";
  #busy = false;
  #wrong = "";

  /** `documentOf()`: what the image is a part of, when it is saved. */
  constructor(item, lines, { documentOf, onall }) {
    Object.assign(this, { item, lines, documentOf });
    this.text = make("p", { class: "checked-text" });
    this.hint = make("p", { class: "hint" });
    this.wrong = make("p", { class: "wrong", role: "alert" });
    this.all = button("All lines are right", "tick", () => {
      onall();
      this.focus(); // the button goes
    });
    this.button = button("Save corrections", null, () => this.save(), { class: "button small main" });
    this.undo = button("Delete again", null, () => this.remove());
    const row = make("div", { class: "foot-row" }, this.text, this.undo, this.all, this.button);
    this.element = make("div", { class: "saving" }, row, this.wrong, this.hint);
    this.#listener = () => this.show();
    corrections.addEventListener("change", this.#listener);
    byId("document").addEventListener("input", this.#listener);
    this.show();
  }

  #listener;

  /** The card is gone. */
  end() {
    corrections.removeEventListener("change", this.#listener);
    byId("document").removeEventListener("input", this.#listener);
  }

  /** It was copied or downloaded as it is now. */
  take() {
    this.#taken = this.#state;
  }

  /** Whether something was written or checked here that is nowhere else yet. */
  get open() {
    const elsewhere = [this.item.saved?.state, this.#taken].includes(this.#state);
    const done = (line) => line.edited || (corrections.kept && line.checked);
    return !elsewhere && this.lines.some(done);
  }

  /** What would be saved now: a name given afterwards belongs to it, too. */
  get #whole() {
    return JSON.stringify([this.documentOf(), this.#state]);
  }

  get #state() {
    return JSON.stringify(this.lines.map(({ text, checked }) => checked && text));
  }

  show() {
    const count = this.lines.filter((line) => line.checked).length;
    const current = this.item.saved?.whole === this.#whole;
    this.element.hidden = !corrections.kept;
    this.text.textContent = current
      ? `Saved: ${plural(this.item.saved.lines, "line")}.`
      : `${count} of ${plural(this.lines.length, "line")} checked`;
    this.all.hidden = this.lines.length === 1 || count === this.lines.length;
    this.button.hidden = current;
    this.button.disabled = !count || this.#busy;
    this.undo.hidden = !this.item.saved;
    this.undo.disabled = this.#busy;
    // written anew it would be read out anew
    if (this.wrong.textContent !== this.#wrong) this.wrong.textContent = this.#wrong;
    const name = this.documentOf();
    this.hint.textContent = `${corrections.stored}${name ? `, as a part of “${name}”` : ""}.`;
  }

  focus() {
    if (!this.element.hidden && !this.button.disabled) this.button.focus();
  }

  save() {
    return this.#do(async () => {
      const [state, whole] = [this.#state, this.#whole];
      const before = this.item.saved;
      const { id, lines } = await corrections.save(this.item, this.lines, this.documentOf());
      // the newer has all that the older had, which go; those that cannot go now are remembered
      const older = [...(before?.older ?? []), before?.id].filter((each) => each && each !== id);
      this.item.saved = { id, lines, state, whole, older };
      await this.#removeOlder();
      announce(`Saved: ${plural(lines, "line")}.`);
    }, this.undo);
  }

  remove() {
    return this.#do(async () => {
      await this.#removeOlder();
      await corrections.remove(this.item.saved.id).catch(unlessGone);
      this.item.saved = null;
      announce("Deleted from the server.");
    }, this.button);
  }

  async #removeOlder() {
    const { older } = this.item.saved;
    while (older.length) {
      await corrections.remove(older[0]).catch(unlessGone);
      older.shift();
    }
  }

  async #do(work, next) {
    this.#busy = true;
    this.#wrong = "";
    this.show();
    try {
      await work();
    } catch (problem) {
      this.#wrong = [problem.title ?? String(problem), problem.detail].filter(Boolean).join(": ");
      if (problem.kind === "corrections-off") corrections.refresh();
    }
    this.#busy = false;
    const focused = this.element.contains(document.activeElement) || document.activeElement === document.body;
    this.show();
    if (focused && !next.hidden && !this.#wrong) next.focus();
  }
}

/** What is no longer there, as its time was over, need not be removed. */
function unlessGone(problem) {
  if (problem.kind !== "no-such-correction") throw problem;
}
