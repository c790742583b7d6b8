// One row at a time: judged by keys, the next one there at once.

import { Part, address, ask, fresh, go, html, notice, number, tell } from "./base.js";
import { toast } from "./toast.js";
import { Buffer } from "./review-buffer.js";
import { STATES, context, decisions, key, said, sent, words } from "./review-card.js";
import { Form } from "./review-form.js";
import { listen } from "./review-keys.js";
import { Live, writing } from "./review-live.js";
import { tooLong } from "./fields.js";
import { Marker, drawSpans, selected, withSpan, withoutSpans } from "./review-spans.js";

const DONE = { accepted: "Accepted", discarded: "Discarded", draft: "Kept as a draft" };
const LETTERS = { a: 0, b: 1 };

class ReviewQueue extends Part {
  start() {
    this.query = this.review.query();
    this.undos = [];
    this.draw(null, html`<div class="rv-one"><div class="rv-row card" tabindex="-1" aria-label="The row to judge"></div><aside class="rv-side" aria-label="Around the row"></aside></div>
      <div class="rv-acts" role="toolbar" aria-label="Decide"></div><div class="unseen" role="status" aria-live="polite"></div>`);
    this.onclick = (event) => this.clicked(event);
    this.oninput = (event) => this.typed(event.target);
    this.onchange = (event) => this.rated(event.target);
    this.unlisten = listen(this, (deed, event) => this.act(deed, event));
    this.buffer = new Buffer(this.review.name, this.query, (counts) => this.came(counts));
    this.live = new Live(this.buffer.path, () => this.guidelines.labels, (card) => card === this.card && this.written());
    const { item } = address();
    this.buffer.open(item).then(() => this.came());
  }
  disconnectedCallback() {
    super.disconnectedCallback();
    this.unlisten?.();
    this.buffer?.close();
    this.live?.stop();
    clearTimeout(this.writing);
  }
  get card() { return this.buffer.card; }
  get guidelines() { return this.review.info.guidelines; }

  // ---- Rows ----

  came() {
    if (!this.isConnected) return;
    if (this.card && this.card.id === this.form?.card.id) return;
    this.turn();
  }
  // Shows the row that is at hand now.
  turn() {
    this.editing = false;
    this.marking = null;
    this.form = this.card ? new Form(this.review.name, this.card) : null;
    if (this.form) {
      this.form.hides = this.query.blind;
      // Which side the better answer stands on must not give it away.
      this.swapped = this.query.blind && [...this.card.id].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 2 === 1;
    }
    this.render();
    this.live.look(this.card, this.query.source);
    const place = this.querySelector(".rv-row");
    if (place.getBoundingClientRect().top < 0) place.scrollIntoView({ block: "start" }); // the one before was long
    clearTimeout(this.writing);
    this.writing = setTimeout(() => this.isConnected && go({ item: this.card?.id ?? null }, { replace: true }), 400);
  }
  render() {
    const { form, card } = this;
    this.classList.toggle("empty-queue", !form);
    this.draw(".rv-acts", this.acts());
    if (!form) {
      this.draw(".rv-side", html``);
      this.draw(".rv-row", this.nothing());
      return;
    }
    const status = card.status === "pending" ? "" : html`<span class="chip ${card.status}">${STATES[card.status]}</span>`;
    const tools = card.row.tools?.length ? html`<span class="chip">${card.row.tools.length === 1 ? "1 tool" : `${card.row.tools.length} tools`}</span>` : "";
    const row = this.draw(".rv-row", html`<div class="spread rv-head"><div class="row tight-row"><h2>Row ${number(card.place + 1)}</h2>${status}${card.done && card.done !== card.status ? html`<span class="chip">${STATES[card.done] ?? "Skipped"}</span>` : ""}
        ${card.row.tags?.synthetic ? html`<span class="chip suggestion">written by a model</span>` : ""}${card.reasons.map(sent)}${tools}</div>
      <div class="row tight-row"><button type="button" class="ft-button small" data-do="edit" aria-pressed="${this.editing ? "true" : "false"}">${this.editing ? "Show" : "Edit"} ${key("e")}</button>
        <button type="button" class="ft-button small" data-do="alike">Find similar ${key("f")}</button></div></div>
      <div class="ft-rowcard whole rv-said">${said(form, this.editing, this.swapped)}</div>
      <div class="rv-decide">${decisions(form, this.guidelines, this.swapped)}${words(form)}</div>`);
    if (!this.editing) drawSpans(row, form.said.spans, this.guidelines.entities);
    this.draw(".rv-side", context(form, this.query.blind));
  }
  // A model wrote more. Drawn by itself, so that nobody is disturbed at what they type.
  written() {
    const { card } = this;
    this.draw(".rv-live", writing(card.live));
    if (card.live) return;
    const show = () => { if (card === this.card) { this.form.suggest(); this.render(); } };
    if (this.contains(document.activeElement) && document.activeElement.matches("input, textarea")) this.addEventListener("focusout", () => setTimeout(show), { once: true });
    else show();
  }
  acts() {
    const act = (deed, words, letter, kind = "") => html`<button type="button" class="ft-button ${kind}" data-do="${deed}">${words} ${key(letter)}</button>`;
    return html`<div class="row tight-row">${act("accept", "Accept", "Enter", "primary")}${act("discard", "Discard", "x")}${act("draft", "Save draft", "d")}${act("skip", "Skip", "s")}</div>
      <div class="row tight-row">${act("undo", "Undo", "u", "quiet")}${act("previous", "Back", "k", "quiet")}${act("next", "Next", "j", "quiet")}</div>`;
  }
  nothing() {
    const { buffer } = this;
    if (buffer.fault) return notice(buffer.fault);
    if (!buffer.end || buffer.fetching) return html`<p class="soft" role="status">Fetching rows…</p><div class="bar unknown"><i></i></div>`;
    const { pending, draft, conflict } = this.review.counts ?? {};
    const skipped = buffer.skipped;
    if (skipped) return html`<div class="empty"><h2>That was the last one</h2><p>${number(skipped)} ${skipped === 1 ? "row was" : "rows were"} skipped.</p><p><button type="button" class="ft-button primary" data-do="again">Go through what is left</button></p></div>`;
    const all = this.query.show === "pending";
    return html`<div class="empty"><h2>${all && !pending ? "Every row is judged" : "No rows here"}</h2><p>${all ? "Freeze a version to train with what was decided." : `No row is ${this.query.show === "conflict" ? "in conflict" : "in this state"}.`}</p>
      <p class="row center">${pending ? html`<button type="button" class="ft-button" data-do="again">Look for rows again</button>` : ""}${draft ? html`<button type="button" class="ft-button" data-show="draft">Drafts ${number(draft)}</button>` : ""}${conflict
        ? html`<button type="button" class="ft-button" data-show="conflict">In conflict ${number(conflict)}</button>` : ""}<button type="button" class="ft-button" data-view="agreement">Agreement</button></p></div>`;
  }
  say(text) { this.querySelector(":scope > [role=status]").textContent = text; }

  // ---- Deciding ----

  act(deed, event) {
    if (deed.startsWith("digit-")) return this.digit(Number(deed.slice(6)) - 1, event);
    if (this.review.act(deed)) return true;
    if (["undo", "previous", "next", "again"].includes(deed)) { this[deed](); return true; }
    if (deed === "leave") return this.leave();
    if (!this.form) return false;
    if (this.marking && deed === "arrow") return this.marking.press(event);
    switch (deed) {
      case "accept": this.decide("accepted"); break;
      case "discard": if (!this.unmark()) this.decide("discarded"); break;
      case "draft": this.decide("draft"); break;
      case "skip": this.buffer.skip(); this.turn(); break;
      case "take": return this.take();
      case "edit": this.edit(!this.editing); break;
      case "alike": go({ view: "list", like: this.card.id }); break;
      case "mark": return this.mark();
      case "rate": this.querySelector(".rv-rating:not(:has(:checked)) input, .rv-rating input")?.focus(); break;
      case "tag": this.querySelector("#rv-tag").focus(); break;
      case "note": this.querySelector("#rv-note").focus(); break;
      case "a": case "b": case "tie": return this.choose(deed === "tie" ? "tie" : ["chosen", "rejected"][LETTERS[deed] ^ Number(this.swapped)]);
      default: return false;
    }
    return true;
  }
  // `like`: the number of another's judgement to follow.
  decide(status, like = null) {
    const { form, card } = this;
    if (tooLong(this)) return;
    if (this.query.blind && card.row.kind === "preference" && status === "accepted" && !form.said.choice) {
      this.say("Choose the better answer first.");
      toast("Choose the better answer first: a, b or =.");
      return;
    }
    const item = like ? { of: form.item(status).of, status, like } : form.item(status);
    const before = card.done && STATES[card.done] ? card.done : card.status;
    const made = this.review.put(item, [before]);
    this.undos.push({ key: made, card, before, status: item.status, done: card.done, after: card.after_key, said: structuredClone(form.said) });
    form.forget();
    Object.assign(card, { done: item.status, after_key: made });
    this.say(`${DONE[item.status]}.`);
    this.buffer.next();
    this.turn();
  }
  take() {
    const { form, card } = this;
    if (card.suggested_label) form.set({ label: card.suggested_label, suggested: true });
    else if (card.suggestion) { if (!form.takeAnswer()) return false; } else return false;
    this.decide("accepted");
    return true;
  }
  undo() {
    const last = this.undos.pop();
    if (!last) { this.undoEarlier(); return; }
    const { card } = last;
    if (!this.review.outbox.drop(last.key)) this.review.outbox.put(this.review.as, { undo: last.key, row: card.id });
    this.review.move(last.status, last.before);
    Object.assign(card, { done: last.done, after_key: last.after });
    this.buffer.show(card);
    this.turn();
    this.form.set(last.said);
    this.render();
    this.say("Taken back.");
  }
  // What was judged before the page was last left.
  async undoEarlier() {
    try {
      const { key: made, row } = await ask(this.buffer.url("/last"));
      if (!made) { toast("There is nothing of yours to undo."); return; }
      const { items } = await tell(`${this.buffer.path}/judge`, { ...this.review.as, items: [{ key: fresh(), undo: made, row }] });
      if (items[0].error) throw items[0].error;
      this.buffer.show(await ask(this.buffer.url(`/rows/${encodeURIComponent(row)}`)));
    } catch (error) {
      toast(`${error.what} ${error.why} ${error.next}`);
      return;
    }
    this.turn();
    this.review.loop();
    this.say("Taken back.");
  }
  next() { this.buffer.next(true); this.turn(); }
  previous() { this.buffer.previous(); this.turn(); }
  again() { this.buffer.again().then(() => this.came()); this.turn(); }
  leave() {
    if (this.marking) { this.marking = null; getSelection().removeAllRanges(); this.say("No longer marking."); }
    else if (this.editing) this.edit(false);
    else if (this.contains(document.activeElement)) this.querySelector(".rv-row").focus({ preventScroll: true });
    else return false;
    return true;
  }
  edit(on) {
    this.editing = on;
    this.marking = null;
    this.render();
    if (on) this.querySelector(".rv-said textarea")?.focus();
    else this.querySelector(".rv-row").focus({ preventScroll: true });
  }
  choose(choice) {
    if (this.card.row.kind !== "preference") return false;
    this.set({ choice: this.form.said.choice === choice ? null : choice });
    return true;
  }
  set(changes) { this.form.set(changes); this.render(); }
  label(label) { this.set({ label: this.form.label === label && this.form.said.label !== null ? null : label, labelChosen: true, suggested: false }); }
  digit(at, event) {
    const rating = event?.target.closest?.(".rv-rating");
    if (rating) {
      const input = rating.querySelectorAll("input")[at];
      input?.click();
      (rating.nextElementSibling?.querySelector("input") ?? this.querySelector(".rv-row")).focus({ preventScroll: true });
      return true;
    }
    const entity = this.guidelines.entities[at];
    if (entity && this.name(entity)) return true;
    const option = this.querySelectorAll("[data-label]")[at];
    if (!option) return false;
    this.label(option.dataset.label);
    return true;
  }

  // ---- Marked words ----

  mark() {
    if (!this.guidelines.entities.length || this.editing) return false;
    this.marking = new Marker(this);
    if (!this.marking.there) { this.marking = null; return false; }
    this.querySelector(".rv-row").focus({ preventScroll: true });
    this.marking.select();
    this.say("Marking: the arrows move from word to word, a number names what is marked.");
    return true;
  }
  // Names what is selected; false when nothing is.
  name(entity) {
    const span = selected(this);
    if (!span) return false;
    this.form.set({ spans: withSpan(this.form.said.spans, { ...span, label: entity }) });
    this.render();
    if (this.marking) this.marking.again(this);
    else getSelection().removeAllRanges();
    this.say(`“${span.text}” is marked as ${entity}.`);
    return true;
  }
  unmark() {
    if (!this.marking) return false;
    const span = selected(this);
    if (span) this.set({ spans: withoutSpans(this.form.said.spans, span) });
    this.marking.again(this);
    return true;
  }

  // ---- Mouse and fields ----

  clicked(event) {
    const at = event.target.closest("[data-do], [data-label], [data-choice], [data-entity], [data-span], [data-tag], [data-opinion], [data-rv]");
    // From a rating that was clicked the numbers shall choose labels again.
    if (event.detail && event.target.closest(".rv-rating")) setTimeout(() => this.querySelector(".rv-row")?.focus({ preventScroll: true }));
    if (!at || !this.isConnected) return;
    const data = at.dataset;
    if (data.do) this.act(data.do, event);
    else if (data.label !== undefined) this.label(data.label);
    else if (data.choice) this.choose(data.choice);
    else if (data.entity) { if (!this.name(data.entity)) this.say("Mark some text first."); }
    else if (data.span !== undefined) this.set({ spans: this.form.said.spans.toSpliced(Number(data.span), 1) });
    else if (data.tag !== undefined) this.tag(data.tag, null);
    else if (data.opinion) this.follow(Number(data.opinion));
    else if (data.rv === "take") this.act("take", event);
    if (event.detail && !at.closest(".rv-acts")) this.querySelector(".rv-row")?.focus({ preventScroll: true });
  }
  // Decides as somebody did before; one's own name stands under it.
  follow(number) {
    this.decide(this.card.history.find((each) => each.number === number).status, number);
  }
  typed(target) {
    const { form } = this;
    if (target.dataset.of) {
      const at = target.dataset.at === undefined ? null : Number(target.dataset.at);
      const row = this.card.row;
      const before = at === null ? row[target.dataset.of] : row[target.dataset.of][at].content;
      form.write(target.dataset.of, at, target.value, before);
    } else if (target.id === "rv-note") form.set({ note: target.value });
  }
  rated(target) {
    const rating = target.closest(".rv-rating");
    if (rating) this.form.set({ ratings: { ...this.form.said.ratings, [rating.dataset.rating]: Number(target.value) } });
    if (target.id === "rv-tag" && target.value.trim()) {
      const [name, text] = target.value.split(/:(.*)/s).map((part) => part.trim());
      this.tag(name || text, text || name);
      this.querySelector("#rv-tag").focus();
    }
  }
  tag(name, text) { this.set({ tags: { ...this.form.said.tags, [name]: text } }); }
  // The guidelines may have been changed meanwhile.
  refreshed() {
    const now = JSON.stringify(this.guidelines);
    if (this.form && this.drawnBy && this.drawnBy !== now && !this.contains(document.activeElement)) this.render();
    this.drawnBy = now;
  }
  // Rows that others judged meanwhile need not come any more, the one in sight apart.
  changed(ids) {
    if (this.query.show === "pending") this.buffer.leaveOut(ids);
  }
  // A row that another changed is shown as it is now when it comes again.
  answered(sent, answer) {
    for (const told of answer.items) {
      for (const card of told.conflicts ?? []) {
        this.undos = this.undos.filter((each) => each.key !== told.key);
        const there = this.buffer.cards.findIndex((each) => each.id === card.id);
        if (there >= 0) this.buffer.cards[there] = { ...card, place: this.buffer.cards[there].place, done: card.status };
      }
    }
  }
}
customElements.define("ft-review-queue", ReviewQueue);
