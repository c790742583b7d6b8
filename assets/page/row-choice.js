// Which rows are looked at, in which order: what the address says of it, and the bar in which it is chosen.

import { html, number } from "./base.js";

export const CHOICE = ["find", "side", "label", "tags", "file", "sorted"];
export const NO_CHOICE = Object.fromEntries([...CHOICE, "from"].map((key) => [key, null]));
const SHORTEST = 40; // characters of a value shown in the bar

const SORTS = [["", "As in the file"], ["-characters", "Longest first"], ["characters", "Shortest first"], ["-turns", "Most turns first"], ["turns", "Fewest turns first"]];

// Of an address what chooses rows, for the studio's routes.
export function chosen(at, more = {}) {
  const given = Object.fromEntries(CHOICE.map((key) => [key, at[key]]));
  return new URLSearchParams(Object.entries({ version: at.version, ...given, ...more }).filter(([, value]) => value !== undefined && value !== ""));
}
export const isChosen = (at) => CHOICE.some((key) => key !== "sorted" && at[key]);
const tags = (at) => new URLSearchParams(at.tags ?? "");

// What changing a field of the bar does to the address.
export function change(field, at) {
  if (!field.name.startsWith("tag:")) return { [field.name]: field.value, from: null };
  const now = tags(at);
  if (field.value) now.set(field.name.slice(4), field.value);
  else now.delete(field.name.slice(4));
  return { tags: String(now), from: null };
}

// The bar: a field for the label, each tag, the source file where there are several, and the order.
export function bar(choices, at, changes) {
  const named = Object.keys(choices.tags);
  const now = tags(at);
  const fields = [
    choices.label.length && field("label", "Label", choices.label, at.label),
    ...named.map((name) => field(`tag:${name}`, title(name), choices.tags[name], now.get(name))),
    (choices.file.length > 1 || at.file) && field("file", "Source file", choices.file, at.file),
  ].filter(Boolean);
  const sorts = [...SORTS, ...choices.tokens.flatMap((model) => [[`-tokens:${model}`, `Most tokens of ${model} first`], [`tokens:${model}`, `Fewest tokens of ${model} first`]]), ...(choices.label.length ? [["label", "By label"]] : []), ...named.map((name) => [`tag:${name}`, `By ${name}`]),
    ...(choices.file.length > 1 ? [["file", "By source file"]] : []), ...(changes || at.sorted === "changed" ? [["changed", "Changed last first"]] : [])];
  return html`${fields}${select("sorted", "Order", sorts, at.sorted ?? "")}${isChosen(at)
    ? html`<button type="button" class="ft-button quiet" data-do="all">Show all rows</button>` : ""}`;
}
const title = (name) => name.charAt(0).toUpperCase() + name.slice(1);
function field(name, words, values, now) {
  const options = values.map(([value, count]) => [value, `${short(value)} (${number(count)})`]);
  if (now && !values.some(([value]) => value === now)) options.push([now, short(now)]);
  return select(name, words, [["", "Any"], ...options], now ?? "");
}
const select = (name, words, options, now) => html`<label class="pick ${now ? "on" : ""}">${words} <select class="ft-select" name="${name}">${options.map(([value, text]) =>
  html`<option value="${value}" ${value === now ? html`selected` : ""}>${text}</option>`)}</select></label>`;
const short = (text) => (text.length > SHORTEST ? `${text.slice(0, SHORTEST)}…` : text);
