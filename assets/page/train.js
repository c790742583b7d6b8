// Train: the form, its pickers, and preflight beside Start. What was typed is kept in the browser until the run starts.

import { Part, address, ask, go, html, notice, number, tell } from "./base.js";
import { Fit } from "./fit.js";
import { Form } from "./form.js";
import { DatasetPicker, ModelPicker } from "./pickers.js";
import { toast } from "./toast.js";
import { Downloads } from "./train-downloads.js";
import { EXCHANGE, Exchange } from "./train-exchange.js";

const WAIT = 300; // ms after the last key before the settings are looked at
const KEPT = new Set(["name", "objective", "version"]); // what a preset leaves alone
const NOWHERE = { datasets: [], models: [], known: [], presets: [], runs: [], adding: [] };
const RUN = /^\d{8}-\d{6}/; // other pages use `from` for other things
let memory = {}; // where the browser keeps nothing, the draft lives as long as the page

class Train extends Part {
  every = 10000;

  start() {
    this.choices = NOWHERE;
    this.form = new Form(this, () => this.edited());
    this.datasets = new DatasetPicker(this, this.querySelector("[data-slot=dataset]"));
    this.models = new ModelPicker(this, this.querySelector("[data-slot=model]"));
    this.downloads = new Downloads(this, this.querySelector("[data-slot=adding]"));
    this.exchange = new Exchange(this);
    this.restore();
    this.addEventListener("click", (event) => this.clicked(event));
    this.addEventListener("ft-job-done", (event) => (event.target.closest("[data-slot=fit]") ? this.fit.done(event.detail) : this.downloads.ended(event)));
    this.querySelector(".tr-search").addEventListener("input", (event) => this.search(event.target.value));
    this.panel();
    // Whoever comes back from another tab sees at once what was imported or downloaded there.
    this.watch = new IntersectionObserver(([seen]) => seen.isIntersecting && this.loop());
    this.watch.observe(this);
    this.loop();
  }
  disconnectedCallback() {
    super.disconnectedCallback();
    this.watch?.disconnect();
  }
  addressChanged() {
    if (address().tab !== "train") return;
    const { dataset, from, take } = address();
    if (RUN.test(from) || take || (dataset && dataset !== this.picked.dataset)) this.follow();
    this.loop();
  }
  async tick() {
    const first = this.choices === NOWHERE;
    this.choices = await ask("/studio/train/choices");
    this.downloads.follow(this.choices.adding);
    if (first) await this.follow();
    if (!this.picked.model) this.choose("model", this.usual(), { replace: true });
    if (!this.picked.dataset) this.choose("dataset", this.choices.datasets.find((item) => !item.error)?.name ?? "", { replace: true });
    this.datasets.draw();
    this.models.draw();
    this.drawPresets();
    this.exchange.drawRuns();
    if (first || this.stale) this.soon(0);
  }

  // ---- What is chosen, and where it is kept ----

  get key() { return `flextune-train-${this.getAttribute("data-mark")}`; }
  restore() {
    let kept = memory;
    try { kept = JSON.parse(localStorage.getItem(this.key)) ?? memory; } catch { /* storage is blocked or holds something else */ }
    const name = (value) => (typeof value === "string" ? value : "");
    this.picked = { dataset: name(kept.dataset), model: name(kept.model) };
    this.downloads.after = name(kept.after);
    this.preset = typeof kept.preset === "string" ? kept.preset : "balanced";
    this.form.fill(kept.settings ?? {});
    if (kept.all) this.showAll(true);
  }
  keep() {
    memory = { ...this.draft(), all: this.form.all };
    try { localStorage.setItem(this.key, JSON.stringify(memory)); } catch { /* it lives in `memory` then */ }
  }
  draft() { return { ...this.picked, preset: this.preset, settings: this.form.values(), after: this.downloads.after }; }
  settings() {
    const picked = Object.entries(this.picked).filter(([, name]) => name);
    return { ...Object.fromEntries(picked), ...this.form.values() };
  }
  // The model to begin with: the starter, or where it is not here the only other one that is.
  usual() {
    const here = this.choices.models.filter((item) => !item.error);
    return here.length === 1 ? here[0].name : "starter";
  }
  // The chosen model where it is known and not on this machine: Start fetches it first.
  get missing() {
    const { models, known } = this.choices, name = this.picked.model;
    return models.some((item) => item.name === name) ? null : known.find((item) => item.name === name || item.id === name) ?? null;
  }
  // What the address asks for: a dataset and which of its versions to take, or the settings of an old run; once.
  async follow() {
    const { dataset, from, rung, take } = address();
    if (RUN.test(from)) {
      go({ from: null, rung: null }, { replace: true });
      await this.exchange.ofRun(from, rung);
    } else if (dataset) {
      this.choose("dataset", dataset, { replace: true });
      if (take) this.of(take);
    }
  }
  // The version that was looked at wins over the one an earlier run was made with.
  of(version) {
    go({ take: null }, { replace: true });
    const field = this.form.fields.get("version"), wanted = /^\d+$/.test(version) ? version : "";
    if (!field || String(this.form.values().version ?? "") === wanted) return;
    this.form.put(field, wanted);
    this.datasets.told();
    this.keep();
    this.soon(0);
  }
  choose(kind, name, { replace = false } = {}) {
    const other = this.picked[kind] !== name;
    if (other && kind === "model") this.downloads.after = "";
    this.picked[kind] = name;
    if (other && kind === "dataset") {
      const version = this.form.fields.get("version");
      if (version) this.form.put(version, "");
      if (address().tab === "train" && (address().dataset || !replace)) go({ dataset: name }, { replace: true });
    }
    this.keep();
    if (other) { this.datasets.draw(); this.models.draw(); this.soon(0); }
  }
  edited() {
    this.preset = "";
    this.drawPresets();
    this.datasets.told();
    this.keep();
    this.soon();
  }
  take(settings, words) {
    const before = this.draft();
    this.picked.dataset = settings.dataset ?? this.picked.dataset;
    this.picked.model = settings.model ?? this.picked.model;
    this.preset = "";
    this.form.fill(settings);
    this.settled();
    toast(words, { run: () => this.back(before) });
  }
  back(before) {
    this.picked = { dataset: before.dataset, model: before.model };
    this.preset = before.preset;
    this.form.fill(before.settings);
    this.settled();
  }
  settled() {
    if (address().tab === "train" && address().dataset) go({ dataset: this.picked.dataset }, { replace: true });
    this.keep();
    this.datasets.draw();
    this.models.draw();
    this.drawPresets();
    this.soon(0);
  }
  // Some settings changed in place of the person, who can take that back.
  lay(changes, words) {
    const before = this.draft();
    this.picked.model = changes.model ?? this.picked.model;
    this.preset = "";
    this.form.lay(changes);
    this.settled();
    toast(words, { run: () => this.back(before) });
  }

  // ---- Presets, search, all settings ----

  drawPresets() {
    const chosen = this.choices.presets.find((item) => item.name === this.preset);
    this.draw("[data-slot=presets]", html`<div class="tr-presets" role="group" aria-label="Settings to start from">
      ${this.choices.presets.map((item) => html`<button type="button" data-preset="${item.name}" aria-pressed="${String(item.name === this.preset)}">${item.title}</button>`)}
      ${this.preset ? "" : html`<span>Your own</span>`}</div>
      <p class="soft small">${chosen?.help ?? "Settings you changed, or took over. Choose one of the others to go back."}</p>`);
  }
  apply(name) {
    const preset = this.choices.presets.find((item) => item.name === name);
    const before = this.draft();
    this.form.fill(preset.settings, { keep: KEPT });
    this.preset = name;
    this.settled();
    if (before.preset === "") toast(`“${preset.title}” took the place of your settings.`, { run: () => this.back(before) });
  }
  search(words) {
    const count = this.form.show({ words });
    const goal = this.querySelectorAll(".tr-choice .form-field:not([hidden])").length;
    this.querySelector(".tr-found").textContent = words.trim() ? (count - goal ? `${number(count - goal)} found.` : "No setting has these words in its name or help.") : "";
    this.querySelector(".tr-all").hidden = Boolean(words.trim());
  }
  showAll(all) {
    this.form.show({ all });
    const button = this.querySelector(".tr-all");
    button.textContent = all ? "Show the most important only" : "Show all settings";
    button.setAttribute("aria-expanded", all);
  }

  // ---- Preflight ----

  soon(wait = WAIT) {
    clearTimeout(this.later);
    this.pending = true;
    this.looked = (this.looked ?? 0) + 1; // a look under way answers for what was there before
    this.busy(true);
    if (wait) this.refused = false; // something was changed since
    this.later = setTimeout(() => this.look(), wait);
  }
  busy(working) { this.querySelector(".pf-state").textContent = working ? "Checking …" : ""; }
  async look() {
    const mine = (this.looked = (this.looked ?? 0) + 1);
    clearTimeout(this.later);
    try {
      const found = await tell("/studio/train/look", { settings: this.settings() });
      if (mine !== this.looked) return;
      this.stale = false;
      this.found = found;
      this.showFound(found);
    } catch (error) {
      if (mine !== this.looked) return;
      this.stale = true;
      this.say(error);
    }
    this.pending = false;
    this.busy(false);
  }
  panel() {
    this.draw("[data-slot=preflight]", html`<div class="spread"><h2>Before you start</h2><span class="pf-state soft small" role="status"></span></div>
      <div data-slot="fit"></div><div class="pf-problems" role="status"></div>
      <button type="button" class="ft-button primary pf-start" data-start disabled>Start training</button>
      <p class="soft small pf-hint">The run goes on when you close this page. You can stop it at any time and keep what it learned.</p>
      <div class="pf-error" role="alert"></div>
      ${EXCHANGE}`);
    this.fit = new Fit(this, this.querySelector("[data-slot=fit]"));
    this.drawStart();
  }
  showFound(found) {
    this.fit.show(found);
    const problems = found.problems.filter((problem) => !(this.missing && problem.field === "model"));
    const { settings, reasons } = this.fit.chosen();
    this.form.explain(settings, reasons);
    const loose = this.form.complain(problems);
    for (const kind of this.choices.datasets.length || this.picked.dataset ? ["dataset", "model"] : ["model"]) this.beside(kind, loose.filter((problem) => problem.field === kind));
    this.draw(".pf-problems", html`${problems.map((problem) => html`<button type="button" class="pf-problem ${problem.level}" data-to="${problem.field}">
      <span>${problem.level === "error" ? "Stops the run" : "Look at this"}</span>${problem.what}${problem.field ? "" : html` ${problem.why} ${problem.next}`}</button>`)}
      ${problems.length ? "" : html`<p class="pf-good">${this.missing ? "The model is fetched first; time and memory are told then." : "Nothing stands in the way."}</p>`}`);
    this.errors = problems.filter((problem) => problem.level === "error").length;
    this.drawStart();
    if (!this.refused) this.draw(".pf-error", "");
    this.exchange.show(found);
  }
  get tooBig() { return Boolean(this.fit.found && this.fit.facts().too_big && !this.fit.doubtful); }
  drawStart() {
    const button = this.querySelector(".pf-start"), coming = Boolean(this.downloads.after), measuring = Boolean(this.fit.job && this.fit.start);
    button.disabled = !this.found || this.errors > 0 || coming || measuring;
    button.textContent = !this.found ? "Checking …" : measuring ? "Starts if it fits" : this.starting ? "Starting …" : this.tooBig ? "Start anyway" : coming ? "Starts after the download" : this.missing ? "Download the model and start" : "Start training";
    this.querySelector(".pf-hint").textContent = this.errors ? "Correct what stops the run first."
      : coming || this.missing ? "The run starts by itself when the model is here, as long as this page is open. From then on you can close it."
      : this.fit.unmeasured || "The run goes on when you close this page. You can stop it at any time and keep what it learned.";
  }
  beside(kind, problems) {
    const slot = this.querySelector(`[data-slot=${kind}]`);
    let place = slot.nextElementSibling?.matches(".tr-beside") ? slot.nextElementSibling : null;
    if (!place) { place = document.createElement("div"); place.className = "tr-beside"; slot.after(place); }
    place.innerHTML = html`${problems.map((problem) => notice(problem, problem.level))}`;
  }
  say(error) { this.draw(".pf-error", notice(error)); }

  // ---- What a person does ----

  clicked(event) {
    const on = (selector) => event.target.closest(selector);
    if (on("[data-start]")) this.begin();
    else if (on("[data-preset]")) this.apply(on("[data-preset]").dataset.preset);
    else if (on(".tr-all")) { this.showAll(!this.form.all); this.keep(); }
    else if (on("[data-to]")) this.to(on("[data-to]").dataset.to);
  }
  to(path) {
    if (!this.form.go(path)) this.querySelector(`[data-slot="${path}"]`)?.scrollIntoView({ block: "center" });
  }
  // `agreed`: “Start anyway” was what the button said when it was pressed.
  async begin(agreed = this.tooBig) {
    const button = this.querySelector(".pf-start");
    if (this.starting || (button.disabled && !this.pending)) return;
    this.starting = true;
    this.refused = false;
    this.drawStart();
    try {
      // What was changed a moment ago is looked at first: the button is pressed before the answer is here.
      while (this.pending || this.stale) {
        await this.look();
        if (this.stale) return;
      }
      if (this.errors || (this.tooBig && !agreed)) return;
      if (this.missing) await this.downloads.first(this.missing);
      else if (this.fit.doubtful) await this.fit.measure(true);
      else {
        const { id } = await tell("/studio/train/start", { settings: this.settings(), measured: this.fit.measured });
        if (address().tab === "train") go({ tab: "runs", run: id, dataset: null });
        else toast("Training has started.", { button: "Open", run: () => go({ tab: "runs", run: id }) }); // it waited for something
      }
    } catch (error) {
      this.say(error);
      this.refused = true; // its words stay until something is changed, also where a new look finds nothing
      this.soon(0);
    } finally {
      this.starting = false;
      this.drawStart();
    }
  }

}
customElements.define("ft-train", Train);
