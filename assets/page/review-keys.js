// The keys of the review queue: what each does, and where it works. keys.js lists them.

import { shortcuts } from "./keys.js";

export const NAMES = { Enter: "accept", x: "discard", Backspace: "discard", Delete: "discard", d: "draft", s: "skip", u: "undo", y: "take", j: "next", ArrowRight: "next", k: "previous", ArrowLeft: "previous",
  v: "list", f: "alike", a: "a", b: "b", "=": "tie", e: "edit", m: "mark", r: "rate", t: "tag", n: "note", i: "guidelines", "?": "keys" };
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
