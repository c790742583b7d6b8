// Shortcuts: “g” and a letter for a tab, “/” for the search, “?” for the list. Never while somebody types.

import { go, html } from "./base.js";
import { keep, recall } from "./remember.js";

const TABS = { h: "home", d: "data", t: "train", r: "runs", c: "compare", e: "evaluate", x: "export", s: "settings" };
const NAMES = { h: "Home", d: "Data", t: "Train", r: "Runs", c: "Compare", e: "Evaluate", x: "Export", s: "Settings" };
export const KEYS = [
  ...Object.entries(NAMES).map(([letter, name]) => [["g", letter], `Go to ${name}`]),
  [["/"], "Search on this page"],
  [["?"], "Show these keys"],
  [["Esc"], "Close what is open"],
];
const PATIENCE = 1500;
let began = 0;

export const shortcuts = () => recall("shortcuts", true);
export const setShortcuts = (on) => keep("shortcuts", on);

export function table() {
  return html`<dl class="keys">${KEYS.map(([keys, words]) => html`<div><dt>${keys.map((key, at) => html`${at ? html` <span class="soft small">then</span> ` : ""}<kbd>${key}</kbd>`)}</dt><dd>${words}</dd></div>`)}</dl>`;
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
    dialog.className = "ft ft-dialog";
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
