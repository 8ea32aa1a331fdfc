// What is known of the version in use.

import { byId, make, percent, sentences } from "./elements.js";
import { forgetKey, key } from "./keys.js";
import { address } from "./server.js";

const METRICS = [
  ["test_cer", "Characters wrong, test lines"],
  ["test_wer", "Words wrong, test lines"],
  ["test_exact", "Test lines without a mistake"],
  ["val_cer", "Characters wrong, validation lines"],
  ["val_wer", "Words wrong, validation lines"],
];

let told = "";

/** Made anew only where it says something new: who reads in it stays where they are. */
export function fillPanel({ state, problem }) {
  const body = byId("panel-body");
  const asked = body.querySelector("#asked");
  if (asked && state) asked.textContent = askedAt(state);
  const now = JSON.stringify([{ ...state, polled_at: null }, problem?.title, problem?.detail, key()]);
  if (now === told) return;
  told = now;
  const kept = body.querySelector("details")?.open ?? false;
  body.replaceChildren(...(state ? known(state, kept) : []));
  if (problem) body.prepend(make("p", { class: "bad" }, sentences(problem.title, problem.detail)));
  body.append(links(state));
}

function known(state, open) {
  const { version, gate, reload_error: failed } = state;
  const parts = [];
  if (version === null) {
    const why = state.waiting_for ?? "The registry is being asked for a model.";
    parts.push(make("p", { class: "bad" }, sentences("No model yet", why)));
  }
  if (state.registry_error) parts.push(make("p", { class: "bad" }, state.registry_error));
  if (failed) {
    const why = `Version ${failed.version} cannot be served: ${failed.error}`;
    const stays = version === null ? "" : `Version ${version} keeps answering`;
    const when = `It is tried again at ${moment(failed.next_retry_at)}`;
    parts.push(make("p", { class: "bad" }, sentences(why, stays, when)));
  }
  const rows = [
    ["Name", state.name],
    ["Version", version ?? "none yet"],
    ["Stage", state.stage],
    ["In use since", state.loaded_at ? moment(state.loaded_at) : "—"],
    ["Registry asked", make("span", { id: "asked" }, askedAt(state))],
    ["Reads", state.levels.filter((level) => level !== "auto").join(", ") || "—"],
    ["Decoders", state.decoders.filter((decoder) => decoder !== "auto").join(", ") || "—"],
  ];
  if (state.from_cache) rows.push(["Came from", "the disk; no registry has confirmed it"]);
  parts.push(list(rows));
  if (gate) {
    parts.push(make("h3", {}, "The gate"));
    const which = gate.version ? `Version ${gate.version}: ` : "";
    parts.push(make("p", {}, sentences(`${which}${gate.decision ?? "no decision"}`, gate.reason)));
  }
  parts.push(...figures(state.metrics, open));
  return parts;
}

function figures(metrics, open) {
  const named = METRICS.filter(([name]) => name in metrics);
  const others = Object.keys(metrics).filter((name) => !METRICS.some(([known]) => known === name));
  const parts = [];
  if (named.length || others.length) parts.push(make("h3", {}, "How well it reads"));
  if (named.length) parts.push(list(named.map(([name, text]) => [text, exactly(metrics[name])])));
  if (others.length) {
    const rows = others.sort().map((name) => [name, String(Number(metrics[name].toPrecision(4)))]);
    parts.push(make("details", { open }, make("summary", {}, `${others.length} more figures`), list(rows)));
  }
  return parts;
}

function links(state) {
  const made = make("p", { class: "links" }, make("a", { href: address("docs") }, "API documentation"));
  const registry = state?.registry_url;
  // an address from the service's settings: a link, and never a script
  if (/^https?:/.test(registry ?? "")) {
    made.append(make("a", { href: registry, target: "_blank", rel: "noreferrer" }, "Open in MLflow"));
  }
  if (key()) {
    const forget = () => {
      forgetKey();
      location.reload();
    };
    made.append(make("button", { type: "button", class: "button small", onclick: forget }, "Forget the API key"));
  }
  return made;
}

const list = (rows) =>
  make("dl", {}, ...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));

const askedAt = (state) => (state.polled_at ? moment(state.polled_at) : "never answered");

const exactly = (share) => (share < 0.1 ? `${(share * 100).toFixed(1)} %` : percent(share));

function moment(text) {
  const when = new Date(text);
  const today = when.toDateString() === new Date().toDateString();
  return when.toLocaleString("en-GB", today ? { timeStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" });
}
