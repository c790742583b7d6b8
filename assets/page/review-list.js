// Many rows at once: those of the queue, those like one row, or those that hold some words; selected and decided together.

import { Part, address, ask, go, html, notice, number } from "./base.js";
import { toast } from "./toast.js";
import { STATES, key, sent } from "./review-card.js";
import { GOOD } from "./review-form.js";
import { listen } from "./review-keys.js";

const MOST = 50;
const SHORT = 260;

class ReviewList extends Part {
  start() {
    this.query = this.review.query();
    this.like = address().like;
    this.undos = [];
    this.draw(null, html`<div class="stack"><form class="row rv-find"><input class="search" type="search" aria-label="Words that the rows hold" placeholder="Words that the rows hold" maxlength="300"><button class="ft-button small">Find</button>
      <span class="soft small rv-count" role="status"></span></form><div class="card flush rv-rows"></div><div class="rv-acts" role="toolbar" aria-label="Decide on the selected rows"></div></div>`);
    this.onclick = (event) => this.clicked(event);
    this.onchange = () => this.acts();
    this.onsubmit = (event) => { event.preventDefault(); this.find(this.querySelector("input[type=search]").value.trim()); };
    this.unlisten = listen(this, (deed, event) => this.act(deed, event));
    this.fetch();
  }
  disconnectedCallback() {
    super.disconnectedCallback();
    this.unlisten?.();
  }
  url(path, more) { return `/studio/datasets-review/${encodeURIComponent(this.review.name)}${path}?${new URLSearchParams({ ...this.query, ...more })}`; }

  async fetch(words = "") {
    this.draw(".rv-rows", html`<div class="rv-wait"><p class="soft" role="status">${this.like ? "Looking for rows like it; the first time takes some seconds…" : "Fetching rows…"}</p><div class="bar unknown"><i></i></div></div>`);
    const mine = (this.asked = (this.asked ?? 0) + 1);
    try {
      const found = await ask(this.like && !words ? this.url("/alike", { row: this.like }) : words ? this.url("/alike", { find: words }) : this.url("/rows", { from: 0, limit: MOST }));
      if (mine !== this.asked || !this.isConnected) return;
      this.cards = found.cards;
      this.words = words;
    } catch (error) {
      if (mine === this.asked) this.draw(".rv-rows", notice(error));
      return;
    }
    this.render();
    if (this.like && !words) this.select((card) => card.status === "pending" && card.share > 0.5);
    this.querySelector("[data-row]")?.focus({ preventScroll: true });
  }
  find(words) {
    if (!words && this.like) { go({ like: null }); return; }
    this.fetch(words);
  }
  render() {
    const { cards } = this;
    const told = this.like && !this.words ? `${number(Math.max(0, cards.length - 1))} rows like it` : this.words ? `${number(cards.length)} rows with these words` : `${number(cards.length)} of these rows`;
    this.draw(".rv-count", html`${told}${this.like ? html` · <button type="button" class="ft-button small quiet" data-do="back">Back to the row</button>` : ""}`);
    this.draw(".rv-rows", cards.length ? html`<ul class="rv-list" aria-label="Rows">${cards.map((card) => this.line(card))}</ul>` : html`<div class="empty"><h2>No rows here</h2><p>Choose another state above, or find rows by words.</p></div>`);
    this.acts();
  }
  line(card) {
    const { row } = card;
    const turns = [...(row.messages ?? []), ...(row.chosen ?? [])].filter((turn) => turn.role !== "system");
    const text = turns.map((turn) => turn.content).filter(Boolean).join(" → ") || row.text || "";
    const label = row.label === null ? "" : html`<span class="chip" dir="auto">${GOOD[row.label] && row.kind === "feedback" ? GOOD[row.label] : row.label}</span>`;
    const id = `rv-${card.id}`;
    return html`<li><input type="checkbox" id="${id}" data-row="${card.id}" ${this.chosen?.has(card.id) ? html`checked` : ""}><label for="${id}"><span class="rv-snippet" dir="auto">${text.slice(0, SHORT)}${text.length > SHORT ? "…" : ""}</span></label>
      <span class="rv-marks">${card.reasons.map(sent)}${label}${card.suggested_label && card.suggested_label !== row.label ? html`<span class="chip suggestion" dir="auto">${card.suggested_label}?</span>` : ""}${card.share ? html`<span class="soft small num">${Math.round(100 * card.share)} %</span>` : ""}<span class="chip ${card.status}">${STATES[card.status]}</span></span></li>`;
  }
  get boxes() { return [...this.querySelectorAll("[data-row]")]; }
  get selected() {
    const chosen = new Set(this.boxes.filter((box) => box.checked).map((box) => box.dataset.row));
    return (this.cards ?? []).filter((card) => chosen.has(card.id));
  }
  select(of) {
    const wanted = new Set(this.cards.filter(of).map((card) => card.id));
    for (const box of this.boxes) box.checked = wanted.has(box.dataset.row);
    this.acts();
  }
  acts() {
    const count = this.selected.length;
    const { labels } = this.review.info.guidelines;
    const kind = this.cards?.[0]?.row.kind;
    const names = kind === "preference" ? [] : kind === "feedback" ? Object.keys(GOOD) : labels;
    const act = (deed, words, letter, style = "") => html`<button type="button" class="ft-button ${style}" data-do="${deed}" ${count ? "" : html`disabled`}>${words} ${key(letter)}</button>`;
    this.draw(".rv-acts", html`<div class="row tight-row"><span class="num rv-selected" role="status">${count} selected</span><button type="button" class="ft-button small quiet" data-do="all">All ${key("Ctrl + a")}</button>${act("accept", "Accept", "Enter", "primary")}${act("discard", "Discard", "x")}
      <button type="button" class="ft-button quiet" data-do="undo">Undo ${key("u")}</button></div>
      ${names.length ? html`<div class="row tight-row rv-labels" role="group" aria-label="Label the selected rows">${names.map((label, at) => html`<button type="button" class="rv-option" data-label="${label}" ${count ? "" : html`disabled`} dir="auto">${at < 9 ? key(at + 1) : ""} ${GOOD[label] && kind === "feedback" ? GOOD[label] : label}</button>`)}</div>` : ""}`);
  }

  act(deed, event) {
    if (deed.startsWith("digit-")) {
      const option = this.querySelectorAll("[data-label]")[Number(deed.slice(6)) - 1];
      if (option && !option.disabled) this.decide("accepted", option.dataset.label);
      return true;
    }
    if (deed === "next" || deed === "previous") return this.step(deed === "next" ? 1 : -1, event);
    if (deed === "all") {
      const every = this.selected.length === this.cards?.length;
      this.select(() => !every);
      return true;
    }
    if (deed === "accept") { this.decide("accepted"); return true; }
    if (deed === "discard") { this.decide("discarded"); return true; }
    if (deed === "undo") { this.undo(); return true; }
    if (deed === "back" || (deed === "leave" && this.like)) { go({ view: null, item: this.like, like: null }); return true; }
    return this.review.act(deed);
  }
  step(by, event) {
    if (event?.key?.startsWith("Arrow")) return false;
    const { boxes } = this;
    const at = boxes.indexOf(document.activeElement);
    boxes[Math.min(boxes.length - 1, Math.max(0, at + by))]?.focus();
    return true;
  }
  decide(status, label = null) {
    const rows = this.selected;
    if (!rows.length) { toast("Select rows first."); return; }
    const item = { of: rows.map((card) => ({ row: card.id, seen: card.seen, ...(card.after_key ? { after: card.after_key } : {}) })), status, ...(label === null ? {} : { label }) };
    const made = this.review.put(item, rows.map((card) => card.status));
    this.undos.push({ key: made, rows: rows.map((card) => ({ card, status: card.status, label: card.row.label, after: card.after_key })) });
    for (const card of rows) {
      Object.assign(card, { status, after_key: made });
      if (label !== null && card.row.label !== null) card.row.label = label;
    }
    this.render();
    this.querySelector("[data-row]")?.focus({ preventScroll: true });
    toast(`${rows.length === 1 ? "1 row" : `${number(rows.length)} rows`} ${label === null ? status : `labelled ${GOOD[label] ?? label}`}.`, { run: () => this.undo() });
  }
  undo() {
    const last = this.undos.pop();
    if (!last) { toast("Nothing was decided here yet. One by one, Undo takes earlier judgements back."); return; }
    if (!this.review.outbox.drop(last.key)) this.review.outbox.put(this.review.as, { undo: last.key, row: last.rows[0].card.id });
    for (const { card, status, label, after } of last.rows) {
      this.review.move(card.status, status);
      Object.assign(card, { status, after_key: after });
      card.row.label = label;
    }
    this.render();
  }
  clicked(event) {
    const at = event.target.closest("[data-do], [data-label]");
    if (!at) return;
    if (at.dataset.do) this.act(at.dataset.do, event);
    else this.decide("accepted", at.dataset.label);
  }
  answered(sent, answer) {
    const now = new Map(answer.items.flatMap((told) => told.conflicts ?? []).map((card) => [card.id, card]));
    if (!now.size) return;
    this.cards = this.cards.map((card) => now.get(card.id) ?? card);
    this.render();
  }
}
customElements.define("ft-review-list", ReviewList);
