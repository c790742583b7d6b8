// More rows, written by a model after rows that are there. They wait in the review queue; nothing is trained on before
// somebody accepts it.

import { Part, address, ask, html, notice, number, tell } from "./base.js";
import { keep, recall } from "./remember.js";

const WAYS = {
  paraphrase: ["Say it in other words", "The question is put another way; the answer stays. Makes the model mind what is meant, not how it is said."],
  "back-translation": ["There and back", "The question goes into another language and comes back. Milder than a paraphrase."],
  "in-style": ["New ones of the same kind", "Other examples in the manner of those there. Check the facts: they are made up."],
  questions: ["Questions about passages", "A question and its answer for each passage of your documents."],
};

class More extends Part {
  every = 4000;

  start() {
    this.name = address().dataset;
    this.path = `/studio/datasets-more/${encodeURIComponent(this.name)}`;
    this.draw(null, html`<div class="stack"><div class="told"></div><div class="asked"></div></div>`);
    this.onsubmit = (event) => { event.preventDefault(); this.write(event.target); };
    this.onchange = (event) => event.target.closest("form") && this.shown(event.target.closest("form"));
    this.addEventListener("ft-job-done", (event) => this.done(event.detail));
    this.loop();
  }
  async tick() {
    this.found = await ask(this.path);
    if (!this.querySelector("form")) {
      this.draw(".asked", this.form());
      this.shown(this.querySelector("form"));
    }
    this.draw(".waiting", this.waiting());
    if (this.found.job && !this.querySelector(".told ft-job")) this.job(this.found.job);
  }
  waiting() {
    const { waiting } = this.found;
    if (!waiting) return html``;
    const query = "part=review&show=written&from=";
    return html`<div class="notice spread" role="status"><span><strong>${waiting === 1 ? "1 written row waits" : `${number(waiting)} written rows wait`} for review.</strong> Accepted ones go into the next version.</span>
      <a class="ft-button" data-go="${query}" href="?tab=data&dataset=${encodeURIComponent(this.name)}&${query}">Review them</a></div>`;
  }
  form() {
    const { ways, models, runs, train, kind } = this.found;
    const kept = recall("more") ?? {};
    const none = !train ? html`<div class="notice warning">No row is on the side of training, so there is none to write after.</div>` : "";
    return html`<div class="stack"><div class="waiting"></div>${none}<form class="card stack">
      <div><h2>More rows</h2><p class="soft">A model writes new rows after those you have. They are marked, wait for your review, are never held out, and are left out where they come near a held-out row.</p></div>
      <fieldset class="ft-ways"><legend class="unseen">In which way</legend>${ways.map((way, at) => html`<label class="ft-choice"><span class="row tight-row"><input type="radio" name="way" value="${way}" ${at === 0 ? html`checked` : ""}> <strong>${WAYS[way][0]}</strong></span>
        <span class="soft small">${WAYS[way][1]}</span></label>`)}</fieldset>
      <div class="grid3">
        <label class="ft-field">Who writes <select class="ft-select" name="writer">${models.length ? html`<optgroup label="Models here">${models.map((name) => html`<option value="${name}">${name}</option>`)}</optgroup>` : ""}
          ${runs.length ? html`<optgroup label="Tuned here">${runs.map((run) => html`<option value="${run.id}">${run.name}</option>`)}</optgroup>` : ""}<option value="" ${models.length + runs.length ? "" : html`selected`}>Another address …</option></select></label>
        <label class="ft-field">After how many rows <input type="number" class="search" name="count" min="1" max="10000" value="20" required></label>
        <label class="ft-field">Each so many times <input type="number" class="search" name="each" min="1" max="10" value="1" required></label></div>
      <div class="grid2 elsewhere" hidden><label class="ft-field">Address <input class="search" name="address" placeholder="https://…/v1" autocomplete="off" value="${kept.address ?? ""}" maxlength="500"></label>
        <label class="ft-field">Model there <input class="search" name="model" autocomplete="off" value="${kept.model ?? ""}" maxlength="200"></label></div>
      <p class="soft small sent" hidden>The rows are sent to that address, and nowhere else. Its key is taken from the environment (FLEXTUNE_API_KEY) and kept nowhere.</p>
      <label class="ft-field by-way" hidden>By way of <input class="search" name="language" value="German" maxlength="40" required></label>
      ${kind === "text" ? html`<label class="ft-field">Into <input class="search" name="into" value="${`${this.name}-questions`.slice(0, 64)}" maxlength="64" autocomplete="off"></label>` : ""}
      <label class="ft-field">Guidance <textarea name="guidance" rows="2" maxlength="2000" placeholder="Keep it short. Write as our customers do."></textarea></label>
      <div class="row"><button class="ft-button primary" ${train ? "" : html`disabled`}>Write</button><span class="soft small">Small models write poorly: look at a few before you ask for many.</span></div></form></div>`;
  }
  // Shows the fields that the choices call for.
  shown(form) {
    const away = form.elements.writer.value === "";
    form.querySelector(".elsewhere").hidden = form.querySelector(".sent").hidden = !away;
    form.querySelector(".by-way").hidden = form.elements.way.value !== "back-translation";
  }
  async write(form) {
    const { way, writer, count, each, address: place, model, language, guidance, into } = form.elements;
    const away = writer.value === "";
    if (away) keep("more", { address: place.value, model: model.value });
    try {
      const { job } = await tell(this.path, {
        way: way.value, count: Number(count.value), each: Number(each.value), language: language.value, guidance: guidance.value,
        ...(into ? { into: into.value } : {}), ...(away ? { address: place.value, writer: model.value } : { writer: writer.value }),
      });
      this.job(job);
    } catch (error) {
      this.draw(".told", notice(error));
    }
  }
  job(id) {
    this.draw(".told", html`<ft-job data-kind="jobs" data-id="${id}" data-title="Writing rows" data-stopped="What was written until then waits for review."></ft-job>`);
    this.querySelector(".told").scrollIntoView({ block: "nearest" });
  }
  done({ status, result }) {
    this.dispatchEvent(new CustomEvent("ft-changed", { bubbles: true }));
    if (status === "finished") {
      const reasons = Object.entries(result.left_out).map(([why, count]) => `${number(count)} ${why}`).join(", ");
      const to = `dataset=${encodeURIComponent(result.into)}&part=review&show=written&from=`;
      this.draw(".told", html`<div class="notice spread ${result.added ? "" : "warning"}" role="status"><span><strong>${result.added === 1 ? "1 new row waits" : `${number(result.added)} new rows wait`} for review${result.into === this.name ? "" : html` in “${result.into}”`}.</strong>
        ${reasons ? `Left out of ${number(result.tried)} tried: ${reasons}.` : ""}</span>${result.added ? html`<a class="ft-button primary" data-go="tab=data&${to}" href="?tab=data&${to}">Review them</a>` : ""}</div>`);
    }
    this.loop();
  }
}
customElements.define("ft-more", More);
