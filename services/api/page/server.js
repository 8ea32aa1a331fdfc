// Calls to the service this page came from, and what goes wrong with them.

import { askForKey, key, keyRefused } from "./keys.js";

const BASE = new URL("../", import.meta.url);
const KIND = "urn:handwriting:problem:";
export const UNREADABLE = "unreadable-answer";

/** What the service answered in place of a reading, or that it did not (`status` is 0), or that
    there was nothing to send it (null). */
export class Problem extends Error {
  constructor({ type = "", title, detail = "", status = 0 }, retryAfter = null) {
    super(title);
    this.kind = type.startsWith(KIND) ? type.slice(KIND.length) : "";
    this.title = title;
    this.detail = detail;
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

export const address = (path) => new URL(path, BASE).href;

/** The answer as JSON, null where there is none. Asks for a key where one is needed. */
export async function ask(path, { byItself = false, ...request } = {}) {
  for (;;) {
    const sent = key();
    const answer = await send(path, request, sent);
    if (answer.ok) return answer.status === 204 ? null : told(answer);
    const problem = await problemOf(answer);
    const may = answer.status === 401 && !(byItself && keyRefused());
    if (!may || !(await askForKey(sent))) throw problem;
  }
}

async function send(path, request, sent) {
  try {
    const headers = sent ? { "X-API-Key": sent } : {};
    return await fetch(address(path), { ...request, headers, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    if (await gone(request.body)) {
      throw new Problem({
        title: "The file cannot be read any more",
        detail: "It was changed, moved or deleted since, or is a folder. Add it again.",
        status: null,
      });
    }
    throw new Problem({
      title: "The service cannot be reached",
      detail: "Either it is not running, or the network is away.",
    });
  }
}

/** Whether the image of a form is no longer where it was: it is read only when it is sent. */
async function gone(body) {
  const file = body instanceof FormData ? body.get("image") : null;
  if (!file) return false;
  return file.arrayBuffer().then(
    () => false,
    () => true,
  );
}

async function told(answer) {
  try {
    return await answer.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({
      type: `${KIND}${UNREADABLE}`,
      title: "The answer cannot be read",
      detail: "It broke off, or something between here and the service answered in its place.",
    });
  }
}

/** Of a Retry-After, which is a number or a date; null where it is neither. */
function secondsOf(text) {
  const seconds = Number(text) || Math.ceil((Date.parse(text) - Date.now()) / 1000);
  return seconds > 0 ? seconds : null;
}

async function problemOf(answer) {
  const retryAfter = secondsOf(answer.headers.get("Retry-After"));
  try {
    const told = await answer.json();
    if (told.title) return new Problem({ ...told, status: answer.status }, retryAfter);
  } catch {
    // a proxy in between answers pages of its own
  }
  const { status } = answer;
  return new Problem({ title: `The service answered ${status}`, status }, retryAfter);
}
