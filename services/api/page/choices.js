// The small menu of other readings under a line.

import { make, percent } from "./elements.js";
import { tokens } from "./reading.js";

let opened = null;

/** `groups`: `{name, note, choices: [{shown, text, confidence}]}`; `onchoose` gets a choice. */
export function openChoices(row, groups, { onchoose, onleave }) {
  closeChoices();
  const menu = make("div", { class: "choices", role: "menu", "aria-label": "Other readings" });
  for (const { name, note, choices, besides = "" } of groups) {
    const group = make("div", { role: "group", "aria-label": name });
    group.append(make("p", { class: "choices-name", "aria-hidden": "true" }, name, make("span", {}, note)));
    for (const choice of choices) {
      const item = make("button", {
        type: "button",
        role: "menuitem",
        tabindex: "-1",
        class: "choice",
        onclick: () => {
          onchoose(choice);
          closeChoices();
        },
        // the line keeps the focus where a pointer chooses
        onpointerdown: (event) => event.preventDefault(),
      });
      item.append(make("span", {}, ...marked(choice.shown, besides)));
      item.append(make("span", { class: "share" }, percent(choice.confidence)));
      group.append(item);
    }
    menu.append(group);
  }
  menu.addEventListener("keydown", (event) => move(event, menu, onleave));
  menu.addEventListener("focusout", (event) => {
    if (!row.contains(event.relatedTarget)) closeChoices();
  });
  row.append(menu);
  row.classList.add("open");
  opened = { row, menu };
}

export function closeChoices() {
  const closed = opened;
  opened = null; // before it is gone: the focus leaves it then, and that closes it, too
  closed?.menu.remove();
  closed?.row.classList.remove("open");
}

export const choicesOf = (row) => (opened?.row === row ? opened.menu : null);

export function enterChoices() {
  opened?.menu.querySelector(".choice")?.focus();
}

/** A text, the words that another has not set off. */
function marked(text, besides) {
  const known = new Set(tokens(besides).map((token) => token.text));
  if (!known.size) return [text];
  return tokens(text).flatMap(({ text: word }) => [known.has(word) ? word : make("b", {}, word), " "]);
}

function move(event, menu, onleave) {
  const items = [...menu.querySelectorAll(".choice")];
  const at = items.indexOf(document.activeElement);
  const steps = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 };
  if (event.key in steps) {
    event.preventDefault();
    items[(steps[event.key] + items.length) % items.length].focus();
  } else if (event.key === "Escape" || event.key === "Tab") {
    event.preventDefault();
    event.stopPropagation();
    onleave(); // first: the focus has not left the line then
    closeChoices();
  }
}
