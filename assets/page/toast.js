// A short word at the foot of the page about what was just done, with the button that takes it back.

import { html } from "./base.js";

const SECONDS = 10;
let timer;
const place = document.createElement("div"); // there from the beginning, so that what is put in is read out
place.className = "ft ft-toast";
place.setAttribute("role", "status");
document.body.append(place);

export function toast(text, { button = "Undo", run = null } = {}) {
  const close = () => { clearTimeout(timer); place.innerHTML = ""; };
  place.innerHTML = html`<div><span>${text}</span>${run && html`<button type="button" class="ft-button">${button}</button>`}</div>`;
  place.querySelector("button")?.addEventListener("click", async () => { close(); await run(); });
  clearTimeout(timer);
  const wait = () => { timer = setTimeout(() => (place.matches(":hover, :focus-within") ? wait() : close()), SECONDS * 1000); };
  wait();
}
