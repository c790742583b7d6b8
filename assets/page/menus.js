// Menus: what is rarer or weighs more stands behind a quiet “⋯”, away from the main button.

import { html } from "./base.js";

// `label` says of what it is the menu; `items` are its buttons and links.
export const menu = (label, items) => html`<details class="menu"><summary aria-label="${label}">⋯</summary><div>${items}</div></details>`;

// A menu closes when one of its items is taken, at a click elsewhere, and at Escape.
document.addEventListener("click", ({ target }) => {
  for (const open of opened()) if (!open.contains(target) || target.closest("a, button")) open.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const open of opened()) {
    open.open = false;
    if (open.contains(document.activeElement)) open.querySelector("summary").focus();
  }
});
const opened = () => document.querySelectorAll("details.menu[open]");
