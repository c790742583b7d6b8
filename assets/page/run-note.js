// The window in which a run gets a name and notes.

import { html, notice, tell } from "./base.js";
import { learn } from "./run-store.js";
import { nameOf } from "./run-words.js";

export function editNote(run) {
  const dialog = document.createElement("dialog");
  dialog.className = "ft ft-dialog";
  dialog.setAttribute("aria-label", "Name and notes");
  dialog.innerHTML = html`<form class="stack">
    <h2>Name and notes</h2>
    <label class="field"><span>Name</span><input name="name" data-most="120" value="${run.name}" placeholder="${nameOf({ ...run, name: "" })}" dir="auto"></label>
    <label class="field"><span>Notes</span><textarea name="text" rows="7" data-most="5000" dir="auto"
      placeholder="What you tried, and what you saw">${run.notes}</textarea></label>
    <div class="trouble"></div>
    <div class="row ends"><button type="button" class="ft-button" data-close>Cancel</button>
      <button class="ft-button primary">Save</button></div>
  </form>`;
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.querySelector("[data-close]").onclick = () => dialog.close();
  const form = dialog.querySelector("form");
  form.onsubmit = async (event) => {
    event.preventDefault();
    try {
      const kept = await tell(`/studio/runs/${encodeURIComponent(run.id)}/note`, { name: form.elements.name.value, text: form.elements.text.value });
      learn({ ...run, name: kept.name, notes: kept.text });
      dialog.close();
    } catch (error) {
      dialog.querySelector(".trouble").innerHTML = notice(error);
    }
  };
  dialog.showModal();
  dialog.querySelector("input").setAttribute("aria-description", `For the run ${nameOf(run)}`);
}
