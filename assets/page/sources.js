// Where the rows of an import come from: files dropped or chosen, a path, pasted text, the hub, other datasets, samples.
//
// What is found is written into the address (upload, path or sample); what goes wrong is told by a `ft-fault` event.

import { EDITION, Part, address, ask, go, heed, html, number, size, tell } from "./base.js";
import { toast } from "./toast.js";

export const SAMPLES = [
  ["support-desk", "Support desk", "400 messages to a shop and the queue each belongs in; a spreadsheet (CSV)"],
  ["house-style", "House style", "Conversations of a library that answers in its own way (JSONL)"],
  ["preferences", "Preferences", "Questions with a better and a worse answer (JSONL)"],
];
const READABLE = ".csv,.tsv,.json,.jsonl,.ndjson,.parquet,.arrow,.xlsx,.txt,.md,.html,.htm,.pdf,.docx,.pptx,.zip,.yml,.yaml";
// The field that a form can't do without, and what belongs into it.
const ASKED = { path: "path", paste: "text", hub: "dataset" };
const WANTED = { path: "Type where a file or folder lies on this machine", paste: "Paste some rows", hub: "Type the name of a dataset, as OWNER/NAME" };
const MERGED = 6; // datasets to merge that are shown at once
// What was typed stays when the file it names can't be read.
const typed = { path: "", paste: "", hub: "" };

class Sources extends Part {
  start() {
    this.draw(null, html`<div class="stack"><div class="card ft-drop"><div><h2>Drop files here</h2><p class="soft">Tables: csv, tsv, xlsx, json, jsonl, parquet, arrow<br>Documents: pdf, docx, pptx, html, md, txt · or a zip of any of these</p></div>
        <label class="ft-button primary" for="ft-file">Choose files</label><input class="unseen" id="ft-file" type="file" multiple accept="${READABLE}"><div class="progress"></div></div>
      <div class="grid2"><form class="card stack" data-form="path"><h2>On this machine</h2><div class="field"><label for="ft-path">Its path</label><input id="ft-path" name="path" placeholder="/home/me/mails.csv, or a folder" autocomplete="off" spellcheck="false"></div>
          <div><button class="ft-button">Look at it</button></div></form>
        <form class="card stack" data-form="paste"><h2>Paste</h2><div class="field"><label for="ft-paste">Rows with their header line, or JSON</label><textarea id="ft-paste" name="text" rows="3" spellcheck="false" placeholder="question,answer"></textarea></div>
          <div><button class="ft-button">Look at it</button></div></form>
        <form class="card stack" data-form="hub"><h2>From the Hugging Face hub</h2><div class="field"><label for="ft-hub">Dataset</label><input id="ft-hub" name="dataset" placeholder="tatsu-lab/alpaca" autocomplete="off" spellcheck="false"></div>
          <details class="fold soft"><summary>A certain revision</summary><div class="field"><label for="ft-revision">Branch, tag or commit</label><input id="ft-revision" name="revision" autocomplete="off" spellcheck="false"></div></details>
          <div><button class="ft-button">Look it up</button></div><div class="found stack"></div></form></div>
      <form class="card stack merge" data-form="merge" hidden></form>
      <div class="card"><h2>Sample data</h2><div class="grid3 ft-samples">${SAMPLES.map(([key, title, about]) => html`<a class="ft-choice" data-go="sample=${key}" href="?tab=data&import=1&sample=${key}">
        <strong>${title}</strong><span class="soft small">${about}</span></a>`)}</div></div></div>`);
    for (const [name, id] of [["path", "ft-path"], ["paste", "ft-paste"], ["hub", "ft-hub"]]) this.querySelector(`#${id}`).value = typed[name];
    this.onclick = (event) => event.target.closest("[data-do=cancel]") && this.sending?.abort();
    this.onchange = (event) => this.chosen(event);
    this.onsubmit = (event) => { event.preventDefault(); event.stopPropagation(); this.submit(event.target); };
    for (const kind of ["dragover", "dragleave", "drop"]) this.addEventListener(kind, (event) => this.dragged(event));
    this.addEventListener("ft-job-done", (event) => { event.stopPropagation(); this.fetched(event.detail); });
    this.addressChanged();
    this.others();
  }
  // A dataset is fetched from the hub, or some are merged: seen on after a reload.
  addressChanged() {
    const { fetch, fetching } = address();
    const place = fetching === "merge" ? ".merge .found" : "[data-form=hub] .found";
    if (fetch && this.querySelector(place)) this.draw(place, html`<ft-job data-id="${fetch}" data-title="${fetching === "merge" ? "Merging" : "Fetching from the hub"}" data-stopped="Nothing was kept."></ft-job>`);
  }
  fault(error) { this.dispatchEvent(new CustomEvent("ft-fault", { bubbles: true, detail: error })); }

  // ---- Files ----

  chosen(event) {
    if (event.target.id === "ft-file" && event.target.files.length) {
      this.upload([...event.target.files]);
      event.target.value = "";
    } else if (event.target.name === "config") this.drawSplits();
  }
  dragged(event) {
    const zone = this.querySelector(".ft-drop");
    event.preventDefault();
    zone.classList.toggle("over", event.type === "dragover");
    if (event.type === "drop" && event.dataTransfer.files.length) this.upload([...event.dataTransfer.files]);
  }
  submit(form) {
    const field = (name) => form.elements[name]?.value.trim() ?? "";
    const deeds = {
      path: () => { typed.path = field("path"); if (typed.path) go({ path: typed.path }); },
      paste: () => { typed.paste = form.elements.text.value; if (typed.paste.trim()) this.upload([new File([typed.paste], "pasted", { type: "text/plain" })]); },
      hub: () => this.lookUp(form, field),
      merge: () => this.merge(form, field),
    };
    const kind = form.getAttribute("data-form"); // not form.dataset: a field named “dataset” would stand in its place
    const empty = form.querySelector(`[name=${ASKED[kind]}]`);
    if (empty && !empty.value.trim()) {
      this.fault({ what: "The field is empty.", why: "", next: `${WANTED[kind]}, then press the button again.` });
      empty.focus();
      return;
    }
    deeds[kind]?.();
  }
  async upload(files) {
    this.fault(null);
    const { largest } = await ask("/studio/imports").catch(() => ({ largest: Infinity }));
    const large = files.find((file) => file.size > largest);
    if (large) {
      this.fault({ what: `${large.name} is too large to upload.`, why: `It has ${size(large.size)}; uploads are limited to ${size(largest)}.`, next: "Put it on the machine the studio runs on and give its path." });
      return;
    }
    const all = files.reduce((sum, file) => sum + file.size, 0);
    let before = 0;
    let upload = "";
    for (const file of files) {
      const words = files.length > 1 ? `${files.length} files` : file.name;
      upload = await this.send(file, upload, (loaded) => this.progress(words, Math.round((100 * (before + loaded)) / (all || 1))));
      if (!upload) return;
      before += file.size;
    }
    if (!this.isConnected) { tell("/studio/imports/discard", { upload }).catch(() => null); return; }
    this.querySelector(".ft-drop .progress").innerHTML = "";
    go({ upload });
  }
  progress(words, share) {
    this.querySelector(".ft-drop .progress").innerHTML = html`<div class="spread"><span class="soft small" role="status">Uploading ${words}: ${share} %</span><button type="button" class="ft-button small" data-do="cancel">Cancel</button></div>
      <div class="bar"><i style="width:${share}%"></i></div>`;
  }
  // One file, beside those of an upload there is; its id, "" when it did not arrive.
  send(file, upload, progress) {
    return new Promise((done) => {
      const request = (this.sending = new XMLHttpRequest());
      const failed = (error) => {
        this.querySelector(".ft-drop .progress").innerHTML = "";
        if (upload) tell("/studio/imports/discard", { upload }).catch(() => null);
        if (error) this.fault(error);
        done("");
      };
      request.upload.onprogress = (event) => progress(event.loaded);
      request.onabort = () => failed(null);
      request.onerror = () => failed({ what: "The upload broke off.", why: "The studio does not answer, or the file could not be read (a folder can’t be dropped: give its path).", next: "Choose the file again." });
      request.onload = () => {
        heed(request.status);
        const answer = JSON.parse(request.responseText || "{}");
        if (request.status === 200) done(answer.upload);
        else failed(answer.error ?? { what: `The studio refused the file (${request.status}).`, why: request.responseText.slice(0, 200), next: "Give its path instead." });
      };
      progress(0);
      request.open("POST", `/studio/imports/upload?name=${encodeURIComponent(file.name)}&upload=${upload}`);
      for (const [name, value] of Object.entries(EDITION)) request.setRequestHeader(name, value);
      request.send(file);
    });
  }

  // ---- The hub ----

  async lookUp(form, field) {
    this.fault(null);
    typed.hub = field("dataset");
    if (form.elements.config && this.hub?.dataset === typed.hub && this.hub.revision === field("revision")) { this.fetch(field); return; }
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      this.hub = await tell("/studio/imports/hub", { dataset: typed.hub, revision: field("revision") }, { signal: this.left.signal });
      typed.hub = form.elements.dataset.value = this.hub.dataset;
      this.drawHub();
    } catch (error) {
      this.fault(error);
    }
    button.disabled = false;
  }
  drawHub() {
    const configs = Object.keys(this.hub.configs);
    this.draw("[data-form=hub] .found", html`<p class="soft small">${this.hub.licence ? `Licence ${this.hub.licence}` : "No licence is named"} · commit ${this.hub.commit.slice(0, 10)}</p>
      <div class="field" ${configs.length > 1 ? "" : html`hidden`}><label for="ft-config">Configuration</label><select id="ft-config" name="config">${configs.map((name) => html`<option>${name}</option>`)}</select></div>
      <div class="field"><label for="ft-hub-split">Split</label><select id="ft-hub-split" name="hub_split"></select></div>
      <div><button class="ft-button primary">Fetch</button></div>`);
    this.drawSplits();
  }
  drawSplits() {
    const splits = this.hub.configs[this.querySelector("#ft-config").value];
    const all = Object.values(splits).reduce((sum, bytes) => sum + bytes, 0);
    this.draw("#ft-hub-split", html`<option value="">All, each on its own side (${size(all)})</option>${Object.entries(splits).map(([name, bytes]) => html`<option value="${name}">${name} (${size(bytes)})</option>`)}`);
  }
  async fetch(field) {
    try {
      const { job } = await tell("/studio/imports/fetch", { dataset: this.hub.dataset, revision: this.hub.revision, config: field("config"), hub_split: field("hub_split") });
      if (this.isConnected) go({ fetch: job, fetching: "hub" });
    } catch (error) {
      this.fault(error);
    }
  }

  // ---- Other datasets ----

  async others() {
    const { datasets, keep_equal: equal } = await ask("/studio/imports").catch(() => ({}));
    const form = this.querySelector(".merge");
    if (!form || (datasets ?? []).length < 2) return;
    form.hidden = false;
    const boxes = (names) => names.map((name) => html`<label class="ft-check"><input type="checkbox" name="datasets" value="${name}"> <span class="clip">${name}</span></label>`);
    const rest = datasets.slice(MERGED);
    this.draw(".merge", html`<h2>Merge datasets</h2><fieldset class="ft-merge"><legend class="soft small">Their rows keep their ids and sides.</legend>${boxes(datasets.slice(0, MERGED))}${rest.length
      ? html`<details class="fold soft"><summary>${number(rest.length)} more</summary><div class="row">${boxes(rest)}</div></details>` : ""}</fieldset>
      <div class="field"><label for="ft-merge-name">Name of the new dataset</label><input id="ft-merge-name" name="name" data-most="64" autocomplete="off" spellcheck="false"></div>
      <div><label class="ft-check"><input type="checkbox" name="keep_equal" aria-describedby="ft-merge-equal"> <span>${equal.title}</span></label><p class="soft small" id="ft-merge-equal">${equal.help}</p></div>
      <div><button class="ft-button">Merge</button></div><div class="found stack"></div>`);
    this.addressChanged();
  }
  async merge(form, field) {
    this.fault(null);
    const datasets = [...form.querySelectorAll("[name=datasets]:checked")].map((box) => box.value);
    if (datasets.length < 2) { this.fault({ what: "Too few datasets are chosen.", why: `It takes two to merge; ${number(datasets.length)} is chosen.`, next: "Tick those whose rows shall stand together." }); return; }
    try {
      const { job } = await tell("/studio/imports/merge", { datasets, name: field("name"), keep_equal: form.elements.keep_equal.checked });
      if (this.isConnected) go({ fetch: job, fetching: "merge" });
    } catch (error) {
      this.fault(error);
    }
  }
  fetched({ status, result, error }) {
    const { fetching } = address();
    go({ fetch: null, fetching: null }, { replace: true });
    this.draw(fetching === "merge" ? ".merge .found" : "[data-form=hub] .found", html``);
    this.hub = null;
    if (status === "finished" && result.upload) go({ upload: result.upload });
    else if (status === "finished") {
      go({ import: null, dataset: result.name });
      toast(`${number(result.rows)} rows are in “${result.name}”.`);
    } else if (status !== "stopped") this.fault(error ?? { what: "This was interrupted.", why: "Its worker is gone without having said why.", next: "Try again." });
  }
}
customElements.define("ft-sources", Sources);
