// More rows, written by a model after rows that are there. They wait in the review queue; nothing is trained on before
// somebody accepts it.

import { Part, address, ask, go, html, notice, number, size, tell } from "./base.js";
import { keep, recall } from "./remember.js";
import { NO_CHOICE, chosen } from "./row-choice.js";
import { SIDES } from "./turns.js";

const WAYS = {
  paraphrase: ["Say it in other words", "The question is put another way; the answer stays. Makes the model mind what is meant, not how it is said."],
  "back-translation": ["There and back", "The question goes into another language and comes back. Milder than a paraphrase."],
  "in-style": ["New ones of the same kind", "Other examples in the manner of those there. Check the facts: they are made up."],
  questions: ["Questions about passages", "A question and its answer for each passage of your documents."],
};

const field = (name, title, control, help, kind = "") => html`<div class="sp-field ${kind}"><label for="mr-${name}">${title}</label>${control}<p class="form-help">${help}</p></div>`;
const option = (value, words, chosen) => html`<option value="${value}" ${value === chosen ? html`selected` : ""}>${words}</option>`;

class More extends Part {
  every = 4000;

  start() {
    this.name = address().dataset;
    this.choice = this.query();
    this.path = `/studio/datasets-more/${encodeURIComponent(this.name)}`;
    this.draw(null, html`<div class="stack"><div class="told"></div><div class="asked"></div></div>`);
    this.onsubmit = (event) => { event.preventDefault(); this.write(event.target); };
    this.onchange = (event) => event.target.closest("form") && this.shown(event.target.closest("form"));
    this.addEventListener("ft-job-done", (event) => this.done(event.detail));
    this.onclick = (event) => {
      const row = event.target.closest("[data-without]")?.dataset.without;
      if (row === "") go(NO_CHOICE);
      else if (row) go({ after: (address().after ?? "").split(",").filter((id) => id !== row).join(",") || null });
    };
    this.loop();
  }
  addressChanged() {
    const now = address();
    if (now.tab !== "data" || now.part !== "more" || this.query() === this.choice) return;
    this.choice = this.query();
    this.loop();
  }
  // The rows that the address names, or the words by which they were sought.
  query() {
    const now = address();
    return String(chosen({ ...now, version: "", sorted: "" }, { after: now.after }));
  }
  async tick() {
    const asked = this.choice;
    const found = await ask(`${this.path}?${asked}`);
    if (asked !== this.choice) return;
    this.found = found;
    if (!this.querySelector("form")) {
      this.draw(".asked", this.form());
      this.shown(this.querySelector("form"));
    }
    this.draw(".waiting", this.waiting());
    this.draw(".mr-after", this.followed());
    const { count } = this.querySelector("form").elements;
    count.disabled = this.found.after.length > 0; // chosen rows are as many as they are
    count.closest(".sp-field").hidden = count.disabled;
    if (this.found.job && !this.querySelector(".told ft-job")) this.job(this.found.job);
  }
  waiting() {
    const { waiting } = this.found;
    if (!waiting) return html``;
    const query = "part=review&show=written&from=";
    return html`<div class="notice spread" role="status"><span><strong>${waiting === 1 ? "1 written row waits" : `${number(waiting)} written rows wait`} for review.</strong> Accepted ones go into the next version.</span>
      <a class="ft-button" data-go="${query}" href="?tab=data&dataset=${encodeURIComponent(this.name)}&${query}">Review them</a></div>`;
  }
  // The rows that were chosen to write after; where there are none, they are drawn by chance.
  followed() {
    const { after, matching } = this.found;
    if (!after.length && matching !== null) return this.matching(matching);
    if (!after.length) return html``;
    const out = after.some(({ side }) => side !== "train") ? html`<p class="form-help">A row that is held out can’t be written after: take it away.</p>` : "";
    return html`<div class="row tight-row"><span>After ${after.length === 1 ? "this row" : "these rows"}:</span>${after.map(({ id, text }) => html`<span class="chip mr-chip"><span class="clip" dir="auto">${text || id}</span>
      <button type="button" data-without="${id}" aria-label="Don’t write after “${text || id}”">×</button></span>`)}</div>${out}`;
  }
  matching(count) {
    const { find, side, label, tags, file } = address();
    const words = [find && `“${find}”`, side && (SIDES[side] ?? side), label, tags && new URLSearchParams(tags).toString().replaceAll("=", ": "), file].filter(Boolean).join(" · ");
    return html`<div class="row tight-row"><span>After rows that match:</span><span class="chip mr-chip"><span class="clip" dir="auto">${words}</span>
      <button type="button" data-without="" aria-label="After any row">×</button></span></div><p class="form-help">${count === 1 ? "1 training row matches." : `${number(count)} training rows match.`}</p>`;
  }
  form() {
    const { ways, models, runs, best, train, kind } = this.found;
    const kept = recall("more") ?? {};
    const none = !train ? html`<div class="notice warning">No row is on the side of training, so there is none to write after.</div>` : "";
    return html`<div class="stack"><div class="waiting"></div>${none}<form class="card stack">
      <div><h2>More rows</h2><p class="soft">A model writes new rows after those you have. They are marked, wait for your review, are never held out, and are left out where they come near a held-out row.</p></div>
      <fieldset class="ft-ways"><legend class="unseen">In which way</legend>${ways.map((way, at) => html`<label class="ft-choice"><span class="row tight-row"><input type="radio" name="way" value="${way}" ${at === 0 ? html`checked` : ""}> <strong>${WAYS[way][0]}</strong></span>
        <span class="soft small">${WAYS[way][1]}</span></label>`)}</fieldset>
      <div class="mr-after"></div>
      <div class="sp-fields">
        ${field("writer", "Who writes", html`<select id="mr-writer" class="ft-input" name="writer">${models.length ? html`<optgroup label="Models here, the largest first">${models.map(({ name, size: bytes }) => option(name, html`${name} (${size(bytes)})`, best))}</optgroup>` : ""}
          ${runs.length ? html`<optgroup label="Tuned here">${runs.map((run) => option(run.id, run.name, best))}</optgroup>` : ""}${option("", "Another address …", best)}</select>`,
          "The larger a model, the better it writes; one tuned on these rows keeps their manner. Best is a large model at another address.")}
        ${field("count", "After how many rows", html`<input id="mr-count" type="number" class="ft-input num" name="count" min="1" max="10000" value="20" required>`, "Drawn by chance from the training rows.")}
        ${field("each", "Each so many times", html`<input id="mr-each" type="number" class="ft-input num" name="each" min="1" max="10" value="1" required>`, "New rows written after each of them.")}
        ${field("language", "By way of", html`<input id="mr-language" class="ft-input" name="language" value="German" data-most="40" data-needs="Name a language.">`, "The language the question goes through.", "by-way")}
        ${kind === "text" ? field("into", "Into", html`<input id="mr-into" class="ft-input" name="into" value="${`${this.name}-questions`.slice(0, 64)}" data-most="64" autocomplete="off">`, "The name of the dataset they become.") : ""}</div>
      <div class="sp-fields elsewhere" hidden>${field("address", "Address", html`<input id="mr-address" class="ft-input" name="address" placeholder="https://…/v1" autocomplete="off" value="${kept.address ?? ""}" data-most="500">`,
          "Of any service that speaks as OpenAI’s does. The rows are sent there and nowhere else; its key is taken from the environment (FLEXTUNE_API_KEY) and kept nowhere.")}
        ${field("model", "Model there", html`<input id="mr-model" class="ft-input" name="model" autocomplete="off" value="${kept.model ?? ""}" data-most="200">`, "As that service calls it.")}</div>
      ${field("guidance", "Guidance", html`<textarea id="mr-guidance" class="ft-input" name="guidance" rows="2" data-most="2000" placeholder="Keep it short. Write as our customers do."></textarea>`, "What the writer should mind, in your words; may stay empty.")}
      <div class="row"><button class="ft-button primary" ${train ? "" : html`disabled`}>Write</button><span class="soft small">Small models write poorly: look at a few before you ask for many.</span></div></form></div>`;
  }
  // Shows the fields that the choices call for.
  shown(form) {
    const away = form.elements.writer.value === "";
    form.querySelector(".elsewhere").hidden = !away;
    const { way, language } = form.elements;
    form.querySelector(".by-way").hidden = way.value !== "back-translation";
    language.required = way.value === "back-translation"; // what is not to be seen may be empty
  }
  async write(form) {
    const { way, writer, count, each, address: place, model, language, guidance, into } = form.elements;
    const away = writer.value === "";
    if (away) keep("more", { address: place.value, model: model.value });
    try {
      const { job } = await tell(`${this.path}?${this.choice}`, {
        way: way.value, seed: Math.floor(Math.random() * 2 ** 31), // other rows each time
        ...(this.found.after.length ? { rows: this.found.after.map(({ id }) => id) } : { count: Number(count.value) }), each: Number(each.value), language: language.value, guidance: guidance.value,
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
