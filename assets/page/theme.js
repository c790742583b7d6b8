// Light, dark or as the system has it: kept in this browser, set before the first paint by first.js.

import { keep, recall } from "./remember.js";

const system = matchMedia("(prefers-color-scheme: dark)");
export const THEMES = { system: "As the system", light: "Light", dark: "Dark" };
// An address may name a theme for as long as it is open; the choice of the person comes next.
const named = new URLSearchParams(location.search).get("__theme");
let chosen = named ?? recall("theme", "system");

export const theme = () => (chosen in THEMES ? chosen : "system");
export function choose(name) {
  chosen = name;
  keep("theme", name);
  apply();
}
function apply() {
  const dark = theme() === "dark" || (theme() === "system" && system.matches);
  if (document.documentElement.dataset.theme !== (dark ? "dark" : "light")) document.documentElement.dataset.theme = dark ? "dark" : "light";
  if (document.body.classList.contains("dark") !== dark) document.body.classList.toggle("dark", dark);
}
// Gradio sets the class by the system alone, at its start and whenever the system changes: ours is the last word.
new MutationObserver(apply).observe(document.body, { attributes: true, attributeFilter: ["class"] });
system.addEventListener("change", apply);
window.addEventListener("storage", (event) => {
  if (event.key !== "flextune-theme") return; // another window of the studio chose
  chosen = recall("theme", "system");
  apply();
});
apply();
