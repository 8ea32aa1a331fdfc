// What is remembered; where the browser keeps nothing, for as long as the page is open.

const memory = new Map();

/** `kept`: gives sessionStorage or localStorage, which some browsers refuse. */
const remembering = (kept) => ({
  get(name) {
    try {
      return kept().getItem(name) ?? memory.get(name) ?? null;
    } catch {
      return memory.get(name) ?? null;
    }
  },
  set(name, value) {
    try {
      kept().setItem(name, value);
    } catch {
      memory.set(name, value);
    }
  },
  remove(name) {
    memory.delete(name);
    try {
      kept().removeItem(name);
    } catch {
      // nothing was kept
    }
  },
});

export const thisTab = remembering(() => sessionStorage);
export const always = remembering(() => localStorage);
