// Corrections that the service keeps, where it keeps any.

import { ask } from "./server.js";

/** `change` follows each answer; `kept` is null until the service has said. */
class Corrections extends EventTarget {
  kept = null;
  days = null;

  #asking = null;

  refresh() {
    this.#asking ??= this.#ask().finally(() => (this.#asking = null));
    return this.#asking;
  }

  async #ask() {
    try {
      Object.assign(this, await ask("corrections", { byItself: true }));
    } catch (problem) {
      if (problem.status !== 404) return; // it is asked again with the next poll
      this.kept = false;
    }
    this.dispatchEvent(new Event("change"));
  }

  get stored() {
    const time = this.days === null ? "until they are deleted" : `for ${this.days} days`;
    return `The image and the checked lines are stored on this server ${time}`;
  }

  /** What was read, and what it says in truth: the checked lines only. */
  save(item, lines, documentName) {
    const { level, model } = item.reading;
    const checked = lines.filter((line) => line.checked);
    const correction = {
      lines: checked.map(({ line, text }) => ({
        box: line.box,
        polygon: line.polygon,
        baseline: line.baseline,
        reading: line.text,
        text,
      })),
      level,
      model,
      ...(documentName ? { document: documentName } : {}),
    };
    const body = new FormData();
    body.append("image", item.sent, item.sent.name || item.name);
    body.append("correction", JSON.stringify(correction));
    return ask("corrections", { method: "POST", body });
  }

  remove(id) {
    return ask(`corrections/${encodeURIComponent(id)}`, { method: "DELETE" });
  }
}

export const corrections = new Corrections();
