// The rows of the queue in their order: fetched ahead, so that the next one is there when the one before is judged, and
// kept behind, so that one can go back.

import { ask } from "./base.js";

const FIRST = 20;
const MORE = 60;
const AHEAD = 60; // rows that shall be at hand
const BEHIND = 200;

export class Buffer {
  constructor(name, query, onCards) {
    this.path = `/studio/datasets-review/${encodeURIComponent(name)}`;
    this.query = query; // who reviews, and the order
    this.onCards = onCards;
    this.cards = [];
    this.at = 0;
    this.from = 0;
    this.end = false;
    this.known = new Set(); // rows that were fetched: those that are on their way to the studio are not shown again
    this.skipped = 0;
    this.gone = false;
  }
  get card() { return this.cards[this.at] ?? null; }
  url(path, more = {}) { return `${this.path}${path}?${new URLSearchParams({ ...this.query, ...more })}`; }

  // Begins with the row `item` where there is one, then the first of the order.
  async open(item) {
    if (item) {
      const first = await ask(this.url(`/rows/${encodeURIComponent(item)}`)).catch((error) => { if (!error.why) throw error; return null; });
      if (first) {
        this.cards = [first];
        this.known.add(first.id);
        this.from = first.place + 1;
        this.began = first.place;
      }
    }
    await this.fetch(FIRST);
  }
  async fetch(limit = MORE) {
    if (this.fetching || this.end || this.gone) return;
    this.fetching = true;
    try {
      const found = await ask(this.url("/rows", { from: this.from, limit }));
      if (this.gone) return;
      const fresh = found.cards.filter((card) => !this.known.has(card.id));
      for (const card of fresh) this.known.add(card.id);
      this.cards.push(...fresh);
      this.from = found.next;
      this.end = found.end;
      if (this.end && this.began) { // it began in the middle: what came before is still to come
        this.began = 0;
        this.from = 0;
        this.end = false;
      }
      this.fault = null;
      this.onCards(found.counts);
    } catch (error) {
      this.fault = error;
      this.onCards(null);
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.ahead(), 2000);
    } finally {
      this.fetching = false;
    }
    this.ahead();
  }
  ahead() {
    if (this.at > BEHIND) {
      this.cards.splice(0, this.at - BEHIND);
      this.at = BEHIND;
    }
    if (this.cards.length - this.at < AHEAD && !this.fault) this.fetch();
    else if (this.fault) { this.fault = null; this.fetch(); }
  }
  // To the next row that nothing was done with here; one step where `any` may come.
  next(any = false) {
    this.at += 1;
    while (!any && this.card?.done) this.at += 1;
    this.at = Math.min(this.at, this.cards.length);
    this.ahead();
  }
  previous() {
    if (this.at > 0) this.at -= 1;
  }
  // Puts a row in sight, as after an undo.
  show(card) {
    const there = this.cards.findIndex((each) => each.id === card.id);
    if (there >= 0) this.cards.splice(there, 1, card);
    else this.cards.splice(this.at, 0, card);
    if (there >= 0) this.at = there;
  }
  // Takes rows out that are still to come.
  leaveOut(ids) {
    this.cards = this.cards.filter((card, at) => at <= this.at || card.done || !ids.has(card.id));
  }
  skip() {
    this.skipped += 1;
    this.card.done = "skipped";
    this.next();
  }
  // Once more from the beginning, with what was skipped.
  again() {
    this.cards = [];
    this.at = 0;
    this.from = 0;
    this.end = false;
    this.skipped = 0;
    this.known.clear();
    return this.fetch(FIRST);
  }
  close() {
    this.gone = true;
    clearTimeout(this.timer);
  }
}
