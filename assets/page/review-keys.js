// The keys of the review queue: what each does, where it works, and the list of them.

import { html } from "./base.js";
import { shortcuts } from "./keys.js";

const KEYS = [
  ["Decide", [["Enter", "Accept, and on to the next row"], ["Backspace", "Discard"], ["d", "Keep as a draft, edits and all"], ["s", "Skip: it comes again at the end"], ["u", "Undo the last decision"], ["y", "Take the suggestion and accept"]]],
  ["Move", [["j", "Next row (also →)"], ["k", "Row before (also ←)"], ["v", "Many at once, and back"], ["x", "Find similar rows"]]],
  ["Say more", [["1 … 9", "Choose a label, or name the marked words"], ["a", "Answer A is better"], ["b", "Answer B is better"], ["=", "A tie"], ["e", "Edit the turns"], ["m", "Mark words: arrows move, Shift takes more in, Backspace takes a mark off"],
    ["r", "Rate, then 1 … 5"], ["t", "Tags"], ["n", "Note"]]],
  ["Look", [["i", "Guidelines"], ["?", "These keys"], ["Esc", "Leave a field, close what is open"], ["Ctrl + Enter", "Accept from inside a field"]]],
  ["Many at once", [["j / k", "Move down and up"], ["Space", "Select or unselect"], ["Ctrl + a", "Select all"], ["Enter", "Accept the selected rows"], ["Backspace", "Discard them"], ["1 … 9", "Label them"]]],
];
export const NAMES = { Enter: "accept", Backspace: "discard", Delete: "discard", d: "draft", s: "skip", u: "undo", y: "take", j: "next", ArrowRight: "next", k: "previous", ArrowLeft: "previous",
  v: "list", x: "alike", a: "a", b: "b", "=": "tie", e: "edit", m: "mark", r: "rate", t: "tag", n: "note", i: "guidelines", "?": "keys" };
const FIELDS = "input:not([type=radio]):not([type=checkbox]), textarea, select, [contenteditable]:not([contenteditable=false])";
const PATIENCE = 1500;

// Listens while `part` is seen. `act(deed, event)` returns false for what it has no use for.
export function listen(part, act) {
  let began = 0; // after “g” the next letter names a tab of the studio
  const pressed = (event) => {
    if (!shortcuts() || event.isComposing || part.offsetParent === null || document.querySelector("dialog[open]")) return;
    const { target, key } = event;
    const field = target.closest?.(FIELDS);
    const tab = Date.now() - began < PATIENCE;
    began = key === "g" && !field ? Date.now() : 0;
    if (field) {
      if (key === "Enter" && (event.ctrlKey || event.metaKey)) take(event, "accept");
      else if (key === "Escape") { target.blur(); take(event, "leave"); }
      return;
    }
    if (event.altKey || tab || key === "g") return;
    if (event.ctrlKey || event.metaKey) {
      const deed = { z: "undo", a: "all", Enter: "accept" }[key];
      if (deed) take(event, deed);
      return;
    }
    if (/^[1-9]$/.test(key)) { take(event, `digit-${key}`); return; }
    if (key === "Escape") { take(event, "leave"); return; }
    if ((key === "Enter" || key === " ") && target.closest?.("button, a, summary") && !target.closest("dialog")) return; // a button that has the focus
    if (key.startsWith("Arrow") && (part.marking || target.matches?.("input[type=radio]"))) { if (part.marking) take(event, "arrow"); return; }
    if (NAMES[key]) take(event, NAMES[key]);
  };
  const take = (event, deed) => {
    // A key that is held down would decide on rows nobody has seen.
    if (event.repeat && !["next", "previous", "arrow"].includes(deed)) { event.preventDefault(); return; }
    if (act(deed, event) !== false) { event.preventDefault(); event.stopPropagation(); }
  };
  document.addEventListener("keydown", pressed, true);
  return () => document.removeEventListener("keydown", pressed, true);
}

let dialog;
export function showKeys() {
  if (!dialog) {
    dialog = document.createElement("dialog");
    dialog.className = "ft ft-dialog rv-keys";
    dialog.setAttribute("aria-labelledby", "rv-keys-title");
    dialog.innerHTML = html`<div class="stack"><div class="spread"><h2 id="rv-keys-title">Keys of the review queue</h2><button type="button" class="ft-button quiet" data-close>Close</button></div>
      <div class="rv-keygroups">${KEYS.map(([title, keys]) => html`<section><h3>${title}</h3><dl class="keys">${keys.map(([name, words]) => html`<div><dt><kbd>${name}</kbd></dt><dd>${words}</dd></div>`)}</dl></section>`)}</div></div>`;
    dialog.addEventListener("click", (event) => { if (event.target === dialog || event.target.closest("[data-close]")) dialog.close(); });
    document.body.append(dialog);
  }
  if (!dialog.open) dialog.showModal();
}
