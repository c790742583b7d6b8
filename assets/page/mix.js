// A mixture of several datasets: which, how much of each, what comes of it, and its making. The jobs that make it
// (&job=ID) and count what comes of it (&count=ID) stand in the address.

import "./job.js";

import { Part, address, ask, go, html, notice, number, tell } from "./base.js";
import { OUT, link } from "./dataset-links.js";
import { SEED } from "./glossary.js";
import { found } from "./mix-found.js";

const WAYS = [
  ["proportional", "As they are", "Every row of each part once."],
  ["temperature", "Small parts more", "Small parts get more than their share, so that large ones don’t drown them."],
  ["weights", "By hand", "Each row as often as the weight beside its part says; 0.5 takes half of the rows."],
];
const blank = (dataset = "") => ({ dataset, version: "", only: "", weight: "1" });

class Mix extends Part {
  every = 6000;

  start() {
    this.origin = address().dataset;
    this.asked = 0; // how often what comes of it was asked for: an answer to an older recipe is not shown
    this.choices = { name: this.origin ? `${this.origin}-mix` : "mixture", by: "proportional", temperature: "2", rows: "", general: "", general_share: "10", near: true, seed: "0", parts: [blank(this.origin), blank()] };
    this.draw(null, html`<div class="mx stack">${this.origin ? "" : html`<div>${link(`tab=data&mix=&job=&${OUT}`, "‹ All datasets", html`class="back"`)}<h1>Mix datasets</h1></div>`}<form class="card form" novalidate><p class="soft" role="status">Looking at the datasets…</p><div class="bar unknown"><i></i></div></form><div class="told"></div><div class="look"></div><div class="job"></div></div>`);
    this.oninput = (event) => this.typed(event.target);
    this.onclick = (event) => this.clicked(event);
    this.onsubmit = (event) => { event.preventDefault(); this.make(); };
    this.addEventListener("ft-job-done", (event) => (event.target.closest(".look") ? this.counted(event.detail) : this.done(event.detail)));
    this.loop();
    this.job();
  }
  addressChanged() {
    if (address().tab !== "data") return;
    this.job();
    this.count();
  }
  async tick() {
    const chosen = this.chosen;
    const there = await ask(`/studio/mixes?${chosen}`);
    const key = JSON.stringify(there);
    if (this.drawn === key) return;
    const first = !this.there;
    this.there = there;
    this.drawn = key;
    if (first && this.origin) await this.again();
    if (this.chosen !== chosen) this.loop();
    this.form();
    this.count();
    this.look();
  }
  // The parts: only of these it is asked which labels and tags they have, as that takes a while.
  get chosen() { return String(new URLSearchParams([...new Set(this.choices.parts.map((part) => part.dataset).filter(Boolean))].map((name) => ["of", name]))); }
  // A mixture opens with the recipe that made it, its parts at their newest versions.
  async again() {
    if (this.there.datasets.find((each) => each.name === this.origin)?.format !== "mixture") return;
    const { recipe } = await ask(`/studio/mixes/${encodeURIComponent(this.origin)}`).catch(() => ({}));
    if (recipe) this.take({ ...recipe, name: this.origin });
  }
  // The form as a recipe says.
  take(recipe) {
    const parts = recipe.parts.map((text) => {
      const [, dataset, , only, weight] = /^([^[\]@=]+)(?:@(\d+))?(?:\[([^\]]*)\])?(?:=(.+))?$/.exec(text);
      return { ...blank(dataset), only: only ?? "", weight: weight ?? "1" };
    });
    Object.assign(this.choices, { name: recipe.name, by: recipe.by, temperature: String(recipe.temperature), rows: String(recipe.rows ?? ""), seed: String(recipe.seed),
      general: (recipe.general ?? "").replace(/@\d+$/, ""), general_share: String(100 * recipe.general_share), near: recipe.near ?? true, parts });
  }

  // ---- The form ----

  form() {
    const { datasets } = this.there;
    // Of one dataset the rows of a label or a tag can be mixed with those of another.
    if (datasets.length < 2 && !Object.values(datasets[0]?.groups ?? {}).some((values) => values.length > 1)) { this.draw(".form", this.lacking(datasets[0])); return; }
    const { name, by, temperature, rows, general, general_share, near, seed, parts } = this.choices;
    const sets = (chosen, none) => html`<option value="">${none}</option>${datasets.map((each) => html`<option value="${each.name}" ${each.name === chosen ? html`selected` : ""}>${each.name} (${number(each.counts.train)} to train on)</option>`)}`;
    const only = (part) => Object.entries(datasets.find((each) => each.name === part.dataset)?.groups ?? {}).flatMap(([tag, values]) => values.map(([value, count]) => [`${tag}=${value}`, `${tag}: ${value} (${number(count)})`]));
    const line = (part, place) => html`<tr><th scope="row"><label class="unseen" for="mx-set-${place}">Part ${place + 1}</label><select id="mx-set-${place}" name="dataset-${place}" class="ft-input">${sets(part.dataset, "Choose a dataset…")}</select></th>
      <td><select name="only-${place}" class="ft-input" aria-label="Which rows of part ${place + 1}"><option value="">all rows</option>${only(part).map(([key, words]) => html`<option value="${key}" ${key === part.only ? html`selected` : ""}>${words}</option>`)}</select></td>
      ${by === "weights" ? html`<td><input name="weight-${place}" class="ft-input num mx-weight" value="${part.weight}" inputmode="decimal" maxlength="8" autocomplete="off" aria-label="Weight of part ${place + 1}"></td>` : ""}
      <td class="right"><button type="button" class="ft-button small quiet" data-remove="${place}" aria-label="Remove part ${place + 1}" ${parts.length > 1 ? "" : html`disabled`}>Remove</button></td></tr>`;
    const focused = document.activeElement?.name;
    const place = this.draw(".form", html`<h2>${this.origin ? "Mix it with others" : "The recipe"}</h2><p class="soft">Several datasets become a new one, so that one model learns from all of them. Held-out rows stay held out; what belongs with one of them, in whichever part, is left out.</p>
      <div class="scroll"><table class="mx-parts"><thead><tr><th scope="col">Part</th><th scope="col">Which rows</th>${by === "weights" ? html`<th scope="col">Weight</th>` : ""}<th scope="col"><span class="unseen">Remove</span></th></tr></thead><tbody>${parts.map(line)}</tbody></table></div>
      <div><button type="button" class="ft-button small" data-do="add">Add a part</button></div>
      <fieldset class="sp-field"><legend>How much of each</legend><div class="form-options">${WAYS.map(([key, words]) => html`<label><input type="radio" name="by" value="${key}" ${key === by ? html`checked` : ""}><span>${words}</span></label>`)}</div>
        <p class="form-help">${WAYS.find(([key]) => key === by)[2]}</p></fieldset>
      <div class="sp-fields">${by === "temperature" ? html`<div class="sp-field"><label for="mx-temperature">How strongly (temperature)</label><input id="mx-temperature" name="temperature" class="ft-input num" value="${temperature}" inputmode="decimal" maxlength="6" autocomplete="off"><p class="form-help">1 is as they are; the higher, the more alike in number.</p></div>` : ""}
        <div class="sp-field"><label for="mx-general">General questions, against forgetting</label><select id="mx-general" name="general" class="ft-input">${sets(general, "none")}</select>
          <p class="form-help">A model that learns one task only gets worse at others. A dataset of everyday questions, which you bring, keeps that small.</p></div>
        ${general ? html`<div class="sp-field"><label for="mx-share">Share of general questions, in %</label><input id="mx-share" name="general_share" class="ft-input num" value="${general_share}" inputmode="decimal" maxlength="5" autocomplete="off"><p class="form-help">10 to 20 % is usual.</p></div>` : ""}
        <div class="sp-field"><label for="mx-rows">Rows to train on</label><input id="mx-rows" name="rows" class="ft-input num" value="${rows}" inputmode="numeric" maxlength="9" placeholder="as many as the parts make" autocomplete="off"><p class="form-help">Left empty, all that the choice above makes.</p></div>
        <div class="sp-field"><label for="mx-seed">Number for chance (seed)</label><input id="mx-seed" name="seed" class="ft-input num" value="${seed}" inputmode="numeric" maxlength="12" autocomplete="off"><p class="form-help">${SEED}</p></div>
        <div class="sp-field"><label for="mx-name">Name of the mixture</label><input id="mx-name" name="name" class="ft-input" value="${name}" data-most="64" autocomplete="off" spellcheck="false"><p class="form-help">It becomes a dataset of its own; the parts stay as they are.</p></div></div>
      <label class="ft-check"><input type="checkbox" name="near" ${near ? html`checked` : ""}> <span>Leave out near-duplicates of held-out rows <span class="soft small">Rows of the same question, document or conversation are left out in any case.</span></span></label>
      <div class="row"><button class="ft-button primary">Make the mixture</button><span class="soft small">What comes of it is shown below first.</span></div>`);
    place.querySelector(`[name="${CSS.escape(focused ?? "")}"]${focused === "by" ? ":checked" : ""}`)?.focus();
  }
  // One dataset whose rows can't be told apart makes no mixture: what it is for, and the way to a second.
  lacking(only) {
    const again = `tab=data&import=1&${OUT}&dataset=`;
    return html`<div class="empty"><h2>${only ? "A second dataset comes first" : "There is nothing to mix yet"}</h2>
      <p>A mixture puts the rows of several datasets together${only ? html`; so far there is only “${only.name}”, and no tags part its rows` : ""}. Import another file, or take sample data.</p>
      <p class="row center after">${link(again, "Import a file", html`class="ft-button primary"`)}</p></div>`;
  }
  typed(field) {
    const [, key, place] = /^(dataset|only|weight)-(\d+)$/.exec(field.name) ?? [null, field.name, null];
    if (place === null) this.choices[key] = field.type === "checkbox" ? field.checked : field.value;
    else {
      this.choices.parts[place][key] = field.value;
      if (key === "dataset") this.choices.parts[place].only = "";
    }
    if (["dataset", "by", "general"].includes(key)) this.form();
    if (key === "dataset") this.loop();
    if (key === "name" && (this.starting || address().count)) return; // the same comes of it under any name
    this.forget();
    clearTimeout(this.typing);
    this.typing = setTimeout(() => this.look(), 300);
  }
  clicked(event) {
    const remove = event.target.closest("[data-remove]");
    if (remove) this.choices.parts.splice(Number(remove.dataset.remove), 1);
    else if (event.target.closest("[data-do=add]")) this.choices.parts.push(blank());
    else if (event.target.closest("[data-do=count]")) return this.look(true);
    else return;
    this.form();
    this.forget();
    this.look();
  }
  get recipe() {
    const { name, by, temperature, rows, general, general_share, near, seed, parts } = this.choices;
    const value = (text) => Number(String(text).replace(",", "."));
    const weight = (part) => (by === "weights" ? `=${String(part.weight).replace(",", ".")}` : "");
    return {
      name, by, temperature: value(temperature), rows: rows ? value(rows) : null, general: general || null, general_share: value(general_share) / 100, near, seed: value(seed),
      parts: parts.filter((part) => part.dataset).map((part) => `${part.dataset}${part.only ? `[${part.only}]` : ""}${weight(part)}`),
    };
  }

  // ---- What comes of it ----

  // Large parts are counted when that is asked for, by a job: it takes a while, and a recipe is typed letter by letter.
  async look(patient = false) {
    if (this.starting || address().count) return;
    const recipe = this.recipe;
    if (!recipe.parts.length) { this.draw(".look", html``); return; }
    const mine = (this.asked += 1);
    const slow = setTimeout(() => { if (mine === this.asked && !this.querySelector(".mx-found")) this.draw(".look", html`<p class="soft" role="status">Counting rows and tokens…</p><div class="bar unknown"><i></i></div>`); }, 200);
    this.starting = patient;
    try {
      const told = await tell("/studio/mixes/look", { ...recipe, name: recipe.name || "mixture", model: address().model, patient });
      if (mine !== this.asked) { if (told.job) this.stop(told.job); return; }
      this.starting = false;
      if (told.job) go({ count: (this.begun = told.job) }, { replace: true });
      else this.draw(".look", told.error ? notice(told.error) : told.large ? this.uncounted(told.large) : found(told));
    } catch (error) {
      if (mine === this.asked) this.draw(".look", notice(error));
    } finally {
      clearTimeout(slow);
      if (mine === this.asked) this.starting = false;
    }
  }
  // The recipe is another one: what was asked of the one before is not shown, and its counting ends.
  forget() {
    const { count } = address();
    this.asked += 1;
    this.starting = false;
    if (!count) return;
    this.draw(".look", html``);
    go({ count: null }, { replace: true });
    this.stop(count);
  }
  stop(job) { tell(`/studio/jobs/jobs/${encodeURIComponent(job)}/stop`).catch(() => null); } // it may have ended meanwhile
  uncounted(rows) {
    return html`<section class="card spread" aria-label="What comes of it"><p class="soft">These parts have ${number(rows)} rows, so counting what comes of it takes a moment.</p>
      <button type="button" class="ft-button" data-do="count">Count rows and tokens</button></section>`;
  }
  count() {
    const { count } = address();
    if (this.there && count) this.draw(".look", html`<div class="card"><ft-job data-kind="jobs" data-id="${count}" data-title="Counting rows and tokens" data-stopped="Nothing was changed."></ft-job></div>`);
  }
  counted({ status, result }) {
    const { count } = address();
    go({ count: null }, { replace: true });
    if (status === "stopped") this.look();
    if (status !== "finished") return; // its notice stays
    if (count !== this.begun) { this.take(result.recipe); this.form(); this.loop(); } // after a reload it is known from the job only
    this.draw(".look", found(result.found));
  }
  async make() {
    this.draw(".told", html``);
    try {
      const { job } = await tell("/studio/mixes/start", this.recipe);
      go({ job });
    } catch (error) {
      this.draw(".told", notice(error));
    }
  }
  job() {
    const { job } = address();
    this.draw(".job", job ? html`<div class="card"><ft-job data-kind="jobs" data-id="${job}" data-title="Mixing" data-stopped="No mixture was made."></ft-job></div>` : html``);
  }
  done({ status, result }) {
    if (status !== "finished") return;
    this.draw(".job", html`<div class="notice spread" role="status"><span><strong>“${result.name}” version ${result.version} is made:</strong> ${number(result.rows)} rows.</span>
      <span class="row">${link(`tab=data&dataset=${encodeURIComponent(result.name)}&mix=&job=&${OUT}`, "Open it", html`class="ft-button primary"`)}
      ${link(`tab=data&dataset=${encodeURIComponent(result.name)}&mix=&job=&${OUT}&part=split`, "Check its split", html`class="ft-button"`)}</span></div>`);
    this.querySelector(".job").scrollIntoView({ block: "nearest" });
  }
}
customElements.define("ft-mix", Mix);
