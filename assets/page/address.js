// Keeps the address and the tabs in step: a click on a tab writes ?tab=, the browser's Back opens the tab again. What
// is looked at (a run, a dataset) goes along from tab to tab, and a tab is found as it was left; a second click on it
// leaves that.

import { address, go } from "./base.js";

const button = (key) => document.querySelector(`#tabs button#tab-${key}-button`);
const KEYS = ["home", "data", "train", "runs", "compare", "evaluate", "export", "settings"];

document.addEventListener("click", (event) => {
  const tab = event.target.closest?.("#tabs button[role=tab]");
  const key = tab && KEYS.find((name) => tab.id === `tab-${name}-button`);
  if (key && (address().tab ?? "home") !== key) go({ tab: key }, { back: true });
  else if (key && event.isTrusted) first(key); // one that is pressed by a person, not by follow()
  const link = event.target.closest?.("a[data-go]");
  if (link && !event.metaKey && !event.ctrlKey) {
    event.preventDefault();
    go(Object.fromEntries(new URLSearchParams(link.dataset.go)));
  }
});

// A tab that is open already goes back to its first view.
function first(tab) {
  const deeper = Object.keys(address()).filter((name) => name !== "__theme");
  go({ ...Object.fromEntries(deeper.map((name) => [name, null])), tab });
}

let open = address().tab ?? "home"; // the tab that is
let back = false; // on the way there by the browser’s Back
function follow() {
  const key = address().tab ?? "home";
  // Another tab begins at its top, however far down the one before was; Back is the browser's to place.
  if (open !== key && !back) scrollTo({ top: 0 });
  open = key;
  const tab = button(key);
  if (tab && tab.getAttribute("aria-selected") !== "true") tab.click();
}
window.addEventListener("popstate", () => {
  back = true;
  window.dispatchEvent(new CustomEvent("ft-address"));
  back = false;
});
window.addEventListener("ft-address", follow);
