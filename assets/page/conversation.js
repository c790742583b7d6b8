// A conversation with two sides: what is asked, both answers as they are written, and the place to write the next question.
//
//   const talk = document.createElement("ft-conversation");
//   Object.assign(talk, { sides: [{title, about, colour, run, weights}, …], engines, options, key });
//
// `weights` is base or tuned; `key` names the conversation, which is kept over a reload. It fires `ft-busy` when it
// begins and ends to answer, with the row that was asked, if it was one.

import { Part, html } from "./base.js";
import { progress, turnCard } from "./answer-card.js";
import { answer, keepTalk, messages, recallTalk } from "./chat.js";
import { copy } from "./copy.js";
import { keep, recall } from "./remember.js";
import { toast } from "./toast.js";

const BETWEEN = 16; // pixels between what is written and the field below it
const empty = () => ({ text: "", state: "waiting" });
const WAITS_MS = 5 * 60_000; // whoever asked longer ago has gone on to something else: no models are loaded for it
// Why there is no answer; `waits`: when it was asked, where the studio did not hear it and it is asked again by itself.
const reason = ({ what, why, next, message, unanswered, outdated }, asked) => unanswered || outdated
  ? { what, why, next: `The question is asked again by itself when ${outdated ? "the page is loaded again" : "it answers"}.`, waits: asked }
  : { what: what ?? "The answer failed.", why: why ?? String(message ?? ""), next: next ?? "Try again." };

class Conversation extends Part {
  start() {
    this.marks = recall("compare-marks", false);
    this.talk = recallTalk(this.key) ?? { system: "", turns: [] };
    this.innerHTML = this.page();
    this.onclick = (event) => this.clicked(event);
    this.addEventListener("change", (event) => event.target.name === "marks" && this.mark(event.target.checked));
    this.addEventListener("input", (event) => this.typed(event.target));
    this.addEventListener("keydown", (event) => this.pressed(event));
    this.addEventListener("submit", (event) => { event.preventDefault(); this.sendTyped(); });
    this.onHide = () => this.busy && this.keepAll("stopped");
    window.addEventListener("pagehide", this.onHide);
    this.onHeard = ({ detail }) => !detail && this.askWaiting();
    window.addEventListener("ft-heard", this.onHeard);
    this.drawTalk();
    this.drawChanged();
    this.askWaiting(); // a page that was loaded anew does not hear of a silence before it
  }
  disconnectedCallback() {
    window.removeEventListener("pagehide", this.onHide);
    window.removeEventListener("ft-heard", this.onHeard);
    clearTimeout(this.lapse);
    this.abort?.abort();
    super.disconnectedCallback();
  }
  page() {
    const heads = this.sides.map((side) => html`<div class="side-head" style="--side:var(${side.colour})"><h2 dir="auto">${side.title}</h2>
      <span class="soft small clip"><bdi>${side.about}</bdi></span></div>`);
    return html`<div class="pair heads">${heads}</div><div class="talk"></div><div class="unseen" role="status" data-said></div>
      <form class="card composer">
        <label class="unseen" for="compare-prompt">What to ask</label>
        <textarea id="compare-prompt" name="prompt" rows="1" dir="auto" placeholder="Ask both…  (Ctrl+Enter sends)"></textarea>
        <div class="spread"><div class="row">
          <button type="submit" class="ft-button primary" data-send>Send</button>
          <button type="button" class="ft-button" data-stop hidden>Stop</button>
          <button type="button" class="ft-button" data-again>Regenerate</button>
          <button type="button" class="ft-button quiet" data-clear>Clear</button></div>
          <label class="check small"><input type="checkbox" name="marks" ${this.marks ? html`checked` : ""}> Mark differing words</label></div>
        <div class="under"><p class="soft small" data-goes-on></p>${this.options.form(this.talk.system)}</div></form>`;
  }

  // ---- Asking ----

  sendTyped() {
    const field = this.querySelector("[name=prompt]");
    const prompt = field.value.trim();
    if (!prompt || this.taken) return field.focus();
    field.value = "";
    this.leave().then(() => this.send({ prompt }));
  }
  // One side is done and the other one still written: asking anew stops that one.
  get half() { return Boolean(this.busy) && !this.abort.signal.aborted && this.busy.answers.some((one) => ["written", "done"].includes(one.state)); }
  // Nothing else can be asked: what follows a question goes on from its answer.
  get taken() { return Boolean(this.busy ?? this.waiting) && !this.half; }
  async leave() {
    if (!this.busy) return;
    this.abort.abort();
    await this.answered;
  }
  // A held-out row begins a conversation of its own.
  async askRow({ messages: asked, expected, row, tools }) {
    if (this.taken) return;
    await this.leave();
    const before = this.talk;
    const typed = before.turns.length > 1 || before.turns.some((turn) => !turn.row);
    this.talk = { system: before.system, turns: [] };
    if (typed) toast("A new conversation was begun.", { run: () => { this.abort?.abort(); this.bring(before); } });
    this.send({ prompt: asked.at(-1).content, given: asked.slice(0, -1), expected, row, tools });
  }
  send(asked) {
    const turn = { ...asked, answers: this.sides.map(empty) };
    this.talk.turns.push(turn);
    this.drawTalk();
    this.answered = this.answerTurn(turn);
  }
  async answerTurn(turn, asked = Date.now()) {
    const abort = this.abort = new AbortController(), talk = this.talk, began = performance.now();
    this.busy = turn;
    delete turn.error;
    this.buttons();
    this.follow(turn, true);
    try {
      const loads = this.engines.ready(abort.signal);
      this.drawTalk();
      await loads;
      this.drawTalk();
      await Promise.all(this.questions(talk, turn).map((one) => this.stream(one, turn, abort.signal)));
      this.say(turn.answers.some((one) => one.finish === "stopped") ? "Stopped." : "Both have answered.");
    } catch (error) {
      if (!abort.signal.aborted) { turn.error = reason(error, asked); abort.abort(); }
      this.say(turn.error ? turn.error.what : "Stopped.");
    }
    this.close(turn, (performance.now() - began) / 1000);
    this.busy = null;
    if (this.talk !== talk) { this.buttons(); return this.askWaiting(); } // it was cleared, or an older one taken back
    this.keepAll();
    clearTimeout(this.lapse);
    if (turn.error?.waits) this.lapse = setTimeout(() => this.askWaiting(), asked + WAITS_MS - Date.now());
    this.drawTalk();
    this.follow(turn);
    this.engines.look().catch(() => {});
  }
  // Answers that did not come to their end are what they are.
  close(turn, seconds) {
    turn.answers.forEach((one, at) => {
      if (one.state === "done") return;
      const { run, weights } = this.sides[at];
      const finish = one.state === "written" ? "stop" : turn.error ? "error" : "stopped";
      Object.assign(one, { state: "done", finish, seconds: one.seconds ?? seconds, weights: one.weights ?? this.engines.states[run]?.weights?.[weights] });
    });
  }
  // One question for base and tuned of a run together, one for each run else.
  questions(talk, turn) {
    const options = this.options.chosen(), tools = turn.tools ?? talk.turns[0]?.tools;
    const asked = this.sides.map((_, side) => messages(talk, turn, side));
    if (this.sides[0].run !== this.sides[1].run) {
      return this.sides.map((side, at) => ({ run: side.run, at: { tuned: at }, body: { messages: asked[at], options, tools, weights: side.weights } }));
    }
    const same = JSON.stringify(asked[0]) === JSON.stringify(asked[1]);
    return [{ run: this.sides[0].run, at: { base: 0, tuned: 1 }, body: { messages: asked[0], ...(same ? {} : { tuned_messages: asked[1] }), options, tools, weights: "both" } }];
  }
  async stream({ run, body, at }, turn, signal) {
    const began = performance.now();
    const answers = await answer(run, body, signal, (side, text, weights) => {
      const one = turn.answers[at[side]], seconds = (performance.now() - began) / 1000;
      if (weights) Object.assign(one, { state: "written", weights, seconds });
      else Object.assign(one, { state: "writing", first: one.first ?? seconds });
      one.text += text;
      this.drawText(turn, at[side]);
      if (weights) this.buttons();
    });
    for (const [side, whole] of Object.entries(answers)) {
      const { text, seconds, weights, finish, cut } = whole;
      Object.assign(turn.answers[at[side]], { text, seconds, weights, finish, cut, tokens: whole.tokens.length, state: "done" });
    }
  }
  regenerate(turn) {
    if (!turn || this.busy) return;
    if (this.waiting) this.letGo();
    if (Number(this.options.value("temperature")) > 0) {
      this.options.put("seed", (Number(this.options.value("seed")) || 0) + 1);
      this.querySelector("[name=seed]").value = this.options.value("seed");
      this.drawChanged();
    }
    this.askAnew(turn);
  }
  askAnew(turn, asked) {
    turn.answers = this.sides.map(empty);
    this.drawTalk();
    this.answered = this.answerTurn(turn, asked);
  }
  // The question that the studio did not hear, and that is asked again once it may.
  get waiting() { return this.talk.turns.find((turn) => turn.error?.waits); }
  askWaiting() {
    const turn = this.waiting;
    if (!turn || this.busy) return;
    if (Date.now() - turn.error.waits < WAITS_MS) this.askAnew(turn, turn.error.waits);
    else this.letGo();
  }
  // Only a person asks it again.
  letGo() {
    for (const turn of this.talk.turns) if (turn.error?.waits) Object.assign(turn.error, { waits: 0, next: "Try again." });
    this.keepAll();
    this.drawTalk();
  }
  stop() {
    if (this.busy) this.abort.abort();
    else { this.letGo(); this.say("Stopped."); }
  }
  clear() {
    const before = this.talk;
    if (!before.turns.length) return;
    this.abort?.abort();
    this.bring({ system: before.system, turns: [] });
    toast("The conversation was cleared.", { run: () => this.bring(before) });
    this.querySelector("[name=prompt]").focus();
  }
  bring(talk) {
    this.talk = talk;
    this.keepAll();
    this.drawTalk();
    this.askWaiting();
  }
  keepAll(finish) {
    if (finish) for (const one of this.busy?.answers ?? []) if (one.state !== "done") Object.assign(one, { state: "done", finish: one.state === "written" ? "stop" : finish });
    keepTalk(this.key, this.talk);
  }

  // ---- What is drawn ----

  get loading() { return this.engines.loading; }
  drawTalk() {
    const turns = this.talk.turns;
    this.draw(".talk", turns.length ? html`${turns.map((turn, at) => turnCard(turn, at, this))}` : html`<div class="card empty quiet-empty"><h2>Nothing asked yet</h2>
      <p>Write a question below, or click a row that the model has never seen: its expected answer is shown beside.</p></div>`);
    this.buttons();
  }
  // While it is written only the text changes.
  drawText(turn, side) {
    const place = this.place(turn)?.querySelector(`[data-words="${side}"]`);
    if (!place) return;
    const one = turn.answers[side], waiting = place.parentElement.querySelector(".waiting"), words = progress(one);
    place.textContent = one.text;
    place.classList.toggle("writing", one.state === "writing");
    if (waiting && waiting.textContent !== words) waiting.textContent = words;
    place.closest(".talk").drawn = null;
    this.follow(turn);
  }
  drawChanged() {
    const said = [this.talk.system && "instructions", ...this.options.changed()].filter(Boolean);
    this.querySelector("[data-changed]").textContent = said.length ? `· ${said.join(", ")}` : "";
  }
  buttons() {
    const talk = this.talk.turns.length > 0, busy = Boolean(this.busy ?? this.waiting), taken = this.taken;
    this.querySelector("[data-send]").hidden = taken;
    this.querySelector("[data-stop]").hidden = !busy;
    this.querySelector("form [data-again]").disabled = !talk || busy;
    this.querySelector("[data-clear]").disabled = !talk;
    this.querySelector("[data-goes-on]").textContent = talk ? "Goes on from what is above. Clear begins anew." : "Ask something of your own, or press one of the rows.";
    this.dispatchEvent(new CustomEvent("ft-busy", { bubbles: true, detail: { busy: taken, row: this.talk.turns[0]?.row ?? "" } }));
  }
  say(text) { this.querySelector("[data-said]").textContent = text; }
  place(turn) { return this.querySelector(`[data-turn="${this.talk.turns.indexOf(turn)}"]`); }
  // Keeps the end of what is written above the field, until whoever reads scrolls elsewhere.
  follow(turn, anew = false) {
    const box = this.place(turn)?.getBoundingClientRect();
    if (!box || (!anew && Math.abs(scrollY - this.scrolled) > 2)) return;
    const hidden = box.bottom + BETWEEN - this.querySelector(".composer").getBoundingClientRect().top;
    if (hidden > 0) scrollBy({ top: hidden, behavior: "instant" });
    this.scrolled = scrollY;
  }

  // ---- What is done ----

  clicked(event) {
    const button = event.target.closest("button");
    if (!button) return;
    const turn = this.talk.turns.at(button.closest("[data-turn]")?.dataset.turn ?? -1);
    if ("stop" in button.dataset) this.stop();
    else if ("again" in button.dataset) this.regenerate(turn);
    else if ("clear" in button.dataset) this.clear();
    else if ("copy" in button.dataset) copy(turn.answers[Number(button.dataset.copy)].text, button);
  }
  mark(on) {
    this.marks = on;
    keep("compare-marks", on);
    if (!this.busy) this.drawTalk();
  }
  typed(field) {
    if (field.name === "prompt") {
      if (field.value.trim() && this.engines.off) this.engines.warm();
    } else if (field.name === "system") {
      this.talk.system = field.value.trim();
      this.keepAll();
      this.drawChanged();
    } else if (this.options.has(field.name)) {
      this.options.take(field);
      this.drawChanged();
    }
  }
  pressed(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.name === "prompt") {
      event.preventDefault();
      this.sendTyped();
    } else if (event.key === "Escape" && (this.busy ?? this.waiting)) this.stop();
  }
}
customElements.define("ft-conversation", Conversation);
