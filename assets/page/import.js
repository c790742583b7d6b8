// Importing a file: where it comes from, then what it is taken for, corrected beside its first rows.
//
//   ?tab=data&import=1[&upload=ID | &path=… | &sample=…][&job=ID][&fetch=ID]

import { Part, address, ask, go, html, notice, number, size, tell } from "./base.js";
import { copy } from "./copy.js";
import { Mapping } from "./mapping.js";
import { keep, recall } from "./remember.js";
import "./sources.js";
import { toast } from "./toast.js";
import { moreTurns, rowBody, tools } from "./turns.js";

const CLEAR = { import: null, upload: null, path: null, sample: null, job: null, fetch: null, fetching: null };

class Import extends Part {
  start() {
    this.draw(null, html`<div class="ft-import stack"><div class="stack tight-stack"><a class="back" data-go="tab=data&import=&upload=&path=&sample=&job=&fetch=&fetching=" href="?tab=data">‹ All datasets</a>
      <h1>Import</h1></div><div class="told"></div><div class="step"></div></div>`);
    this.onclick = (event) => this.clicked(event);
    this.oninput = (event) => this.typed(event);
    this.onchange = (event) => this.chosen(event);
    this.onsubmit = (event) => { event.preventDefault(); this.submit(event.target); };
    this.addEventListener("ft-fault", (event) => this.fault(event.detail));
    this.addEventListener("ft-job-done", (event) => this.ended(event.detail));
    this.show();
  }
  addressChanged() { if (address().tab === "data" && address().import) this.show(); }
  get source() {
    const { upload, path, sample } = address();
    return upload ? { upload } : path ? { path } : sample ? { sample } : null;
  }
  show() {
    const source = JSON.stringify(this.source);
    if (this.showing === source) { this.drawJob(); return; }
    this.showing = source;
    this.mapping = this.going = null;
    this.found = null;
    this.taken = 0; // how often the form came to say something else by what an import before had
    this.whole = new Map(); // the rows of the preview that are shown whole, by their place
    if (!this.source) { this.choose(); return; }
    this.mapping = new Mapping(recall("import")?.source === source ? recall("import").choices : null);
    this.draw(".step", html`<div class="card"><p class="soft" role="status">Looking at it…</p><div class="bar unknown"><i></i></div></div>`);
    this.look();
  }

  // ---- Where the rows come from ----

  choose() { this.draw(".step", html`<ft-sources></ft-sources>`); }
  submit(form) { if (form.dataset.form === "import") this.run(); }
  // What went wrong, with the command that mends it, where there is one, to copy; null takes it away.
  fault(error) {
    const command = error?.next?.match(/python3 launch\.py setup[\w -]*/)?.[0];
    this.draw(".told", error ? html`${notice(error)}${command ? html`<div class="spread ft-mend"><pre class="command" tabindex="0" aria-label="Command">${command}</pre><button type="button" class="ft-button small" data-copy="${command}">Copy</button></div>` : ""}` : html``);
    if (error) this.querySelector(".told").scrollIntoView({ block: "nearest" });
  }

  // ---- What it is taken for ----

  async look(patient = false) {
    const asked = (this.asked = (this.asked ?? 0) + 1);
    const source = this.showing;
    const opened = patient ? [] : [...this.whole.keys()];
    const slow = setTimeout(() => this.querySelector(".ft-looking")?.removeAttribute("hidden"), 200);
    let found;
    try {
      found = await tell("/studio/imports/preview", { ...this.source, ...this.mapping.asked(), opened, patient }, { signal: this.left.signal });
    } catch (error) {
      found = { error };
    }
    clearTimeout(slow);
    if (asked !== this.asked || source !== this.showing || !this.isConnected) return;
    this.querySelector(".ft-looking")?.setAttribute("hidden", "");
    if (found.error && !found.columns && !found.entries?.length && !["encoding", "overlap", "chunk"].includes(found.error.field)) { this.unreadable(found.error); return; }
    this.draw(".told", html``);
    this.found = { ...this.found, rows: null, bad_count: 0, first: null, error: null, ...found };
    if (!patient) this.whole = new Map(opened.filter((at) => found.rows?.[at]).map((at) => [at, found.rows[at]]));
    this.mapping.take(this.found);
    this.render();
    if (document.activeElement?.id !== "ft-name") this.goOn();
    if (found.rows && !found.whole && !patient) this.look(true); // the first rows are shown; now for the bad ones among many
  }
  // Nothing can be made of the file: back to the choice, with what was typed.
  unreadable(error) {
    const { upload } = address();
    if (upload) tell("/studio/imports/discard", { upload }).catch(() => null);
    go({ upload: null, path: null, sample: null, job: null }, { replace: true });
    this.fault(error);
  }
  render() {
    if (!this.querySelector(".ft-work")) {
      this.draw(".step", html`<div class="ft-work"><form class="card stack ft-form" data-form="import" novalidate></form><div class="stack ft-shown"><div class="bar unknown ft-looking" hidden><i></i></div>
        <div class="preview stack"></div></div></div>`);
      new ResizeObserver(() => this.offer()).observe(this.querySelector(".preview"));
    }
    this.form();
    this.drawPreview();
  }
  // The form is drawn anew only when its fields change; what is being typed stays, with its cursor.
  form() {
    const { file, bytes } = this.found;
    this.mapping.exists = this.exists(this.mapping.choices.name ?? this.found.suggested ?? "");
    const now = document.activeElement, marked = [now?.selectionStart, now?.selectionEnd, now?.selectionDirection];
    const markup = html`<div class="spread"><div class="ft-file clip"><strong class="clip">${file}</strong><span class="soft small">${size(bytes)}</span></div><button type="button" class="ft-button small" data-do="another">Another file</button></div>
      <div class="field"><label for="ft-name">Name of the dataset</label><input id="ft-name" name="name" data-most="64" autocomplete="off" spellcheck="false" aria-describedby="ft-name-hint"><span class="soft small" id="ft-name-hint">It becomes a folder’s name: spaces and other signs turn into dashes.</span></div><div class="name-told"></div><div class="exists stack tight-stack"></div>
      <div class="consent"></div><div class="start-told"></div><div class="start row tight-row"><button class="ft-button primary" aria-describedby="ft-why">Import</button><span class="soft small why" id="ft-why"></span></div><div class="job"></div>
      ${this.mapping.form(this.found)}`;
    const place = this.querySelector(".ft-form");
    const key = this.mapping.shape(this.found) + file;
    if (this.drawnForm !== key || !place.firstChild) {
      this.drawnForm = key;
      place.innerHTML = markup;
      this.mapping.fill(place);
      place.querySelector("#ft-name").value = this.mapping.choices.name ?? this.found.suggested ?? "";
    }
    this.named();
    this.consent();
    this.drawJob();
    if (!now?.id || now.isConnected) return;
    const field = place.querySelector(`#${CSS.escape(now.id)}`);
    field?.focus();
    if (typeof marked[0] === "number") field?.setSelectionRange(...marked); // else what is typed next would stand behind it
  }
  // Under the name of a dataset that is there, its last import says how this one begins. One look for each name.
  goOn() {
    const name = this.querySelector("#ft-name")?.value.trim() ?? "", there = this.exists(name) ? name : "";
    if (!this.found?.columns?.length || this.going?.name === there) return this.going?.done;
    this.going = { name: there };
    return (this.going.done = this.takeOver(this.going, this.mapping));
  }
  async takeOver(going, mapping) {
    if (mapping.letGo(going.name)) { this.drawnForm = null; await this.look(); this.taken += 1; }
    const before = going.name ? await ask(`/studio/imports/before?name=${encodeURIComponent(going.name)}`).catch(() => ({})) : {};
    if (!this.isConnected || this.going !== going) return;
    const other = mapping.goOn(going.name, before, this.found.columns ?? []);
    keep("import", { source: this.showing, choices: mapping.choices });
    if (!other) { this.named(); return; }
    this.drawnForm = null;
    this.form();
    await this.look();
    this.taken += 1;
  }
  before() {
    const { taken, keyBefore } = this.mapping;
    const { name, version } = this.mapping.choices.taken ?? {};
    return html`${taken ? html`<p class="soft small">Taken from the last import of “${name}” (version ${version}): ${taken}. Change it below where it shall be otherwise.</p>` : ""}${keyBefore
      ? html`<p class="notice warning small">In version ${version} the column “${keyBefore}” is the key that names each row. ${this.found.columns?.includes(keyBefore)
        ? "Without it the rows get other ids, and what was reviewed fits none of them: choose it under More choices."
        : "This file has no such column, so its rows get other ids, and what was reviewed fits none of them. Choose another name, or a file with that column."}</p>` : ""}`;
  }
  exists(name) { return Boolean(this.found.datasets?.includes(name.trim())); }
  named() {
    const name = this.querySelector("#ft-name")?.value.trim() ?? "";
    const there = this.exists(name);
    const { append, keep_equal: equal } = this.mapping.choices;
    this.mapping.exists = there;
    this.draw(".exists", there ? html`<label class="ft-check"><input id="ft-append" type="checkbox" name="append" ${append ? html`checked` : ""}> <span>Add to the rows of “${name}”</span></label>
      <p class="soft small">${append ? `Its next version has its rows, with their ids and sides, and the new ones behind them; rows it has already are ${equal ? "taken in again" : "not doubled"}.` : `There is a dataset “${name}”: this becomes its next version. Choose another name to keep them apart.`}</p>${append ? html`<label class="ft-check"><input id="ft-keep-equal" type="checkbox" name="keep_equal" ${equal ? html`checked` : ""}> <span>Keep equal rows</span></label>` : ""}${this.before()}` : html``);
  }
  // Spaces and the like become what a folder's name can have, as soon as the field is left.
  async tidy(field) {
    const typed = field.value.trim();
    const { name } = typed ? await ask(`/studio/imports/name?text=${encodeURIComponent(typed)}`).catch(() => ({ name: typed })) : { name: typed };
    if (!field.isConnected || field.value.trim() !== typed || name === typed) return;
    field.value = name;
    this.change(field, 0);
  }
  consent() {
    const { bad_count: bad, checked, whole } = this.found;
    const consented = this.mapping.choices.skip_bad;
    const words = this.refused
      ? `Leave out the ${number(this.refused)} bad rows and import the others`
      : whole ? `Leave out ${bad === 1 ? "this bad row" : `these ${number(bad)} bad rows`} and import the other ${number(checked - bad)}` : "Leave out all rows that can’t be used";
    this.draw(".consent", bad || this.refused ? html`<label class="ft-check"><input type="checkbox" name="skip_bad" ${consented ? html`checked` : ""}> <span>${words}</span></label>` : html``);
  }
  preview() {
    const { error, rows, first, columns } = this.found;
    const wrong = error ? notice(error) : html``;
    if (!rows) {
      return html`${wrong}${first && Object.keys(first).length ? html`<div class="card"><h2>The first row, by columns</h2><dl class="ft-columns">${columns.slice(0, 60).map((name) =>
        html`<div><dt class="clip">${name}</dt><dd dir="auto">${first[name] || html`<span class="soft">empty</span>`}</dd></div>`)}</dl></div>` : ""}`;
    }
    const { kind_words, format_words, reasons, notes } = this.found;
    const why = [...reasons, ...notes].join("; ");
    return html`${wrong}<div class="card ft-guess"><h2>${kind_words}</h2><p class="soft">${kind_words === format_words ? "" : `${format_words}: `}${kind_words === format_words ? why.charAt(0).toUpperCase() + why.slice(1) : why}.</p>
        <p class="soft small num">${this.found.whole ? `${number(this.found.checked)} row${this.found.checked === 1 ? "" : "s"}` : `The first ${number(this.found.checked)} rows were looked at; the import reads them all`}${this.sides()}</p></div>
      ${this.bad()}<h2>${this.found.cuts ? "The first pieces" : "The first rows"}, as the model will learn them</h2>${rows.length ? rows.map((row, at) => [this.whole.get(at) ?? row, at]).map(([row, at]) => html`<article class="card ft-rowcard ${this.whole.has(at) ? "whole" : ""}"><header><span class="soft small">${row.file ? html`<bdi>${row.file}</bdi>, ` : ""}${row.unit || this.found.unit} ${number(row.line)}</span>${row.heading ? html`<span class="chip clip" dir="auto" title="The headings it stands under">${row.heading}</span>` : ""}
        ${Object.entries(row.tags).map(([name, value]) => html`<span class="chip tag" title="${name}">${value}</span>`)}</header>${tools(row)}${rowBody(row)}${moreTurns(row)}${this.opener(row, at)}</article>`)
        : html`<div class="card empty"><h2>No row can be used</h2><p>Look at the reasons above; another column or format may be meant.</p></div>`}`;
  }
  drawPreview() {
    this.draw(".preview", this.preview());
    this.offer();
  }
  opener(row, at) {
    const open = this.whole.has(at);
    return html`<button type="button" class="ft-button small" data-whole="${at}" aria-expanded="${open ? "true" : "false"}">${open ? "Show it short" : "Show it whole"}<span class="unseen">, ${row.unit || this.found.unit} ${number(row.line)}</span></button>`;
  }
  // Where nothing of a row is cut, there is nothing to open.
  offer() {
    for (const card of this.querySelectorAll(".preview .ft-rowcard:not(.whole)")) {
      const cut = [...card.querySelectorAll(".words, .call")].some((text) => text.scrollHeight > text.clientHeight + 1);
      const button = card.querySelector("[data-whole]");
      button.hidden = !cut && !this.found.rows?.[button.dataset.whole]?.more;
    }
  }
  // A row whole or short again: the studio sends the whole of it when it is asked for.
  async open(at) {
    const { whole } = this;
    if (!whole.delete(at)) {
      const asked = { ...this.source, ...this.mapping.asked(), opened: [at] };
      const { rows, error } = await tell("/studio/imports/preview", asked, { signal: this.left.signal }).catch((wrong) => ({ error: wrong }));
      if (whole !== this.whole || !this.isConnected) return; // other rows are shown by now
      if (!rows?.[at]) { this.fault(error); return; }
      whole.set(at, rows[at]);
    }
    this.drawPreview();
    this.querySelector(`[data-whole="${at}"]`)?.focus();
  }
  sides() {
    const { sides } = this.found;
    if (!Object.keys(sides).length || this.mapping.choices.split === "shares") return "";
    return ` · ${number(sides.train)} training, ${number(sides.validation)} validation, ${number(sides.test)} held out`;
  }
  bad() {
    const bad = this.failed ?? this.found.bad;
    const count = this.refused ?? this.found.bad_count;
    if (!count) return html``;
    return html`<div class="card ft-bad"><h2>${count === 1 ? "1 row" : `${number(count)} rows`} can’t be used</h2><div class="scroll"><table><thead><tr><th scope="col">${this.found.unit.charAt(0).toUpperCase() + this.found.unit.slice(1)}</th><th scope="col">Reason</th></tr></thead>
      <tbody>${bad.slice(0, 50).map((item) => html`<tr><td class="num">${item.line ? number(item.line) : "all"}${item.file ? html` <span class="soft"><bdi>${item.file}</bdi></span>` : ""}</td><td class="anywhere">${item.reason}</td></tr>`)}</tbody></table></div>${count > Math.min(50, bad.length)
      ? html`<p class="soft small">The first ${number(Math.min(50, bad.length))} are listed.</p>` : ""}</div>`;
  }

  // ---- Choices ----

  typed(event) {
    if (event.target.closest("[data-form=import]")) this.change(event.target, 350);
  }
  chosen(event) {
    if (event.target.id === "ft-name") this.tidy(event.target).then(() => this.goOn());
    if (event.target.matches("select, [type=checkbox], [type=radio]") && event.target.closest("[data-form=import]")) this.change(event.target, 0);
  }
  change(field, wait) {
    const needed = this.mapping.change(field, this.found);
    keep("import", { source: this.showing, choices: this.mapping.choices });
    if (["name", "append", "keep_equal"].includes(field.name)) { this.draw(".name-told", html``); this.form(); return; }
    if (field.name === "skip_bad") { this.draw(".start-told", html``); return; }
    this.refused = this.failed = null;
    if (needed === "form") this.form();
    clearTimeout(this.typing);
    this.typing = setTimeout(() => this.look(), wait);
  }
  clicked(event) {
    const button = event.target.closest("[data-do]");
    const deed = button?.dataset.do;
    const copied = event.target.closest("[data-copy]");
    if (copied) copy(copied.dataset.copy, copied);
    if (deed === "another") {
      if (address().upload) tell("/studio/imports/discard", { upload: address().upload }).catch(() => null);
      go({ upload: null, path: null, sample: null, job: null });
    }
    const whole = event.target.closest("[data-whole]");
    if (whole) this.open(Number(whole.dataset.whole));
    const chip = event.target.closest("[data-insert]");
    if (chip) {
      const area = this.querySelector(`#${chip.dataset.into}`);
      area.setRangeText(`{${chip.dataset.insert}}`, area.selectionStart, area.selectionEnd, "end");
      area.focus();
      this.change(area, 0);
    }
  }

  // ---- The import itself ----

  async run() {
    if (this.starting || address().job) return;
    this.starting = true;
    this.drawJob();
    try {
      await this.begin();
    } finally {
      this.starting = false;
      this.drawJob();
    }
  }
  // What the form came to say only now nobody has seen: it is shown, and nothing is imported before the next press.
  async begin() {
    const source = this.showing, taken = this.taken;
    await this.tidy(this.querySelector("#ft-name"));
    await this.goOn();
    if (source !== this.showing || !this.isConnected) return;
    const name = this.querySelector("#ft-name").value.trim();
    this.draw(".start-told", html``);
    if (taken !== this.taken) { this.unseen(name); return; }
    const count = this.refused ?? this.found.bad_count;
    if (this.found.error) { this.draw(".start-told", notice(this.found.error)); return; }
    if (count && !this.mapping.choices.skip_bad) {
      this.draw(".start-told", notice({ what: count === 1 ? "One row can’t be used." : `${number(count)} rows can’t be used.`, why: "Nothing is left out without your word.", next: "Tick the box above the button, or correct the file." }));
      return;
    }
    const wrong = this.mapping.wrong();
    if (wrong) { this.draw(".start-told", notice(wrong)); return; }
    try {
      const started = await tell("/studio/imports/start", { ...this.source, ...this.mapping.asked(), ...this.mapping.more(), name });
      if (this.isConnected && source === this.showing) go({ job: started.job }, { replace: true });
    } catch (error) {
      this.draw(error.field === "name" ? ".name-told" : ".start-told", notice(error));
    }
  }
  unseen(name) {
    const { taken } = this.mapping;
    const told = taken
      ? { what: `These settings were taken from the last import of “${name}”: ${taken}.`, why: "Nothing is imported yet.", next: "Look at them, then press Import again." }
      : { what: "What was taken from another import is let go under this name.", why: "Nothing is imported yet.", next: "Look at the settings below, then press Import again." };
    this.draw(".start-told", notice(told, "warning")).scrollIntoView({ block: "nearest" });
  }
  drawJob() {
    const { job } = address();
    const place = this.querySelector(".ft-form .job");
    if (!place) return;
    this.draw(".ft-form .job", job ? html`<ft-job data-id="${job}" data-title="Importing ${this.found.file}" data-stopped="Nothing was imported."></ft-job>` : html``);
    const { error } = this.found;
    this.querySelector(".start button").disabled = Boolean(error) || Boolean(job) || Boolean(this.starting);
    this.draw(".why", error ? html`${error.what}` : html``);
  }
  ended({ status, result, events }) {
    if (status === "finished") {
      const { upload } = address();
      const taken = this.mapping?.taken;
      if (upload) tell("/studio/imports/discard", { upload }).catch(() => null);
      go({ ...CLEAR, dataset: result.name });
      toast(`${number(result.rows)} rows are in “${result.name}”${result.version > 1 ? `, version ${result.version}` : ""}.${news(result)}${taken ? ` Taken from the import before: ${taken}.` : ""}`, seen(result));
      return;
    }
    const failed = events.findLast((event) => event.type === "failed");
    if (failed?.bad_rows) {
      this.refused = failed.bad_rows;
      this.failed = failed.bad;
      this.drawPreview();
      this.consent();
    }
    const told = this.querySelector(".ft-form .job ft-job .ft-job");
    const kept = told?.innerHTML;
    go({ job: null }, { replace: true });
    if (kept) { // the words stay beside the button; the next try takes them away
      const place = this.querySelector(".start-told");
      place.innerHTML = kept;
      place.drawn = null;
    }
  }
}
customElements.define("ft-import", Import);

// What a file that was imported before has now, and the way to where it is shown row by row.
function news({ news: found }) {
  if (!found) return "";
  const { against, added, removed, changed, moved, unchanged } = found;
  const sides = moved ? ` ${number(moved)} moved to another side,` : "";
  return ` Against version ${against}, imported before: ${number(added)} added, ${number(removed)} gone, ${number(changed)} changed,${sides} ${number(unchanged)} unchanged.`;
}
function seen({ name, version, news: found }) {
  if (!found || !(found.added || found.removed || found.changed || found.moved)) return {};
  return { button: "See what is new", run: () => go({ ...CLEAR, dataset: name, part: "versions", old: found.against, new: version, what: null, from: null }) };
}
