// Settings on their way out of the Train page and into it: the command, a file, an old run.

import { ask, html, tell, when } from "./base.js";
import { copy } from "./copy.js";
import { nameOf } from "./run-words.js";

export const EXCHANGE = html`<details class="fold"><summary>The same as a command</summary><pre class="pf-command" tabindex="0"></pre>
    <button type="button" class="ft-button" data-copy>Copy</button></details>
  <details class="fold"><summary>Settings file</summary><div class="pf-file"><button type="button" class="ft-button" data-save>Download</button>
    <button type="button" class="ft-button" data-pick>Load from a file</button><input type="file" accept=".json,application/json" data-load hidden>
    <label class="pf-reuse">Take over from a run<select class="ft-input" data-reuse></select></label></div></details>`;

export class Exchange {
  // `train` is the Train page, in which EXCHANGE is drawn.
  constructor(train) {
    this.train = train;
    train.addEventListener("click", ({ target }) => this.clicked(target));
    train.addEventListener("change", ({ target }) => this.changed(target));
  }
  // `found` is what a look at the settings found: their command and their file, where they make one.
  show(found) {
    this.found = found;
    this.train.querySelector(".pf-command").textContent = found.command ?? "";
    for (const button of this.train.querySelectorAll("[data-copy], [data-save]")) button.disabled = !found.command;
  }
  drawRuns() {
    const { runs } = this.train.choices;
    this.train.draw("[data-reuse]", html`<option value="">${runs.length ? "Choose a run" : "No runs yet"}</option>
      ${runs.map((run) => html`<option value="${run.id}">${nameOf(run)} · ${when(run.created)}</option>`)}`);
  }
  clicked(target) {
    const button = target.closest("[data-copy], [data-save], [data-pick]");
    if (!button) return;
    if ("copy" in button.dataset) copy(this.found.command, button);
    else if ("save" in button.dataset) this.save();
    else this.train.querySelector("[data-load]").click();
  }
  save() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${this.found.file}\n`], { type: "application/json" }));
    link.download = `${this.train.picked.dataset || "run"}-settings.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
  async changed(target) {
    if (target.matches("[data-reuse]") && target.value) { await this.ofRun(target.value); target.value = ""; }
    if (!target.matches("[data-load]") || !target.files.length) return;
    const file = target.files[0];
    try {
      const { settings } = await tell("/studio/train/of-file", { name: file.name, text: await file.text() });
      this.train.take(settings, `The settings in ${file.name} are filled in.`);
    } catch (error) { this.train.say(error); }
    target.value = "";
  }
  // `rung` names one of the ways to need less memory than the run did.
  async ofRun(run, rung = "") {
    try {
      const { settings } = await ask(`/studio/train/of-run/${encodeURIComponent(run)}?rung=${encodeURIComponent(rung)}`);
      this.train.take(settings, `The settings of “${nameOf({ ...settings, id: run })}” are filled in.`);
    } catch (error) { this.train.say(error); }
  }
}
