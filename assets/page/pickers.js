// The two things a run starts from: which dataset, which model. Each shows what is chosen, and the list on demand.

import { ask, html, notice, number, size, tell, when } from "./base.js";

const many = (amount, noun) => `${number(amount)} ${noun}${amount === 1 ? "" : "s"}`;
const millions = (count) => (count >= 1e9 ? `${(count / 1e9).toFixed(1)} billion` : `${number(count / 1e6)} million`);
const NAMES = new Intl.DisplayNames("en", { type: "language" });
function spoken(codes) {
  const names = codes.map((code) => { try { return NAMES.of(code); } catch { return code; } }); // “multilingual” is no code
  return names.length > 3 ? `${names.slice(0, 2).join(", ")} and ${names.length - 2} more` : names.join(", ");
}
const SHOWN = 8;

// `host` is the Train page: host.choices, host.picked, host.choose(kind, name), host.downloads.
export class DatasetPicker {
  constructor(host, place) {
    this.host = host;
    this.place = place;
    this.open = false;
    this.words = "";
    place.addEventListener("click", (event) => this.clicked(event.target));
    place.addEventListener("input", (event) => {
      if (!event.target.matches(".tr-filter")) return;
      this.words = event.target.value.toLowerCase();
      this.list();
    });
  }
  clicked(target) {
    if (target.closest("[data-change]")) { this.open = !this.open; this.draw(); }
    const option = target.closest("[data-name]");
    if (option) { this.open = false; this.host.choose("dataset", option.dataset.name); this.draw(); this.place.querySelector("[data-change]")?.focus(); }
  }
  draw() {
    const { datasets } = this.host.choices;
    if (!datasets.length) return put(this.place, html`<div class="empty"><h3>No datasets yet</h3>
      <p>Bring a file of examples: a table, JSON or text.</p>
      <p class="row center after"><a class="ft-button primary" href="?tab=data&import=1" data-go="tab=data&import=1">Import a file</a></p></div>`);
    const chosen = datasets.find((item) => item.name === this.host.picked.dataset);
    put(this.place, html`<div class="tr-chosen"><div class="tr-words">
        ${chosen ? facts(chosen) : html`<strong>${this.host.picked.dataset || "Nothing chosen yet"}</strong>`}<span class="small tr-version"></span></div>
        <div class="row">${chosen && !chosen.error ? html`<a class="ft-button quiet" href="?tab=data&dataset=${chosen.name}"
          data-go="tab=data&dataset=${encodeURIComponent(chosen.name)}">Look at the rows</a>` : ""}
        <button type="button" class="ft-button" data-change aria-expanded="${String(this.open)}">${this.open ? "Close" : "Change"}</button></div></div>
      ${this.open ? html`<div class="tr-list">${datasets.length > SHOWN ? html`<input class="ft-input tr-filter" type="search"
        placeholder="Filter ${number(datasets.length)} datasets" aria-label="Filter the datasets" value="${this.words}">` : ""}
        <ul class="tr-options"></ul></div>` : ""}`);
    this.list();
    this.told();
  }
  // An older version than the newest is told beside the dataset: its setting may be out of sight.
  told() {
    const place = this.place.querySelector(".tr-version"), version = this.host.form.values().version;
    if (place) place.textContent = version ? `Version ${version} is used, as the settings say.` : "";
  }
  list() {
    const place = this.place.querySelector(".tr-options");
    if (!place) return;
    const fitting = this.host.choices.datasets.filter((item) => item.name.toLowerCase().includes(this.words));
    put(place, html`${fitting.map((item) => html`<li><button type="button" class="tr-option" data-name="${item.name}"
      aria-pressed="${String(item.name === this.host.picked.dataset)}" ${item.error ? html`disabled` : ""}>${facts(item)}</button></li>`)}
      ${fitting.length ? "" : html`<li class="soft">No dataset is called so.</li>`}`);
  }
}

function facts(item) {
  if (item.error) return html`<strong>${item.name}</strong><span class="soft small">Broken: ${item.error.why}</span>`;
  const { train = 0, validation = 0, test = 0 } = item.counts;
  return html`<strong>${item.name}</strong><span class="small">${item.kind_words}, made ${when(item.made)}</span>
    <span class="soft small">${many(train, "row")} to learn from, ${number(validation)} to watch the training, ${number(test)} held out for the score</span>`;
}

export class ModelPicker {
  constructor(host, place) {
    this.host = host;
    this.place = place;
    this.open = false;
    this.found = null;
    this.typed = "";
    place.addEventListener("click", (event) => this.clicked(event.target));
    place.addEventListener("input", (event) => { if (event.target.matches(".tr-source")) this.typed = event.target.value; });
    place.addEventListener("submit", (event) => { event.preventDefault(); this.another(event.submitter?.dataset.act ?? "search"); });
  }
  clicked(target) {
    if (target.closest("[data-change]")) { this.open = !this.open; this.draw(); return; }
    const fetched = target.closest("[data-fetch]");
    if (fetched) { this.add(fetched.dataset.fetch, fetched); return; }
    const option = target.closest("[data-name]");
    if (option) { this.open = false; this.host.choose("model", option.dataset.name); this.draw(); this.place.querySelector("[data-change]")?.focus(); }
  }
  draw() {
    const { models, known } = this.host.choices;
    const here = models.find((item) => item.name === this.host.picked.model);
    const away = known.find((item) => item.id === this.host.picked.model || item.name === this.host.picked.model);
    put(this.place, html`<div class="tr-chosen"><div class="tr-words">
        <strong>${here?.name ?? away?.id ?? this.host.picked.model}</strong>${about(here ?? away)}
        ${!here ? html`<span class="tr-missing small">${away ? "Not on this machine yet." : "There is no model of this name here."}</span>` : ""}</div>
        <div class="row">${!here && away && !this.coming(away) ? html`<button type="button" class="ft-button" data-fetch="${away.id}">Download
          ${away.id === "starter" ? "(93 MB)" : html`(about ${size(away.parameters * 2)})`}</button>` : ""}
        <button type="button" class="ft-button" data-change aria-expanded="${String(this.open)}">${this.open ? "Close" : "Change"}</button></div></div>
      <div class="tr-problem" role="status"></div>
      ${this.open ? this.panel(models, known) : ""}`);
  }
  coming(item) { return this.host.choices.adding.some((job) => job.source === item.id); }
  panel(models, known) {
    return html`<div class="tr-list">
      <h3>On this machine</h3>
      ${models.length ? table(models, (item) => item.error ? "" : html`<button type="button" class="ft-button" data-name="${item.name}"
        aria-pressed="${String(item.name === this.host.picked.model)}" aria-label="Use ${item.name}">${item.name === this.host.picked.model ? "Chosen" : "Use"}</button>`) : html`<p class="soft small">None yet.</p>`}
      <h3>Known to work</h3>
      ${table(known, (item) => this.coming(item) ? html`<span class="soft small">Coming</span>` : html`<button type="button" class="ft-button"
        data-fetch="${item.id}" aria-label="Download ${item.id}">Download</button>`)}
      <h3>Another one</h3>
      <form class="tr-another"><input class="ft-input tr-source" aria-label="A hub id, words to search for, or a folder" value="${this.typed}"
          placeholder="owner/name, words to search the hub for, or a folder">
        <button class="ft-button" data-act="search">Search the hub</button><button class="ft-button" data-act="add">Add</button></form>
      <p class="soft small">Searching and downloading ask huggingface.co; nothing else here does. A folder is copied.</p>
      <div class="tr-found-models" role="status">${this.results()}</div></div>`;
  }
  results() {
    if (this.found === null) return "";
    if (this.found === "asking") return html`<p class="soft">Asking the hub …</p>`;
    if (!this.found.length) return html`<p class="soft">The hub knows no text model with these words that has safetensors.</p>`;
    return table(this.found, (item) => html`<button type="button" class="ft-button" data-fetch="${item.id}" aria-label="Download ${item.id}">Download</button>`);
  }
  async another(act) {
    const text = this.typed.trim();
    if (!text) { this.place.querySelector(".tr-source")?.focus(); return; }
    if (act === "add") { await this.add(text, this.place.querySelector("[data-act=add]")); return; }
    this.found = "asking";
    const place = this.place.querySelector(".tr-found-models");
    put(place, this.results());
    try {
      this.found = (await ask(`/studio/models/search?words=${encodeURIComponent(text)}`)).found;
      if (place.isConnected) put(place, this.results());
    } catch (error) {
      this.found = null;
      put(place, notice(error));
    }
  }
  async add(source, button) {
    if (button) button.disabled = true;
    try {
      const job = await tell("/studio/models/add", { source });
      this.open = false;
      this.host.downloads.begun(job, source);
    } catch (error) {
      put(this.place.querySelector(".tr-found-models") ?? this.place.querySelector(".tr-problem"), notice(error));
    } finally {
      if (button?.isConnected) button.disabled = false;
    }
  }
}

function about(item) {
  if (!item) return "";
  if (item.error) return html`<span class="soft small">Broken: ${item.error.what} ${item.error.why}</span>`;
  const weight = item.parameters && `${millions(item.parameters)} parameters`, tongues = item.languages?.length && spoken(item.languages);
  const reads = item.context && `Reads up to ${number(item.context)} tokens at once`;
  return html`<span class="small">${[weight, tongues].filter(Boolean).join(", ")}</span>
    <span class="soft small">${[reads, item.licence ? `licence ${item.licence}` : "licence unknown"].filter(Boolean).join("; ")}</span>${item.fit ? html`<span>${fits(item.fit)}</span>` : ""}`;
}
// How a usual run fits here: a word, then memory and pace.
export function fits(fit) {
  if (!fit) return "";
  const [level, word, why] = !fit.fits ? ["failed", "too large", "A usual LoRA run needs more memory than is free."]
    : fit.slow ? ["interrupted", "slow here", "There is room for it, and a usual LoRA run would take very long."]
    : ["finished", "fits", "Memory of a usual LoRA run, and the time of one pass over 1,000 rows."];
  const pace = fit.fits && fit.seconds ? ` · ${rough(fit.seconds)} for 1,000 rows` : "";
  return html`<span class="tr-fit" title="${why}"><span class="chip ${level}">${word}</span>
    <span class="soft small num">${fit.needed_gb.toFixed(1)} of ${fit.free_gb.toFixed(0)} GB memory${pace}</span></span>`;
}
const rough = (seconds) => (seconds < 5400 ? `${Math.max(1, Math.round(seconds / 60))} min` : `${Math.round(seconds / 3600)} h`);
function table(items, button) {
  return html`<div class="tr-scroll" tabindex="0"><table class="tr-table">
    <colgroup>${["", "6.1rem", "7.2rem", "4.6rem", "7.5rem", "6.6rem"].map((width) => html`<col ${width ? html`style="width:${width}"` : ""}>`)}</colgroup><thead><tr><th scope="col">Model</th><th scope="col">Size</th><th scope="col">Licence, languages</th>
    <th scope="col">Reads</th><th scope="col">A usual run here</th><th scope="col"><span class="sr-only">Action</span></th></tr></thead>
    <tbody>${items.map((item) => html`<tr><td><strong>${item.id ?? item.name}</strong>
      ${item.description ? html`<span class="soft">${item.description}</span>` : ""}
      ${item.error ? html`<span>${item.error.what} ${item.error.why}</span>` : ""}
      ${item.gated ? html`<span class="soft">Asks for an account and consent first.</span>` : ""}</td>
      <td class="num">${item.parameters ? millions(item.parameters) : "–"}</td><td>${item.licence || "–"}
      ${item.languages?.length ? html`<span class="soft">${spoken(item.languages)}</span>` : ""}</td><td class="num">${item.context ? number(item.context) : "–"}</td>
      <td>${fits(item.fit)}</td><td>${button(item)}</td></tr>`)}</tbody></table></div>`;
}
function put(place, markup) {
  const text = String(markup);
  if (place && place.drawn !== text) { place.drawn = text; place.innerHTML = text; }
}
