// The API key, where the service wants one: kept for this tab, sent as X-API-Key.

import { byId } from "./elements.js";
import { thisTab } from "./store.js";

const STORE = "handwriting.key";

let asking = null;
let refused = false;

export const key = () => thisTab.get(STORE);

export function forgetKey() {
  thisTab.remove(STORE);
}

/** Whether somebody said "not now": what runs by itself does not ask again. */
export const keyRefused = () => refused;

/** Ask for a key; true once there is one. `wrong`: the one that was not known, if any. */
export function askForKey(wrong) {
  if (wrong !== key()) return Promise.resolve(true); // another was given meanwhile
  asking ??= ask(Boolean(wrong)).finally(() => (asking = null));
  return asking;
}

function ask(wrong) {
  const dialog = byId("key");
  const field = byId("key-field");
  field.value = "";
  field.setAttribute("aria-invalid", String(wrong));
  byId("key-wrong").textContent = wrong ? "This key is not known here." : "";
  dialog.showModal();
  field.focus();
  return new Promise((resolve) => {
    const end = (given) => {
      byId("key-form").onsubmit = byId("key-later").onclick = dialog.oncancel = null;
      refused = !given;
      if (dialog.open) dialog.close();
      resolve(given);
    };
    byId("key-form").onsubmit = (event) => {
      event.preventDefault();
      // what no header can hold is no key of this service
      thisTab.set(STORE, field.value.trim().replace(/[^\x21-\x7e]/g, "?"));
      end(true);
    };
    byId("key-later").onclick = () => end(false);
    dialog.oncancel = () => end(false);
  });
}
