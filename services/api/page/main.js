// The page: its parts, and what passes between them.

import { Card } from "./card.js";
import { corrections } from "./corrections.js";
import { announce, button, byId, plural, sentences } from "./elements.js";
import { copied } from "./files.js";
import { takeIn } from "./intake.js";
import { askForKey, key } from "./keys.js";
import { model } from "./model.js";
import { Options } from "./options.js";
import { Pad } from "./pad.js";
import { fillPanel } from "./panel.js";
import { Item, Queue } from "./queue.js";
import { address } from "./server.js";

const options = new Options();
const queue = new Queue(options);
const cards = new Map();
// images that a screen reader is told of one by one; of more it is told how many, so many ms apart
const FEW = 3;
const TELL_EVERY = 5000;
let toldAt = 0;

function add(files) {
  const items = files.map((file) => new Item(file, file.name || "pasted.png", options.document));
  const made = items.map((item) => {
    const card = new Card(item, {
      onagain: () => queue.again(item),
      onremove: () => remove(item),
      documentName: () => options.document,
    });
    cards.set(item, card);
    item.addEventListener("change", () => say(item));
    return card.element;
  });
  byId("cards").prepend(...made);
  if (!document.body.classList.contains("busy")) byId("options").open = false;
  document.body.classList.add("busy");
  byId("kept").hidden = corrections.kept !== false;
  queue.add(items);
  made[0]?.scrollIntoView({ block: "nearest" });
}

/** The cards as they stand on the page. */
function standing() {
  const all = [...cards.values()];
  return [...byId("cards").children].map((element) => all.find((each) => each.element === element));
}

function remove(item) {
  const card = cards.get(item);
  if (card.open && !confirm("What you have done on this card is not saved. Remove it?")) return;
  const all = standing();
  const at = all.indexOf(card);
  const next = all[at + 1] ?? all[at - 1];
  drop(item);
  announce(`${item.name} removed.`);
  (next?.title ?? byId("choose")).focus();
}

function drop(item) {
  const card = cards.get(item);
  queue.remove(item);
  card.end();
  card.element.remove();
  cards.delete(item);
  if (cards.size) return;
  document.body.classList.remove("busy");
  byId("kept").hidden = true;
}

function clear() {
  const open = [...cards.values()].some((card) => card.open);
  if (open && !confirm("What you have done is not saved. Clear all?")) return;
  for (const item of [...cards.keys()]) drop(item);
  announce("All cleared.");
  byId("choose").focus();
}

/** What a screen reader is told of one image. */
function say(item) {
  const { status, name, reading, problem } = item;
  const lines = reading?.lines.length ?? 0;
  if (status === "failed") announce(`${name} could not be read: ${problem.title}.`);
  else if (queue.items.length > FEW) return; // the tally says enough
  else if (status === "read") announce(`${name} read, ${plural(lines, "line")}.`);
  else if (status === "pausing") announce(`${item.busy}; ${name} is tried again by itself.`);
}

function tally() {
  const { items } = queue;
  const count = items.filter((item) => item.over).length;
  const failed = items.filter((item) => item.status === "failed").length;
  byId("tally").hidden = !items.length;
  byId("progress").max = Math.max(1, items.length);
  byId("progress").value = count;
  byId("progress").hidden = count === items.length;
  const broken = failed ? `, ${failed} failed` : "";
  const text = `${count - failed} of ${items.length} read${broken}`;
  const before = byId("tally-text").textContent;
  byId("tally-text").textContent = text;
  if (items.length > 1 && count && text !== before && mayTell(count === items.length)) {
    announce(`${text}.`);
  }
  byId("copy-all").hidden = !items.some((item) => item.status === "read");
}

/** Of many images how far they are is told now and then, and at their end. */
function mayTell(all) {
  if (queue.items.length > FEW && !all && Date.now() - toldAt < TELL_EVERY) return false;
  toldAt = Date.now();
  return true;
}

function showModel({ detail: { before } }) {
  const { state, problem, version } = model;
  const pill = byId("model");
  const trouble = state?.registry_error || state?.reload_error;
  pill.dataset.state = problem ? "away" : version === null ? "none" : trouble ? "trouble" : "ready";
  byId("model-text").textContent = problem
    ? problem.status === 401
      ? "API key needed"
      : "Not reachable"
    : version === null
      ? "No model yet"
      : `Version ${version}`;
  byId("stage").textContent = version === null ? "" : ` · ${state.stage}`;
  notice(state, problem, version);
  if (version !== null) options.offer(state);
  if (version !== null && before !== null && before !== version) {
    announce(`Version ${version} is in use now.`);
    pill.classList.remove("changed");
    requestAnimationFrame(() => pill.classList.add("changed"));
  } else if (version !== null && before === null && cards.size) announce(`Version ${version} is ready.`);
  for (const [item, card] of cards) {
    if (item.status === "waiting") card.show();
    card.compare();
  }
  fillPanel(model);
  if (corrections.kept === null && !problem) corrections.refresh();
}

function notice(state, problem, version) {
  const why = state?.waiting_for ?? state?.registry_error ?? "The registry is being asked for a model.";
  const text = problem
    ? problem.status === 401
      ? "This service needs an API key. "
      : sentences(problem.title, problem.detail, "It is asked again every few seconds.")
    : version === null
      ? sentences("No model yet", why, "Images that you add now are read as soon as there is one.")
      : "";
  const box = byId("notice");
  if (box.dataset.text === text || (!text && Date.now() < complainedUntil)) return;
  box.dataset.text = text;
  box.hidden = !text;
  box.replaceChildren(text);
  if (problem?.status === 401) {
    box.append(button("Enter a key", null, async () => (await askForKey(key())) && model.refresh()));
  }
  if (text) announce(text);
}

function showPad(open) {
  byId("pad").hidden = !open;
  byId("write").setAttribute("aria-expanded", String(open));
}

let complainedUntil = 0;

/** For those who see and those who hear; there for long enough to be read. */
function complain(text) {
  complainedUntil = Date.now() + 8000;
  const box = byId("notice");
  box.dataset.text = text;
  box.hidden = false;
  box.textContent = text;
  announce(text);
}

function taken(files) {
  showPad(false);
  add(files);
}

takeIn(taken, complain);
if (navigator.maxTouchPoints || matchMedia("(any-pointer: coarse)").matches) {
  document.body.classList.add("touch");
  byId("photo").hidden = false;
  byId("lead").textContent = "Read handwriting";
  byId("aside").textContent = "from images, from a photo or from your hand";
}
const pad = new Pad((file) => add([file]));
byId("write").addEventListener("click", () => {
  showPad(byId("pad").hidden);
  if (!byId("pad").hidden) byId("canvas").focus();
});
byId("copy-all").addEventListener("click", async ({ currentTarget }) => {
  const read = standing().filter((card) => card.item.status === "read");
  const text = read.map((card) => card.text).join("\n\n");
  if (await copied(text, currentTarget)) read.forEach((card) => card.take());
});
byId("clear-all").addEventListener("click", clear);
byId("docs").href = address("docs");
byId("model").addEventListener("click", () => byId("panel").showModal());
byId("panel-close").addEventListener("click", () => byId("panel").close());
byId("panel").addEventListener("click", (event) => {
  if (event.target === event.currentTarget) event.currentTarget.close(); // beside it
});
queue.addEventListener("change", tally);
corrections.addEventListener("change", () => {
  byId("document-part").hidden = !corrections.kept;
  byId("kept").hidden = !cards.size || corrections.kept !== false;
});
model.addEventListener("change", showModel);
addEventListener("beforeunload", (event) => {
  if (!pad.empty || [...cards.values()].some((card) => card.open)) event.preventDefault();
});
model.watch();
