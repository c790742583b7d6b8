// Judgements on their way: kept in this browser until the studio has them on its disk, sent in their order, tried again
// for as long as it takes. Each has a key of its own, so one that is sent twice counts once.

import { fresh, tell } from "./base.js";

const AT_ONCE = 20;
const PATIENCE = [1, 2, 4, 8]; // seconds between tries

export class Outbox {
  constructor(name, { onAnswer, onChange }) {
    this.path = `/studio/datasets-review/${encodeURIComponent(name)}/judge`;
    this.prefix = `flextune-review/${name}/`;
    this.onAnswer = onAnswer;
    this.onChange = onChange;
    this.items = this.kept();
    this.tries = 0;
    this.fault = null;
    if (this.items.length) this.send();
  }
  // What was not acknowledged when the page was last left; items of other windows of this browser are sent too.
  kept() {
    try {
      return Object.keys(localStorage).filter((key) => key.startsWith(this.prefix)).map((key) => JSON.parse(localStorage.getItem(key)))
        .sort((one, other) => one.made - other.made);
    } catch {
      return [];
    }
  }
  remember(item) {
    try {
      localStorage.setItem(this.prefix + item.key, JSON.stringify(item));
    } catch {
      this.forgetful = true; // blocked or full: what is on its way is held by this page only
    }
  }
  forget(item) {
    try { localStorage.removeItem(this.prefix + item.key); } catch { return; }
  }
  get atRisk() { return this.forgetful && this.unsent > 0; }
  get unsent() { return this.items.filter((item) => !item.asks).length; }

  // `as`: who judges, {by, blind}; `item`: what is judged. Returns the item's key.
  put(as, item) {
    const whole = { ...item, key: item.key ?? fresh(), as, made: performance.timeOrigin + performance.now() };
    this.items.push(whole);
    this.remember(whole);
    this.onChange();
    this.send();
    return whole.key;
  }
  // Takes a judgement back that was not sent yet; false when it is on its way or there.
  drop(key) {
    const item = this.items.find((each) => each.key === key);
    if (!item || this.sending?.includes(item)) return false;
    this.done(item);
    return true;
  }
  done(item) {
    this.items = this.items.filter((each) => each !== item);
    this.forget(item);
    this.onChange();
  }
  async send() {
    if (this.sending || this.closed) return;
    const ready = this.items.filter((item) => !item.asks);
    if (!ready.length) return;
    const as = ready[0].as;
    this.sending = ready.slice(0, AT_ONCE).filter((item) => item.as.by === as.by && item.as.blind === as.blind);
    let answer;
    try {
      answer = await tell(this.path, { ...as, items: this.sending.map(({ as: _, made: __, asks: ___, ...item }) => item) });
    } catch (error) {
      this.sending = null;
      this.fault = error;
      this.onChange();
      const wait = PATIENCE[Math.min(this.tries, PATIENCE.length - 1)];
      this.tries += 1;
      this.timer = setTimeout(() => this.send(), wait * 1000);
      return;
    }
    const sent = this.sending;
    this.sending = null;
    this.fault = null;
    this.tries = 0;
    for (const item of sent) {
      const told = answer.items.find((each) => each.key === item.key) ?? {};
      if (told.error || told.conflicts?.length) item.asks = told; // stays until the reviewer has said what shall be
      else this.done(item);
    }
    this.onAnswer(sent, answer);
    this.onChange();
    this.send();
  }
  now() {
    clearTimeout(this.timer);
    this.send();
  }
  close() {
    this.closed = true;
    clearTimeout(this.timer);
  }
}
