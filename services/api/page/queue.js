// Images that are read one after another, two at a time.

import { model } from "./model.js";
import { ask, Problem } from "./server.js";
import { prepared } from "./shrink.js";

const AT_ONCE = 2;
export const MOST_TRIES = 6;
const ALTERNATIVES = 5;
const LONGEST_WAIT = 60;

// no answer at all, or one from a proxy in front of it
const AWAY = [0, 502, 504];

/** An image on its way: waiting, reading, pausing, read or failed. `change` follows each step. */
export class Item extends EventTarget {
  status = "waiting";
  problem = null;
  reading = null;
  /** What the server keeps of it: it outlives a second reading. */
  saved = null;
  sent = null;
  said = "";
  wait = 0;
  tries = 0;
  stop = new AbortController();

  constructor(file, name, document) {
    super();
    this.file = file;
    this.name = name;
    this.document = document;
  }

  become(status, changes = {}) {
    Object.assign(this, changes, { status });
    this.dispatchEvent(new Event("change"));
  }

  get over() {
    return this.status === "read" || this.status === "failed";
  }
}

/** `change` follows whatever happens to one of its items. */
export class Queue extends EventTarget {
  items = [];
  #options;
  #running = 0;

  constructor(options) {
    super();
    this.#options = options;
    model.addEventListener("change", () => this.#next());
  }

  add(items) {
    this.items.push(...items);
    for (const item of items) {
      item.addEventListener("change", () => this.dispatchEvent(new Event("change")));
    }
    this.dispatchEvent(new Event("change"));
    this.#next();
  }

  again(item) {
    item.stop = new AbortController();
    item.become("waiting", { problem: null, tries: 0 });
    this.#next();
  }

  remove(item) {
    item.stop.abort();
    this.items = this.items.filter((each) => each !== item);
    this.dispatchEvent(new Event("change"));
  }

  #next() {
    while (this.#running < AT_ONCE && model.version !== null) {
      const item = this.items.find((each) => each.status === "waiting");
      if (!item) return;
      this.#running++;
      this.#read(item).finally(() => {
        this.#running--;
        this.#next();
      });
    }
  }

  async #read(item) {
    try {
      item.become("reading");
      Object.assign(item, await this.#prepared(item));
      for (item.tries = 1; ; item.tries++) {
        try {
          const reading = await this.#predict(item);
          item.become("read", { reading });
          return;
        } catch (problem) {
          if (!(await this.#overcome(item, problem))) return;
        }
      }
    } catch (problem) {
      if (item.stop.signal.aborted) return; // nobody waits for it any more
      const known = problem instanceof Problem ? problem : new Problem({ title: String(problem) });
      item.become("failed", { problem: known });
    }
  }

  async #prepared(item, more) {
    const { file, said } = await prepared(item.file, model.state.limits, more);
    return { sent: file, said };
  }

  #predict(item) {
    const body = new FormData();
    body.append("image", item.sent, item.sent.name || item.name);
    const { level, decoder } = this.#options;
    const query = new URLSearchParams({ level, decoder, alternatives: ALTERNATIVES });
    return ask(`predict?${query}`, { method: "POST", body, signal: item.stop.signal });
  }

  /** True where it should be sent once more, false where it goes back into the queue. */
  async #overcome(item, problem) {
    // a service that is away comes back, and then its model is told to be there
    if (problem.kind === "no-model" || AWAY.includes(problem.status)) {
      await model.refresh({ hidden: true });
      if (model.version === null) {
        item.become("waiting");
        return false;
      }
    }
    if (problem.kind === "too-many-pixels" && item.sent === item.file) {
      Object.assign(item, await this.#prepared(item, { smaller: true }));
      if (item.sent !== item.file) return true;
    }
    if (problem.status !== 503 || item.tries >= MOST_TRIES) throw problem;
    const wait = Math.min(problem.retryAfter ?? 2, LONGEST_WAIT);
    item.become("pausing", { wait, problem });
    await pause(wait, item.stop.signal);
    item.become("reading", { problem: null });
    return true;
  }
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
