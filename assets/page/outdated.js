// A page that is older than the studio, which was updated and started again: it says so and loads itself anew, at once
// where nothing is lost by it, and else when it is told to.

import { html } from "./base.js";

const SECONDS = 3;
const FIELDS = "textarea, input:not([type]), input[type=text], input[type=password]";
let told = false;
// Whether a person typed, chose or ticked anything: most forms keep that nowhere else.
let touched = false;
for (const kind of ["input", "change"]) {
  document.addEventListener(kind, (event) => { touched ||= event.isTrusted && Boolean(event.target.closest?.(".ft")); }, { capture: true });
}

const typed = () => [...document.querySelectorAll(FIELDS)].some((one) => one.offsetParent !== null && one.value.trim() && one.value !== one.defaultValue);

window.addEventListener("ft-outdated", () => {
  if (told) return;
  told = true;
  const place = document.createElement("div");
  place.className = "ft ft-outdated notice warning";
  place.setAttribute("role", "alert");
  const waits = touched || typed();
  place.innerHTML = html`<span><strong>The studio was updated.</strong> This page belongs to the version before${waits
    ? ". Note what you have filled in if you need it, then load the page again." : " and is loaded again."}</span>
    <button type="button" class="ft-button">Load it now</button>`;
  place.querySelector("button").addEventListener("click", () => location.reload());
  document.body.prepend(place);
  if (!waits) setTimeout(() => location.reload(), SECONDS * 1000);
});
