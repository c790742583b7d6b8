// The Compare tab: base and tuned of a run (?run=ID), or the tuned models of two runs (?left=A&right=B), side by side.

import { Part, address, ask, go, html, notice } from "./base.js";
import { AnswerOptions } from "./answer-options.js";
import { Engines } from "./engines.js";
import { missing } from "./missing.js";
import { refresh, runs } from "./run-store.js";
import { isLive, nameOf, pens } from "./run-words.js";
import { untrained } from "./untrained.js";
import "./answer-file.js";
import "./conversation.js";
import "./held-out.js";

const LOOK_EVERY = 5; // ticks between two looks at the list of runs

const ANSWERS_HERE = "When a training has ended, its model answers here beside its base.";

class Compare extends Part {
  every = 2000;

  start() {
    this.runs = null;
    this.ticks = 0;
    this.draw(null, html`<div class="stack compare">
      <div class="spread"><div><h1>Compare</h1><p class="soft">Ask two models the same thing and read their answers side by side.</p></div>
        <div class="row pickers"></div></div>
      <div class="body"></div></div>`);
    this.onclick = (event) => this.clicked(event);
    this.addEventListener("change", (event) => this.changed(event.target));
    this.addEventListener("ft-held-out", (event) => this.talk?.askRow(event.detail));
    this.addEventListener("ft-restored", () => { this.runs = null; this.loop(); });
    this.addEventListener("ft-busy", (event) => this.follow(event.detail));
    this.loop();
  }
  addressChanged() {
    if (address().tab !== "compare" || !this.runs) return;
    if (this.wanted().ids.every((id) => this.find(id))) this.settle();
    else { this.seeking = true; this.loop(); } // it may have ended since the runs were asked for
  }
  async tick() {
    if (this.ticks++ % LOOK_EVERY === 0 || !this.runs?.length || this.seeking) {
      const found = await ask("/studio/answers/runs");
      const before = JSON.stringify(this.runs);
      this.runs = found.runs;
      this.settings = found.settings;
      const settles = this.seeking || before !== JSON.stringify(found.runs);
      this.seeking = false;
      if (settles) await this.settle();
    }
    if (this.talk && !this.talk.busy) await this.engines.look();
  }
  get talk() { return this.querySelector("ft-conversation"); }

  // ---- Who answers ----

  find(id) { return this.runs.find((run) => run.id === id); }
  wanted() {
    const here = address(), two = here.left && here.right && here.left !== here.right;
    return { two, ids: two ? [here.left, here.right] : [here.run || here.left || this.runs[0]?.id].filter(Boolean) };
  }
  async settle() {
    const here = address();
    if ((here.tab ?? "home") !== "compare") return;
    if (!this.runs.length && !here.run && !here.left) return this.nothing();
    const { two, ids: wanted } = this.wanted();
    const chosen = wanted.map((id) => this.find(id));
    this.drawPickers(wanted);
    if (chosen.some((run) => !run)) return this.gone(wanted[chosen.findIndex((run) => !run)]);
    if (this.key === wanted.join(" ") && this.talk) return;
    this.key = wanted.join(" ");
    this.frame(chosen, two ? this.runSides(chosen) : this.pairSides(chosen[0]));
    await this.engines.look();
  }
  pairSides(run) {
    return [{ run: run.id, weights: "base", title: "Base", about: run.model, colour: "--base" },
      { run: run.id, weights: "tuned", title: "Tuned", about: nameOf(run), colour: "--tuned" }];
  }
  runSides(chosen) {
    const paint = pens(chosen.map((run) => run.id));
    return chosen.map((run) => ({ run: run.id, weights: "tuned", title: nameOf(run), about: run.model, colour: paint.get(run.id).colour }));
  }
  nothing() {
    this.key = null;
    this.draw(".pickers", "");
    this.draw(".body", untrained("No trained model yet", ANSWERS_HERE));
  }
  async gone(id) {
    this.key = null;
    let told;
    try {
      await Promise.all([ask(`/studio/answers/${encodeURIComponent(id)}/engine`), refresh()]);
      const run = runs.get(id);
      if (run && isLive(run)) return this.draw(".body", untrained("This run has no trained weights", ANSWERS_HERE, id));
      told = notice({ what: "This run has no trained weights yet.", why: "There is nothing to compare before its first result is saved.", next: "Look at the run, or choose another one." }, "warning");
    } catch (error) {
      if (error.missing) return this.draw(".body", missing(error, "tab=runs&run=&left=&right=", "See all runs"));
      told = notice(error);
    }
    this.draw(".body", html`${told}<p class="after"><a class="ft-button" href="?tab=runs&run=${id}" data-go="tab=runs&run=${encodeURIComponent(id)}&left=&right=">See the run</a></p>`);
  }
  drawPickers(wanted) {
    const option = (run, id) => html`<option value="${run.id}" ${run.id === id ? html`selected` : ""}>${nameOf(run)}</option>`;
    const lost = this.runs.some((run) => run.id === wanted[0]) ? "" : html`<option value="" selected>Choose a run</option>`;
    const others = this.runs.filter((run) => run.id !== wanted[0]);
    this.draw(".pickers", html`<label class="field"><span>Run</span><select name="run">${lost}${this.runs.map((run) => option(run, wanted[0]))}</select></label>
      <label class="field"><span>Against</span><select name="against" ${others.length ? "" : html`disabled`}><option value="">its base model</option>
        ${others.map((run) => option(run, wanted[1]))}</select></label>`);
  }
  frame(chosen, sides) {
    const place = this.querySelector(".body");
    place.drawn = null;
    place.innerHTML = html`<div class="stack"><div class="engine"></div>
      <div class="with-rows"><ft-held-out data-run="${chosen[0].id}" data-rows-of="${chosen[0].dataset}"></ft-held-out><section aria-label="Conversation"></section></div>
      <details class="card fold" data-file><summary><h2>Apply to a file</h2></summary></details></div>`;
    place.querySelector("[data-file]").addEventListener("toggle", (event) => this.openFile(event.target, chosen.at(-1)));
    const engines = this.engines = new Engines([...new Set(chosen.map((run) => run.id))], () => this.engines === engines && this.draw(".engine", engines.words()));
    const talk = document.createElement("ft-conversation");
    Object.assign(talk, { sides, engines, options: new AnswerOptions(this.settings), key: this.key });
    place.querySelector("section").append(talk);
  }
  openFile(fold, run) {
    if (!fold.open || fold.querySelector("ft-answer-file")) return;
    const part = document.createElement("ft-answer-file");
    Object.assign(part.dataset, { run: run.id, name: nameOf(run) });
    fold.append(part);
  }
  // The list of rows shows which one is asked, and waits while it is answered.
  follow({ busy, row }) {
    const rows = this.querySelector("ft-held-out");
    rows.dataset.row = row;
    rows.toggleAttribute("data-busy", busy);
  }

  // ---- What is done ----

  clicked(event) {
    const button = event.target.closest("button");
    if (button && "load" in button.dataset) this.engines.warm();
    else if (button && "unload" in button.dataset) this.engines.unload();
  }
  changed(field) {
    if (field.name === "run") go(field.value ? { run: field.value, left: null, right: null } : {});
    else if (field.name === "against") {
      const run = this.querySelector("[name=run]").value;
      go(field.value ? { left: run, right: field.value, run: null } : { run, left: null, right: null });
    }
  }
}
customElements.define("ft-compare", Compare);
