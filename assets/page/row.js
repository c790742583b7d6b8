// One row: read as a conversation, in the tokens of a model, or as it is stored; edited, left out, taken back.

import { Part, address, ask, go, html, notice, number, tell } from "./base.js";
import { TOKENS } from "./glossary.js";
import { isMine, undoing } from "./dataset-links.js";
import { leftRow } from "./dataset-rows.js";
import "./starter.js";
import { keep, recall, reviewer } from "./remember.js";
import { conflictNotice, outdatedNotice } from "./review-conflicts.js";
import { chosen } from "./row-choice.js";
import { toast } from "./toast.js";
import { SIDES, chips, rowBody, textOf, texts, tools } from "./turns.js";

const VIEWS = [["", "Conversation"], ["tokens", "Tokens"], ["stored", "As stored"]];
const KINDS = [
  ["trained", "Learned", "what the model is taught to write"],
  ["context", "Context", "read, not learned"],
  ["special", "Marks", "of the chat template; read, not learned"],
  ["cut", "Cut off", "beyond the cut-off: never seen"],
];
const MOST_KEPT = 50;
// What was typed and not saved, by row, with what stood there `before` and the review last seen then: kept in this
// browser, so that a reload loses nothing.
const typed = new Map();
const drafts = {
  get: (key) => typed.get(key) ?? recall("row-drafts", {})[key],
  set(key, draft) {
    typed.set(key, draft);
    keep("row-drafts", Object.fromEntries([...this.others(key).slice(1 - MOST_KEPT), [key, draft]]));
  },
  delete(key) {
    typed.delete(key);
    keep("row-drafts", Object.fromEntries(this.others(key)));
  },
  others: (key) => Object.entries(recall("row-drafts", {})).filter(([other]) => other !== key),
};

class Row extends Part {
  start() {
    this.draw(null, html`<div class="ft-row stack"><div class="head"></div><div class="told"></div><div class="body"></div></div>`);
    this.onclick = (event) => {
      const { do: deed, label, settle, mine } = event.target.closest("[data-do], [data-label], [data-settle]")?.dataset ?? {};
      if (deed) this.act(deed);
      else if (settle) this.settle(Boolean(mine));
      else if (label !== undefined) this.label(label);
    };
    this.oninput = (event) => { if (event.target.dataset.of) this.kept(); };
    this.onchange = (event) => this.changed(event.target);
    this.addEventListener("ft-starter", () => this.load());
    this.onkey = (event) => this.pressed(event);
    document.addEventListener("keydown", this.onkey);
    this.cutoff = this.cutoff ?? 1024;
    this.learn = this.learn ?? "all";
    this.load();
  }
  disconnectedCallback() {
    super.disconnectedCallback();
    document.removeEventListener("keydown", this.onkey);
    leftRow(this.shown);
  }
  addressChanged() {
    const now = address();
    if (now.tab === "data" && now.row && !now.import) this.load();
  }
  get path() { return `/studio/datasets/${encodeURIComponent(this.at.dataset)}/rows/${encodeURIComponent(this.at.row)}`; }
  get key() { return `${this.at.dataset} ${this.at.row}`; }
  // The last review of the row that was there when its editor began.
  get base() { return drafts.get(this.key)?.seen ?? this.found.seen; }
  // What was typed over other words than the row has now: a file that is imported again changes rows without a review.
  get outdated() {
    const typed = (this.latest && drafts.get(this.key)?.texts) || [];
    return typed.some((text) => textOf(this.found.row, text) !== text.before) ? typed : null;
  }
  query(more = {}) {
    return chosen(this.at, more);
  }

  async load() {
    this.at = address();
    const asked = this.key;
    try {
      const found = await ask(`${this.path}?${this.query()}`);
      if (this.key !== asked || !this.isConnected) return;
      this.found = found;
      if (this.shown !== this.at.row) this.editing = this.latest && Boolean(drafts.get(this.key));
      if (this.outdated) this.editing = false;
      if (this.shown !== this.at.row) this.undoes = null; // the change, by its number, of which is asked whether it is taken back
      this.shown = this.at.row;
      this.away(null);
      this.render();
    } catch (error) {
      if (this.key !== asked) return;
      const there = await ask(`/studio/datasets/${encodeURIComponent(this.at.dataset)}`).catch(() => null);
      if (!there && error.why) { go({ row: null, view: null }, { replace: true }); return; } // the dataset's page says more
      this.draw(".head", this.back());
      this.draw(".told", html``);
      this.draw(".body", html`<div class="card empty"><h2 class="anywhere">${error.what}</h2><p class="anywhere">${error.why} ${error.next}</p>
        <p class="row center"><a class="ft-button primary" data-go="tab=data&row=&view=" href="?tab=data&dataset=${encodeURIComponent(this.at.dataset)}">See all its rows</a></p></div>`);
    }
  }
  back() {
    const number = this.found?.place.number;
    const query = `tab=data&row=&view=&from=${number > 20 ? Math.floor((number - 1) / 20) * 20 : ""}`;
    return html`<a class="back" data-go="${query}" href="?tab=data&dataset=${encodeURIComponent(this.at.dataset)}">‹ ${this.at.dataset}</a>`;
  }
  get latest() { return this.found.version === this.found.latest; }

  render() {
    const { row, place, last } = this.found, { outdated } = this;
    const step = (id, words, keys) => html`<button type="button" class="ft-button" data-do="${words}" ${id ? "" : html`disabled`}>${words} <kbd>${keys}</kbd></button>`;
    const deeds = this.editing ? "" : !this.latest
      ? html`<span class="soft small">Version ${this.found.version} never changes; edit rows in version ${this.found.latest}.</span>`
      : html`<label class="pick">Side <select class="ft-select" name="side">${Object.entries(SIDES).map(([side, words]) => html`<option value="${side}" ${side === row.split ? html`selected` : ""}>${words}</option>`)}</select></label>
        ${outdated ? "" : html`<button type="button" class="ft-button" data-do="edit">Edit <kbd>e</kbd></button>`}<button type="button" class="ft-button" data-do="${row.excluded ? "include" : "exclude"}">${row.excluded
          ? "Take in again" : "Leave out"} <kbd>x</kbd></button>${undoing(last, this.undoes, "Undo", html` <kbd>u</kbd>`)}${row.split === "train" && !row.excluded ? this.alike() : ""}`;
    this.draw(".head", html`<div class="stack tight-stack">${this.back()}<div class="spread"><div><h1>Row ${number(place.number)} <span class="soft">of ${place.exact ? "" : "about "}${number(place.total)}</span></h1>
        <div class="row tight-row">${chips(row)}<span class="soft small">${row.file ? `${row.file} · line ${number(row.line)}` : "Added here"}</span></div></div>
        <div class="row tight-row">${step(place.previous, "Previous", "k")}${step(place.next, "Next", "j")}</div></div></div>
      <div class="spread ft-viewbar"><div class="sides" role="group" aria-label="How to look at it">${VIEWS.map(([view, words]) =>
        html`<button type="button" data-do="view-${view}" aria-pressed="${(this.at.view ?? "") === view}">${words}</button>`)}</div><div class="row tight-row">${deeds}</div></div>`);
    this.draw(".told", html`${outdated ? outdatedNotice(row, outdated) : ""}${row.excluded ? html`<div class="notice warning" role="status">This row is left out of the next version.</div>`
      : row.edited && !this.editing ? html`<div class="notice warning" role="status">This row was edited; the change is in the next version.</div>` : ""}`);
    const view = this.at.view ?? "";
    if (view === "tokens") this.tokens();
    else this.draw(".body", view === "stored" ? this.stored() : this.editing ? this.form() : html`<div class="card ft-rowcard whole">${tools(row)}${rowBody(row)}</div>`);
    if (view === "" && this.editing) this.fill();
  }
  alike() {
    const query = `row=&view=&part=more&after=${encodeURIComponent(this.at.row)}`;
    return html`<a class="ft-button" data-go="${query}" href="?tab=data&dataset=${encodeURIComponent(this.at.dataset)}&part=more&after=${encodeURIComponent(this.at.row)}">Write more like it</a>`;
  }
  stored() {
    return html`<div class="card"><p class="soft small">The row as version ${this.found.version} has it.</p><pre class="ft-raw" tabindex="0" aria-label="The row as JSON" dir="auto">${JSON.stringify(this.found.raw, null, 2)}</pre></div>`;
  }
  form() {
    return html`<form class="card ft-rowcard whole stack"><div>${rowBody(this.found.row, true, this.found.labels)}</div><div class="save-told"></div><div class="row"><button type="button" class="ft-button primary" data-do="save">Save</button>
      <button type="button" class="ft-button" data-do="cancel">Cancel</button><span class="soft small">Ctrl + Enter saves; until then what you type is kept in this browser. Cancel leaves the row as it was. The frozen version is not changed.</span></div></form>`;
  }
  fill() {
    for (const draft of drafts.get(this.key)?.texts ?? []) {
      const field = this.querySelector(`[data-of="${draft.of}"]${draft.at === null ? "" : `[data-at="${draft.at}"]`}`);
      if (field) field.value = draft.text;
    }
  }

  // ---- Tokens ----

  async tokens() {
    const { models } = this.found;
    if (!models.length) {
      this.draw(".body", html`<div class="card empty"><h2>Tokens belong to a model</h2><p>This view shows what the model is fed, in its own tokens. There is no model here yet.</p>
        <ft-starter></ft-starter><p class="after"><a data-go="tab=train&dataset=${encodeURIComponent(this.at.dataset)}" href="?tab=train">Choose another model</a></p></div>`);
      return;
    }
    const model = models.includes(this.at.model) ? this.at.model : models[0];
    if (!this.querySelector(".ft-tokens")) this.draw(".body", html`<div class="card ft-tokens stack"><div class="choices-bar"></div><div class="result" aria-live="polite"></div></div>`);
    const asked = this.query({ model, cutoff: this.cutoff, learn: this.learn, template: this.template });
    const found = await ask(`${this.path}/tokens?${asked}`).catch((error) => ({ error, templates: [] }));
    if (this.at.view !== "tokens" || !this.querySelector(".ft-tokens")) return;
    const option = (value, words, now) => html`<option value="${value}" ${value === now ? html`selected` : ""}>${words}</option>`;
    this.draw(".choices-bar", html`<div class="row"><label class="pick">As read by <select class="ft-select" name="model">${models.map((each) => option(each, each, model))}</select></label>
      ${found.templates?.length ? html`<label class="pick">Chat template <select class="ft-select" name="template">${option("", "the model’s own", this.template ?? "")}${found.templates.map((each) => option(each, each, this.template))}</select></label>` : ""}
      <label class="pick">Learn from <select class="ft-select" name="learn">${option("all", "all answers", this.learn)}${option("last", "the last answer", this.learn)}</select></label>
      <label class="pick">Cut off after <input class="ft-select" name="cutoff" type="number" min="8" max="1000000" value="${this.cutoff}"> tokens</label></div>`);
    this.begins = found.part;
    this.draw(".result", found.error ? notice(found.error) : this.pieces(found.pieces));
  }
  pieces(pieces) {
    const counts = Object.fromEntries(KINDS.map(([kind]) => [kind, 0]));
    for (const [, kind] of pieces) counts[kind] += 1;
    const shown = pieces.slice(0, 20000);
    const text = (piece) => piece.replaceAll("\n", "↵\n");
    const part = this.begins ? html`<p class="soft small">This text is long; its beginning is shown.</p>` : "";
    return html`${part}<p class="soft small">Tokens are ${TOKENS}. Each piece below is one; its colour says what training does with it.</p><p>Of <b class="num">${number(pieces.length)}</b> tokens the model learns <b class="num">${number(counts.trained)}</b>.
        ${counts.cut ? html`<b class="num">${number(counts.cut)}</b> are cut off.` : ""}${counts.trained ? "" : " This row teaches nothing."}</p>
      <div class="ft-tokenlegend row">${KINDS.map(([kind, name, about]) => html`<span title="${about}"><i class="${kind}"></i>${name} <span class="soft num">${number(counts[kind])}</span></span>`)}</div>
      <div class="ft-tokenview" dir="auto" tabindex="0" role="region" aria-label="The row in tokens">${shown.map(([piece, kind]) => html`<span class="${kind}">${text(piece)}</span>`)}</div>
      ${shown.length < pieces.length ? html`<p class="soft small">The first 20,000 tokens are shown.</p>` : ""}`;
  }
  changed(field) {
    if (field.name === "side") this.move(field.value);
    else if (field.name === "model") go({ model: field.value }, { replace: true });
    else if (field.name === "cutoff") { this.cutoff = Math.max(8, Number(field.value) || 1024); this.tokens(); }
    else if (field.name === "learn" || field.name === "template") { this[field.name] = field.value; this.tokens(); }
  }

  // ---- Deeds ----

  pressed(event) {
    if (!this.found || this.offsetParent === null || address().tab !== "data") return;
    const field = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (this.editing && field && this.contains(field)) {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.act("save");
      if (event.key === "Escape") { // what was typed stays; where nothing was, the row is read again
        if (texts(this).length) field.blur();
        else this.act("cancel");
      }
      return;
    }
    if (field || event.ctrlKey || event.metaKey || event.altKey) return;
    const { row: { excluded }, last } = this.found;
    const out = excluded ? "include" : "exclude";
    const deed = { j: "Next", ArrowRight: "Next", k: "Previous", ArrowLeft: "Previous", e: "edit", x: out, Backspace: out, Delete: out, u: last && (isMine(last) ? "undo" : "ask") }[event.key];
    if (!deed || (!this.latest && !["Next", "Previous"].includes(deed))) return;
    event.preventDefault();
    this.act(deed);
  }
  async act(deed) {
    const { place } = this.found;
    if (deed === "Next" || deed === "Previous") {
      const id = deed === "Next" ? place.next : place.previous;
      if (id) go({ row: id }, { replace: true });
    } else if (deed.startsWith("view-")) go({ view: deed.slice(5) });
    else if (deed === "ask" || deed === "let") {
      this.undoes = deed === "ask" ? this.found.last.number : null;
      this.render();
      this.querySelector(`.head [data-do="${deed === "ask" ? "let" : "ask"}"]`)?.focus();
    } else if (deed === "take") {
      drafts.set(this.key, this.draft(this.outdated, this.found.seen));
      this.edit(true);
    } else if (deed === "edit" && this.outdated) this.querySelector("[data-do=drop]").focus(); // first what becomes of that
    else if (deed === "edit") this.edit(true);
    else if (deed === "cancel" || deed === "drop") { drafts.delete(this.key); this.edit(false); }
    else await this.review(deed);
  }
  edit(on) {
    this.editing = on;
    if (on && this.at.view) go({ view: null });
    this.querySelector(".body").drawn = null;
    this.render();
    if (on) this.querySelector("textarea, [data-of]")?.focus();
    else this.querySelector("[data-do=edit]")?.focus();
  }
  kept() {
    const now = texts(this);
    if (now.length) drafts.set(this.key, this.draft(now, this.base));
    else drafts.delete(this.key);
  }
  draft(typed, seen) {
    return { texts: typed.map((text) => ({ ...text, before: textOf(this.found.row, text) })), seen };
  }
  label(text) {
    const field = this.querySelector("[data-of=label]");
    field.value = text;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
  }
  async move(side) {
    const { dataset, row } = this.at;
    try {
      const { number: made } = await tell(`/studio/datasets-tags/${encodeURIComponent(dataset)}/bulk`, { type: "move", split: side, rows: [row], by: reviewer() });
      toast(`Moved to ${SIDES[side].toLowerCase()}; it goes into the next version.`, { run: () => this.takeBack(dataset, made) });
      await this.load();
    } catch (error) {
      await this.load();
      this.querySelector(".told").innerHTML = notice(error);
      this.querySelector(".told").drawn = null;
    }
  }
  async review(deed) {
    if (deed === "save" && !texts(this).length) { this.act("cancel"); return; }
    const told = { save: "Saved; it goes into the next version.", exclude: "Left out of the next version.", include: "Taken in again.", undo: "The last change of this row is taken back." };
    let made;
    try {
      if (deed === "undo") await tell(`/studio/datasets/${encodeURIComponent(this.at.dataset)}/undo`, { row: this.at.row, number: this.found.last?.number, by: reviewer() });
      else {
        const done = await tell(`${this.path}/${deed === "save" ? "edit" : deed}`, { by: reviewer(), ...(deed === "save" ? { texts: texts(this), seen: this.base } : {}) });
        if (done.conflict) { this.asked(done.conflict); return; }
        made = done.number;
      }
    } catch (error) {
      const place = this.querySelector(".save-told") ?? this.querySelector(".told");
      place.innerHTML = notice(error);
      place.drawn = null;
      return;
    }
    if (deed === "save") { drafts.delete(this.key); this.editing = false; this.querySelector(".body").drawn = null; }
    const { dataset } = this.at;
    toast(told[deed], deed === "undo" ? {} : { run: () => this.takeBack(dataset, made) });
    await this.load();
  }
  // Somebody changed the row since it was read here: both are shown, nothing is written yet.
  asked(there) {
    this.there = there;
    const place = this.querySelector(".save-told");
    this.draw(".save-told", conflictNotice({ key: "row", status: "edited", texts: texts(this), asks: { conflicts: [there] } }, 0));
    place.scrollIntoView({ block: "nearest" });
    place.querySelector("[data-settle]").focus();
  }
  async settle(mine) {
    if (mine) {
      drafts.set(this.key, this.draft(texts(this), this.there.seen));
      await this.review("save");
    } else {
      this.act("cancel");
      await this.load();
    }
  }
  // Takes back what was done here, never what somebody did to the row since.
  async takeBack(dataset, made) {
    try {
      await tell(`/studio/datasets/${encodeURIComponent(dataset)}/undo`, { number: made, by: reviewer() });
    } catch (error) {
      toast(`${error.what} ${error.why} ${error.next}`);
    }
    if (this.isConnected) await this.load();
  }
}
customElements.define("ft-row", Row);
