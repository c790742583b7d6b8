// The review queue of a dataset: who reviews, how far they are, and the view that is open.
//
//   ?tab=data&dataset=NAME&part=review[&view=list|agreement][&show=STATE][&order=ORDER][&source=SUGGESTIONS][&item=ROW][&like=ROW]

import "./review-agreement.js";
import "./review-list.js";
import "./review-queue.js";

import { Part, address, ask, go, html, notice, number } from "./base.js";
import { show as showKeys } from "./keys.js";
import { keep, recall } from "./remember.js";
import { STATES, key } from "./review-card.js";
import { conflictNotice } from "./review-conflicts.js";
import { editGuidelines, showGuidelines } from "./review-guidelines.js";
import { Outbox } from "./review-outbox.js";

const VIEWS = { "": "ft-review-queue", list: "ft-review-list", agreement: "ft-review-agreement" };
const SHOWS = { ...STATES, written: "Written by a model", doctor: "To look at again", conflict: "In conflict", all: "All" };
const ORDERS = [["", "As they came"], ["shortest", "Shortest first"], ["disagreement", "Disagreement first"]];

class Review extends Part {
  every = 5000;

  start() {
    this.name = address().dataset;
    this.reviewer = recall("reviewer", null);
    this.draw(null, html`<div class="rv stack"><div class="rv-top"></div><div class="rv-asks stack"></div><div class="rv-view"></div></div>`);
    this.onclick = (event) => this.clicked(event);
    this.onsubmit = (event) => {
      if (!event.target.matches(".rv-who")) return;
      event.preventDefault();
      const { by, blind } = event.target.elements;
      if (by.value.trim()) this.enter({ by: by.value.trim(), blind: blind.checked });
    };
    this.onchange = (event) => {
      const { target } = event;
      if (target.matches("[data-choice-of]")) go({ [target.dataset.choiceOf]: target.value || null, item: null });
    };
    this.outbox = new Outbox(this.name, { onAnswer: (sent, answer) => this.answered(sent, answer), onChange: () => this.progress() });
    this.leaving ??= (event) => { if (this.outbox.atRisk) event.preventDefault(); };
    window.addEventListener("beforeunload", this.leaving);
    this.loop();
  }
  disconnectedCallback() {
    super.disconnectedCallback();
    this.outbox?.close();
    window.removeEventListener("beforeunload", this.leaving);
  }
  addressChanged() {
    const now = address();
    if (now.tab === "data" && now.part === "review" && now.dataset === this.name && this.info) this.place();
  }

  // ---- What is asked of the studio ----

  get as() { return { by: this.reviewer?.by ?? "", blind: Boolean(this.reviewer?.blind) }; }
  // Who reviews and in which order, as the routes take it.
  query() {
    const now = address();
    const [order, run] = (now.order ?? "").split(":");
    return { ...this.as, show: SHOWS[now.show] ? now.show : "pending", order: order || "file", run: run ?? "", source: now.source ?? "", stamp: this.stamp ?? 0 };
  }
  async tick() {
    const info = await ask(`/studio/datasets-review/${encodeURIComponent(this.name)}?${new URLSearchParams({ ...this.as, since: this.last ?? -1 })}`);
    if (!this.isConnected) return;
    const first = !this.info;
    this.info = info;
    this.stamp ??= info.last;
    this.last = info.last;
    if (info.changed.length) this.view?.changed?.(new Set(info.changed));
    if (!this.outbox.items.length) this.counts = info.counts;
    this.progress();
    if (first) this.place();
    else this.view?.refreshed?.();
  }
  enter(reviewer) {
    this.reviewer = reviewer;
    keep("reviewer", reviewer);
    this.placed = null;
    this.info = null;
    this.loop();
  }

  // ---- Judgements ----

  // Sends what was decided, and counts it as done at once.
  put(item, before = []) {
    for (const status of before) this.move(status, item.status);
    return this.outbox.put(this.as, item);
  }
  move(from, to) {
    if (!this.counts || from === to) return;
    this.counts = { ...this.counts, [from]: this.counts[from] - 1, [to]: this.counts[to] + 1 };
    this.progress();
  }
  answered(sent, answer) {
    if (!this.outbox.unsent) this.counts = answer.counts;
    this.view?.answered?.(sent, answer);
    this.asks();
    this.progress();
    clearTimeout(this.tellOthers);
    this.tellOthers = setTimeout(() => this.dispatchEvent(new CustomEvent("ft-changed", { bubbles: true })), 800);
  }
  // A judgement that met another's: `mine` puts it over what it now has been compared with.
  settle(itemKey, mine) {
    const item = this.outbox.items.find((each) => each.key === itemKey);
    if (!item) return;
    this.outbox.done(item);
    if (mine) {
      const seen = new Map(item.asks.conflicts.map((card) => [card.id, card.seen]));
      const { asks: _, as, made: __, key: ___, ...rest } = item;
      this.outbox.put(as, { ...rest, of: item.of.filter((one) => seen.has(one.row)).map((one) => ({ row: one.row, seen: seen.get(one.row) })) });
    }
    this.asks();
    this.loop();
  }
  // What the reviewer is asked, one at a time.
  asks() {
    const waiting = this.outbox.items.filter((item) => item.asks);
    this.draw(".rv-asks", waiting.length ? conflictNotice(waiting[0], waiting.length - 1) : html``);
  }

  // ---- What is drawn ----

  place() {
    const now = address();
    if (!this.reviewer?.by) { this.who(); return; }
    const view = VIEWS[now.view] ? now.view : "";
    const placed = [view, now.show, now.order, now.source, now.like, this.reviewer.by, this.reviewer.blind].join(" ");
    if (this.placed === placed) return;
    this.placed = placed;
    this.view = document.createElement(VIEWS[view]);
    this.view.review = this;
    this.querySelector(".rv-view").replaceChildren(this.view);
    this.progress();
  }
  who() {
    this.draw(".rv-top", html``);
    const others = Object.keys(this.info.reviewers).filter(Boolean);
    this.querySelector(".rv-view").innerHTML = html`<form class="card rv-who"><div class="stack"><div><h2>Read the rows before the model does</h2>
        <p class="soft">It learns every mistake in them. You see one row at a time and say what becomes of it, by a click or a key.</p></div>
        <dl class="rv-promise"><div><dt>Accept</dt><dd>The row is good and stays.</dd></div><div><dt>Edit</dt><dd>Any turn can be put right, and is learned as you leave it.</dd></div>
          <div><dt>Discard</dt><dd>The row is left out.</dd></div></dl>
        <p class="soft small">Nothing is lost: each decision can be taken back, and they count from the next version you freeze.</p></div>
      <div class="stack"><h3>Who reviews?</h3>
      <div class="field rv-name"><label for="rv-by">Your name</label><input id="rv-by" name="by" data-most="80" autocomplete="name" value="${this.reviewer?.by ?? ""}" required data-needs="Give a name first: each decision is kept with it."><span class="small">It stays in this browser and goes with each of your decisions.</span></div>
      <label class="check"><input type="checkbox" name="blind" ${this.reviewer?.blind ? html`checked` : ""}> Work blind: I don’t see what others judged, so that our agreement can be measured</label>
      ${others.length ? html`<p class="soft small">Judged so far by ${others.join(", ")}.</p>` : ""}<div><button class="ft-button primary">Start</button></div></div></form>`;
    this.querySelector("#rv-by").focus();
  }
  progress() {
    if (!this.counts || !this.reviewer?.by || !this.info) return;
    const { rows, accepted, discarded, draft } = this.counts;
    const done = accepted + discarded;
    const share = (count) => html`style="width:${((100 * count) / (rows || 1)).toFixed(2)}%"`;
    const waits = this.outbox.unsent;
    const fault = this.outbox.fault;
    this.draw(".rv-top", html`<div class="spread rv-line"><div class="rv-done"><strong class="num">${number(done)}</strong> of <span class="num">${number(rows)}</span> judged
        <span class="soft small num">${number(accepted)} accepted · ${number(discarded)} discarded${draft ? ` · ${draft === 1 ? "1 draft" : `${number(draft)} drafts`}` : ""}</span></div>
      <div class="row tight-row"><span class="small ${fault ? "bad-ink" : "soft"}" role="status">${fault ? `${waits} not saved yet; trying again` : waits > 3 ? `Saving ${waits}…` : ""}</span>
        <span class="soft small">${this.reviewer.by}${this.reviewer.blind ? ", blind" : ""}</span><button type="button" class="ft-button small" data-rv="who">Change</button>
        <button type="button" class="ft-button small" data-rv="guidelines">Guidelines ${key("i")}</button><button type="button" class="ft-button small" data-rv="keys">Keys ${key("?")}</button></div></div>
      <div class="rv-bar" role="progressbar" aria-label="Judged" aria-valuemin="0" aria-valuemax="${rows}" aria-valuenow="${done}"><i class="accepted" ${share(accepted)}></i><i class="discarded" ${share(discarded)}></i><i class="draft" ${share(draft)}></i></div>
      ${this.tools()}`);
  }
  tools() {
    const now = address();
    const view = now.view ?? "";
    const shown = this.query().show;
    const states = Object.entries(SHOWS).filter(([state]) => !["conflict", "written", "doctor"].includes(state) || this.counts[state] || shown === state);
    const option = (value, words, chosen) => html`<option value="${value}" ${value === chosen ? html`selected` : ""}>${words}</option>`;
    const orders = [...ORDERS, ...this.info.runs.flatMap((run) => [[`loss:${run.id}`, `Highest loss in ${run.name}`], [`uncertain:${run.id}`, `Most uncertain in ${run.name}`]])];
    const tab = (name, words, letter) => html`<button type="button" data-view="${name}" aria-pressed="${view === name ? "true" : "false"}">${words}${letter ? html` ${key(letter)}` : ""}</button>`;
    return html`<div class="rv-tools"><div class="sides" role="group" aria-label="View">${tab("", "One by one", "")}${tab("list", "Many at once", "v")}${tab("agreement", "Agreement", "")}</div>
      ${view === "agreement" ? "" : html`<div class="sides" role="group" aria-label="Which rows">${states.map(([state, words]) => html`<button type="button" data-show="${state}" aria-pressed="${state === shown ? "true" : "false"}">${words}
        ${state === "all" ? "" : html`<span class="num">${number(this.counts[state])}</span>`}</button>`)}</div>
      <select class="ft-select" data-choice-of="order" aria-label="Order">${orders.map(([value, words]) => option(value, words, now.order ?? ""))}</select>
      ${this.info.sources.length ? html`<select class="ft-select" data-choice-of="source" aria-label="Suggestions">${option("", "No suggestions", now.source ?? "")}${this.info.sources.map((each) => option(each.id, each.title, now.source ?? ""))}</select>` : ""}`}</div>`;
  }
  fail(error) { this.querySelector(".rv-asks").innerHTML = notice(error); }

  // ---- Deeds ----

  clicked(event) {
    const at = event.target.closest("[data-show], [data-view], [data-rv], [data-settle]");
    if (!at) return;
    const { show, view, rv, settle } = at.dataset;
    if (settle) this.settle(settle, at.dataset.mine === "1");
    else if (show) go({ show: show === "pending" ? null : show, item: null, like: null, ...(address().view === "agreement" ? { view: null } : {}) });
    else if (view !== undefined) go({ view, item: null, like: null });
    else this.act(rv);
  }
  // What works in every view; true when it was one of these.
  act(deed) {
    if (deed === "who") { this.placed = null; this.view = null; this.who(); }
    else if (deed === "guidelines") showGuidelines(this);
    else if (deed === "edit-guidelines") editGuidelines(this);
    else if (deed === "keys") showKeys();
    else if (deed === "list") go({ view: address().view === "list" ? null : "list", like: null });
    else return false;
    return true;
  }
}
customElements.define("ft-review", Review);
