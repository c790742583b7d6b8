// The settings of a run as a list to read, with the command that would start the same run.

import { html } from "./base.js";

export function settingsList(place, { settings, command }) {
  const groups = [...new Set(settings.map((one) => one.group))];
  const changed = settings.filter((one) => one.changed).length;
  place.innerHTML = html`<div class="stack">
    ${settings.length > changed && html`<label class="small soft"><input type="checkbox" name="all"> Show also the ${settings.length - changed} left at their defaults</label>`}
    <div class="settings-groups">${groups.map((group) => html`<div class="group">${group && html`<h3>${group}</h3>`}<dl>${settings.filter((one) => one.group === group).map((one) => html`
      <div class="${one.changed ? "" : "as-comes"}"><dt title="${one.help}">${one.title}</dt><dd dir="auto">${one.value}</dd></div>`)}</dl></div>`)}</div>
    ${command && html`<div><div class="spread"><h3>The same as a command</h3><button type="button" class="ft-button small" data-copy>Copy</button></div><pre class="command" tabindex="0" aria-label="Command">${command}</pre></div>`}</div>`;
  const groupsPlace = place.querySelector(".settings-groups");
  const box = place.querySelector("[name=all]");
  if (box) box.onchange = () => groupsPlace.classList.toggle("all", box.checked);
  const button = place.querySelector("[data-copy]");
  if (button) button.onclick = () => copy(command, button, place.querySelector(".command"));
}

// Copies a text and says so on the button; where the browser forbids it, the text is selected instead.
export async function copy(text, button, shown) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(shown);
    button.textContent = "Selected: press Ctrl+C";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2500);
}
