// Images that are read one after another, two at a time.

import { model } from "./model.js";
import { ask, Problem, UNREADABLE } from "./server.js";
import { prepared } from "./shrink.js";

const AT_ONCE = 2;
const MOST_TRIES = 6;
const ALTERNATIVES = 5;
const LONGEST_WAIT = 60;
// bytes that a slow network may not bring in time, and those below which it is not that
const HEAVY = 1_000_000;
const LIGHT = 300_000;

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

  /** Why it is not read at once, while it is pausing. */
  get busy() {
    return [429, 503].includes(this.problem?.status) ? "The service is busy" : this.problem?.title;
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
    model.wanted = () => this.items.some((item) => item.status === "waiting");
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

  /** `bytes`: no more than those. */
  async #prepared(item, { smaller = false, bytes = Infinity } = {}) {
    const { limits } = model.state;
    const most = { ...limits, bytes: Math.min(limits.bytes, bytes) };
    const { file, said } = await prepared(item.file, most, { smaller });
    return { sent: file, said };
  }

  /** A third of what was sent, or so; false where that cannot be made or would be lost on it. */
  async #lighten(item) {
    const { size } = item.sent;
    if (size <= LIGHT) return false;
    try {
      const made = await this.#prepared(item, { smaller: true, bytes: Math.max(LIGHT, size / 3) });
      if (made.sent.size >= size) return false;
      Object.assign(item, made);
      return true;
    } catch {
      return false; // the browser cannot: what the service said stands
    }
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
    if (problem.kind === "no-model" || isAway(problem)) {
      await model.refresh({ hidden: true });
      item.stop.signal.throwIfAborted();
      if (model.version === null) {
        item.become("waiting");
        return false;
      }
    }
    if (problem.kind === "too-many-pixels" && item.sent === item.file) {
      Object.assign(item, await this.#prepared(item, { smaller: true }));
      if (item.sent !== item.file) return true;
    }
    const lighter = isTooHeavy(problem, item) && (await this.#lighten(item));
    item.stop.signal.throwIfAborted();
    if (lighter) return true;
    if (item.tries >= triesOf(problem)) throw problem;
    const wait = Math.min(problem.retryAfter ?? 2, LONGEST_WAIT);
    item.become("pausing", { wait, problem });
    await pause(wait, item.stop.signal);
    item.become("reading", { problem: null });
    return true;
  }
}

const isAway = ({ status }) => AWAY.includes(status);

/** It did not arrive in time, it breaks off again and again, or a proxy takes no more. */
function isTooHeavy({ status, kind }, { sent, tries }) {
  if (status === 408 || (status === 413 && !kind)) return true;
  return AWAY.includes(status) && kind !== UNREADABLE && tries > 1 && sent.size > HEAVY;
}

/** How often an image is sent, at most, before this is the end of it. */
export function triesOf(problem) {
  if ([429, 503].includes(problem.status)) return MOST_TRIES;
  return isAway(problem) || problem.status === 408 ? 2 : 1;
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
