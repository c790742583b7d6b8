// Shortcuts: “g” and a letter for a tab, “/” for the search, “?” for the list. Never while somebody types.

import { go, html } from "./base.js";
import { keep, recall } from "./remember.js";

const TABS = { h: "home", d: "data", t: "train", r: "runs", c: "compare", e: "evaluate", x: "export", s: "settings" };
const NAMES = { h: "Home", d: "Data", t: "Train", r: "Runs", c: "Compare", e: "Evaluate", x: "Export", s: "Settings" };
const WAYS = Object.entries(NAMES).map(([letter, name]) => [`g ${letter}`, `Go to ${name}`]);
// A key means the same wherever it works.
export const GROUPS = [
  ["Everywhere", [...WAYS, ["/", "Search on this page"], ["?", "Show these keys"], ["Esc", "Leave a field, close what is open"]]],
  ["A row, on its page and in Review", [["j", "Next row (also →)"], ["k", "Row before (also ←)"], ["e", "Edit"], ["x", "Leave the row out (also Backspace); left out already, take it in again"],
    ["u", "Undo the last change or decision"], ["Ctrl + Enter", "Save or accept from inside a field"]]],
  ["Review: decide", [["Enter", "Accept, and on to the next row"], ["d", "Keep as a draft, edits and all"], ["s", "Skip: it comes again at the end"], ["y", "Take the suggestion and accept"]]],
  ["Review: look", [["f", "Find similar rows"], ["v", "Many at once, and back"], ["i", "Guidelines"]]],
  ["Review: say more", [["1 … 9", "Choose a label, or name the marked words"], ["a", "Answer A is better"], ["b", "Answer B is better"], ["=", "A tie"], ["r", "Rate, then 1 … 5"], ["t", "Tags"], ["n", "Note"],
    ["m", "Mark words: arrows move, Shift takes more in, Backspace takes a mark off"]]],
  ["Review: many at once", [["j k", "Down and up"], ["Space", "Select or unselect"], ["Ctrl + a", "Select all"], ["Enter", "Accept the selected rows"], ["x", "Leave them out"], ["1 … 9", "Label them"]]],
];
const PATIENCE = 1500;
let began = 0;

export const shortcuts = () => recall("shortcuts", true);
export const setShortcuts = (on) => keep("shortcuts", on);

const HELD = / \+ | … /; // “Ctrl + a” is one press, “1 … 9” one of several; “g h” are two in turn
const printed = (name) => html`${(HELD.test(name) ? [name] : name.split(" ")).map((key, at) => html`${at ? " " : ""}<kbd>${key}</kbd>`)}`;
export function table() {
  return html`<div class="keygroups">${GROUPS.map(([title, keys]) => html`<div class="keygroup"><h3>${title}</h3><dl class="keys">${keys.map(([name, words]) => html`<div><dt>${printed(name)}</dt><dd>${words}</dd></div>`)}</dl></div>`)}</div>`;
}

document.addEventListener("keydown", (event) => {
  if (!shortcuts() || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
  if (event.target.closest?.("input, textarea, select, [contenteditable]:not([contenteditable=false]), dialog")) return;
  const waits = Date.now() - began < PATIENCE;
  began = 0;
  if (waits && TABS[event.key]) open(TABS[event.key]);
  else if (event.key === "g") { began = Date.now(); return; }
  else if (event.key === "?") show();
  else if (event.key === "/") { if (!search()) return; }
  else return;
  event.preventDefault();
});

function open(tab) {
  go({ tab });
  document.querySelector(`#tab-${tab}-button`)?.focus();
}
function search() {
  const field = [...document.querySelectorAll("input[type=search]")].find((one) => one.offsetParent !== null);
  field?.focus();
  field?.select();
  return Boolean(field);
}

let dialog;
export function show() {
  if (!dialog) {
    dialog = document.createElement("dialog");
    dialog.className = "ft ft-dialog keys-dialog";
    dialog.setAttribute("aria-labelledby", "keys-title");
    dialog.innerHTML = html`<div class="stack"><div class="spread"><h2 id="keys-title">Keys</h2>
      <button type="button" class="ft-button quiet" data-close>Close</button></div>${table()}
      <p class="soft small">They can be switched off on the Settings page.</p></div>`;
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog || event.target.closest("[data-close]")) dialog.close();
    });
    document.body.append(dialog);
  }
  if (!dialog.open) dialog.showModal();
}
