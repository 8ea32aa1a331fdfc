// Which version is served, asked for every few seconds while somebody looks or images wait for it.

import { ask } from "./server.js";

const SECONDS = 5;

/** `change` follows each answer; `state` is that of `GET /model`, `problem` why there is none. */
class Model extends EventTarget {
  state = null;
  problem = null;
  /** Whether somebody waits for it, though nobody looks at the page. */
  wanted = () => false;
  #timer = 0;
  #asking = null;

  watch() {
    document.addEventListener("visibilitychange", () => this.refresh());
    return this.refresh();
  }

  get version() {
    return this.problem ? null : (this.state?.version ?? null);
  }

  /** `hidden`: also while nobody looks. */
  refresh({ hidden = this.wanted() } = {}) {
    clearTimeout(this.#timer);
    if (document.hidden && !hidden) return Promise.resolve();
    this.#asking ??= this.#ask().finally(() => (this.#asking = null));
    return this.#asking;
  }

  async #ask() {
    const before = this.version;
    try {
      this.state = await ask("model", { byItself: true });
      this.problem = null;
    } catch (problem) {
      this.problem = problem;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.refresh(), SECONDS * 1000);
    this.dispatchEvent(new CustomEvent("change", { detail: { before } }));
  }
}

export const model = new Model();
