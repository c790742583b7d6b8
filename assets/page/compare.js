// The Compare tab: base and tuned of a run (?run=ID), or the tuned models of two runs (?left=A&right=B), side by side.

import { Part, address, ask, go, html, notice, tell } from "./base.js";
import { turnCard } from "./answer-card.js";
import { answer, keepTalk, messages, ready, recallTalk } from "./chat.js";
import { copy } from "./copy.js";
import { engineWords, sharerWords } from "./engine-line.js";
import { keep, recall } from "./remember.js";
import { pens } from "./run-words.js";
import { toast } from "./toast.js";
import "./answer-file.js";
import "./held-out.js";

const LOOK_EVERY = 5; // ticks between two looks at the list of runs
const fresh = () => ({ system: "", turns: [] });
const empty = () => ({ text: "", state: "waiting" });

class Compare extends Part {
  every = 2000;

  start() {
    this.runs = null;
    this.engines = {};
    this.talk = fresh();
    this.marks = recall("compare-marks", false);
    this.ticks = 0;
    this.draw(null, html`<div class="stack compare">
      <div class="spread"><div><h1>Compare</h1><p class="soft">Ask two models the same thing and read their answers side by side.</p></div>
        <div class="row pickers"></div></div>
      <div class="body"></div></div>`);
    this.onclick = (event) => this.clicked(event);
    this.addEventListener("change", (event) => this.changed(event));
    this.addEventListener("input", (event) => this.typed(event));
    this.addEventListener("keydown", (event) => this.pressed(event));
    this.addEventListener("submit", (event) => { event.preventDefault(); this.sendTyped(); });
    this.addEventListener("ft-held-out", (event) => this.askRow(event.detail));
    this.onHide = () => this.busy && this.keepAll("stopped");
    window.addEventListener("pagehide", this.onHide);
    this.loop();
  }
  disconnectedCallback() {
    window.removeEventListener("pagehide", this.onHide);
    this.abort?.abort();
    super.disconnectedCallback();
  }
  addressChanged() {
    if (address().tab === "compare" && this.runs) this.settle();
  }
  async tick() {
    if (this.ticks++ % LOOK_EVERY === 0 || !this.runs?.length) {
      const found = await ask("/studio/answers/runs");
      const before = JSON.stringify(this.runs);
      this.runs = found.runs;
      this.settings = found.settings;
      if (before !== JSON.stringify(found.runs)) await this.settle();
    }
    if (this.sides && !this.busy) await this.look();
  }

  // ---- Who answers ----

  async settle() {
    const here = address();
    if ((here.tab ?? "home") !== "compare") return;
    if (!this.runs.length && !here.run && !here.left) return this.nothing();
    const two = here.left && here.right && here.left !== here.right;
    const wanted = two ? [here.left, here.right] : [here.run || here.left || this.runs[0].id];
    const chosen = wanted.map((id) => this.runs.find((run) => run.id === id));
    this.drawPickers(wanted);
    if (chosen.some((run) => !run)) return this.gone(wanted[chosen.findIndex((run) => !run)]);
    if (this.key === wanted.join(" ") && this.sides) return;
    this.abort?.abort();
    this.key = wanted.join(" ");
    const paint = two ? pens(wanted) : null;
    this.sides = two
      ? chosen.map((run) => ({ key: run.id, run: run.id, weights: "tuned", title: run.name || run.id, about: run.model, colour: paint.get(run.id).colour }))
      : ["base", "tuned"].map((side) => ({ key: side, run: wanted[0], weights: side, colour: `--${side}`,
        title: side === "base" ? "Base" : "Tuned", about: side === "base" ? chosen[0].model : chosen[0].name || chosen[0].id }));
    this.engines = {};
    this.talk = recallTalk(this.key) ?? fresh();
    this.frame(chosen);
    await this.look();
  }
  nothing() {
    this.sides = null;
    this.key = null;
    this.draw(".pickers", "");
    this.draw(".body", html`<div class="card empty"><h2>No trained model yet</h2>
      <p>When a training has ended, its model answers here beside its base.</p>
      <p class="after"><a class="ft-button primary" href="?tab=train" data-go="tab=train">Train a model</a>
        <a class="ft-button" href="?tab=home" data-go="tab=home">Try the sample</a></p></div>`);
  }
  async gone(id) {
    this.sides = null;
    this.key = null;
    let told;
    try {
      await ask(`/studio/answers/${encodeURIComponent(id)}/engine`);
      told = notice({ what: `“${id}” has no trained weights yet.`, why: "There is nothing to compare before its first result is saved.", next: "Wait until it ends, or choose another run." }, "warning");
    } catch (error) {
      told = notice(error);
    }
    this.draw(".body", html`${told}<p class="after"><a class="ft-button" href="?tab=runs&run=" data-go="tab=runs&run=&left=&right=">See all runs</a></p>`);
  }
  drawPickers(wanted) {
    const option = (run, id) => html`<option value="${run.id}" ${run.id === id ? html`selected` : ""}>${run.name || run.id}</option>`;
    const lost = this.runs.some((run) => run.id === wanted[0]) ? "" : html`<option value="" selected>Choose a run</option>`;
    const others = this.runs.filter((run) => run.id !== wanted[0]);
    this.draw(".pickers", html`<label class="field"><span>Run</span><select name="run">${lost}${this.runs.map((run) => option(run, wanted[0]))}</select></label>
      <label class="field"><span>Against</span><select name="against" ${others.length ? "" : html`disabled`}><option value="">its base model</option>
        ${others.map((run) => option(run, wanted[1]))}</select></label>`);
  }
  frame(chosen) {
    const settings = this.settings;
    const field = (name, step) => {
      const one = settings[name], top = one.exclusiveMaximum && one.exclusiveMaximum > 1e9 ? "" : one.maximum ?? "";
      return html`<label class="field"><span>${one.title}</span><input type="number" name="${name}" step="${step}" min="${one.minimum ?? ""}" max="${top}"
        value="${this.option(name)}" placeholder="${one.default ?? 256}" title="${one.description}"></label>`;
    };
    const heads = this.sides.map((side) => html`<div class="side-head" style="--side:var(${side.colour})"><h2 dir="auto">${side.title}</h2>
      <span class="soft small clip"><bdi>${side.about}</bdi></span></div>`);
    const place = this.querySelector(".body");
    place.drawn = null;
    place.innerHTML = html`<div class="stack">
      <div class="engine"></div>
      <div class="with-rows">
        <ft-held-out data-run="${chosen[0].id}"></ft-held-out>
        <section class="stack" aria-label="Conversation">
          <div class="pair heads">${heads}</div>
          <div class="talk"></div>
          <div class="unseen" role="status" data-said></div>
          <form class="card composer">
            <label class="unseen" for="compare-prompt">What to ask</label>
            <textarea id="compare-prompt" name="prompt" rows="1" dir="auto" placeholder="Ask both…  (Ctrl+Enter sends)"></textarea>
            <div class="spread"><div class="row">
              <button type="submit" class="ft-button primary" data-send>Send</button>
              <button type="button" class="ft-button" data-stop hidden>Stop</button>
              <button type="button" class="ft-button" data-again>Regenerate</button>
              <button type="button" class="ft-button quiet" data-clear>Clear</button></div>
              <label class="check small"><input type="checkbox" name="marks" ${this.marks ? html`checked` : ""}> Mark differing words</label></div>
            <details class="fold options"><summary class="small">Instructions and settings <span class="soft" data-changed></span></summary>
              <label class="field"><span>Instructions (system prompt) for this conversation</span>
                <textarea name="system" rows="2" dir="auto" placeholder="Left empty: those the model’s own template brings along, if any">${"\n"}${this.talk.system}</textarea></label>
              <div class="fields">${field("temperature", "0.1")}${field("max_new_tokens", "1")}</div>
              <details class="fold"><summary class="small soft">Advanced</summary><div class="fields">${field("top_p", "0.05")}${field("top_k", "1")}${field("seed", "1")}</div></details>
              <p class="soft small">Both sides get the same prompt, instructions, seed and settings.</p>
            </details>
          </form>
        </section>
      </div>
      <details class="card fold" data-file><summary><h2>Apply to a file</h2></summary></details></div>`;
    place.querySelector("[data-file]").addEventListener("toggle", (event) => this.openFile(event.target, chosen));
    this.drawTalk();
    this.drawChanged();
  }
  openFile(fold, chosen) {
    if (!fold.open || fold.querySelector("ft-answer-file")) return;
    const part = document.createElement("ft-answer-file");
    const run = chosen.at(-1);
    Object.assign(part.dataset, { run: run.id, name: run.name || run.id });
    fold.append(part);
  }

  // ---- The engine ----

  get engineRuns() { return [...new Set(this.sides.map((side) => side.run))]; }

  async look() {
    const key = this.key;
    const found = await Promise.all(this.engineRuns.map(async (run) => [run, await ask(`/studio/answers/${encodeURIComponent(run)}/engine`)]));
    if (key !== this.key || !this.sides) return;
    this.engines = Object.fromEntries(found);
    this.drawEngine();
  }
  drawEngine() {
    const states = Object.values(this.engines);
    const sharer = states.find((one) => one.sharer)?.sharer;
    this.draw(".engine", html`${engineWords(states, this.loading)}${sharer ? sharerWords(sharer) : ""}`);
  }
  async warm() {
    if (this.loading || !this.sides) return;
    this.loading = true;
    this.drawEngine();
    try {
      await ready(this.engineRuns, null, () => {});
    } catch {
      // said by the next look
    }
    this.loading = false;
    if (this.sides) await this.look().catch(() => {});
  }

  // ---- Settings ----

  option(name) { return recall(`answer-${name}`, this.settings[name].default ?? ""); }
  options() {
    const found = {};
    for (const name of Object.keys(this.settings)) {
      const value = this.option(name);
      if (value !== "" && value !== null && value !== undefined) found[name] = Number(value);
    }
    return found;
  }
  drawChanged() {
    const said = [this.talk.system && "instructions", ...Object.keys(this.settings).filter((name) => String(this.option(name)) !== String(this.settings[name].default ?? ""))
      .map((name) => `${this.settings[name].title.toLowerCase()} ${this.option(name)}`)].filter(Boolean);
    const place = this.querySelector("[data-changed]");
    if (place) place.textContent = said.length ? `· ${said.join(", ")}` : "";
  }

  // ---- Asking ----

  sendTyped() {
    const field = this.querySelector("[name=prompt]");
    const prompt = field.value.trim();
    if (!prompt || this.busy) return field.focus();
    field.value = "";
    this.send({ prompt });
  }
  askRow({ messages: asked, expected, row, tools }) {
    if (this.busy) return;
    const before = this.talk;
    const typed = before.turns.length > 1 || before.turns.some((turn) => !turn.row);
    this.talk = { system: before.system, turns: [] };
    if (typed) toast("A new conversation was begun.", { run: () => { this.abort?.abort(); this.talk = before; this.keepAll(); this.drawTalk(); } });
    this.send({ prompt: asked.at(-1).content, given: asked.slice(0, -1), expected, row, tools });
  }
  send(asked) {
    const turn = { ...asked, answers: this.sides.map(empty) };
    this.talk.turns.push(turn);
    this.drawTalk();
    this.show(turn);
    return this.answerTurn(turn);
  }
  async answerTurn(turn) {
    const abort = this.abort = new AbortController();
    const sides = this.sides, talk = this.talk, key = this.key;
    this.busy = turn;
    delete turn.error;
    this.buttons();
    const began = performance.now();
    try {
      this.loading = Object.values(this.engines).some((one) => one.phase !== "ready") || !Object.keys(this.engines).length;
      this.drawEngine();
      this.drawTalk();
      await ready(this.engineRuns, abort.signal, (run, engine) => { this.engines[run] = { ...this.engines[run], ...engine }; });
      this.loading = false;
      this.drawEngine();
      this.drawTalk();
      await Promise.all(this.questions(talk, turn).map(({ run, body, at }) => this.follow(run, body, at, turn, abort.signal, performance.now())));
      this.say(turn.answers.some((one) => one.finish === "stopped") ? "Stopped." : "Both have answered.");
    } catch (error) {
      if (!abort.signal.aborted) { turn.error = { what: error.what ?? "The answer failed.", why: error.why ?? String(error.message ?? ""), next: error.next ?? "Try again." }; abort.abort(); }
      this.say(turn.error ? turn.error.what : "Stopped.");
    }
    for (const one of turn.answers) {
      if (one.state === "done") continue;
      const at = turn.answers.indexOf(one);
      Object.assign(one, { state: "done", finish: turn.error ? "error" : "stopped", seconds: (performance.now() - began) / 1000,
        weights: one.weights ?? this.engines[sides[at].run]?.weights?.[sides[at].weights] });
    }
    keepTalk(key, talk);
    this.loading = false;
    this.busy = null;
    if (this.key !== key || this.talk !== talk) return this.buttons();
    const seen = this.isSeen(turn);
    this.drawTalk();
    if (seen) this.show(turn);
    this.look().catch(() => {});
  }
  place(turn) { return this.querySelector(`[data-turn="${this.talk.turns.indexOf(turn)}"]`); }
  show(turn) { this.place(turn)?.scrollIntoView({ block: "nearest", behavior: "smooth" }); }
  // Whether somebody who reads elsewhere would be pulled away.
  isSeen(turn) {
    const box = this.place(turn)?.getBoundingClientRect();
    return box && box.bottom > 0 && box.top < innerHeight;
  }
  // One question for base and tuned of a run together, one for each run else.
  questions(talk, turn) {
    const options = this.options(), tools = turn.tools ?? talk.turns[0]?.tools;
    if (this.engineRuns.length === 1) {
      const asked = [0, 1].map((side) => messages(talk, turn, side));
      const same = JSON.stringify(asked[0]) === JSON.stringify(asked[1]);
      return [{ run: this.sides[0].run, at: { base: 0, tuned: 1 }, body: { messages: asked[0], ...(same ? {} : { tuned_messages: asked[1] }), options, tools, weights: "both" } }];
    }
    return this.sides.map((side, at) => ({ run: side.run, at: { tuned: at }, body: { messages: messages(talk, turn, at), options, tools, weights: side.weights } }));
  }
  async follow(run, body, at, turn, signal, began) {
    const answers = await answer(run, body, signal, (side, text) => {
      const one = turn.answers[at[side]];
      one.first ??= (performance.now() - began) / 1000;
      one.state = "writing";
      one.text += text;
      this.drawText(turn, at[side]);
    });
    for (const [side, whole] of Object.entries(answers)) {
      const { text, seconds, weights, finish, cut } = whole;
      Object.assign(turn.answers[at[side]], { text, seconds, weights, finish, cut, tokens: whole.tokens.length, state: "done" });
    }
  }
  stop() {
    this.abort?.abort();
  }
  regenerate() {
    const turn = this.talk.turns.at(-1);
    if (!turn || this.busy) return;
    if (Number(this.option("temperature")) > 0) {
      const seed = (Number(this.option("seed")) || 0) + 1;
      keep("answer-seed", seed);
      this.querySelector("[name=seed]").value = seed;
      this.drawChanged();
    }
    turn.answers = this.sides.map(empty);
    this.drawTalk();
    this.answerTurn(turn);
  }
  clear() {
    const before = this.talk;
    if (!before.turns.length) return;
    this.abort?.abort();
    this.talk = { system: before.system, turns: [] };
    this.keepAll();
    this.drawTalk();
    toast("The conversation was cleared.", { run: () => { this.talk = before; this.keepAll(); this.drawTalk(); } });
    this.querySelector("[name=prompt]").focus();
  }
  keepAll(finish) {
    if (finish) for (const one of this.busy?.answers ?? []) if (one.state !== "done") Object.assign(one, { state: "done", finish });
    keepTalk(this.key, this.talk);
  }
  say(text) {
    const place = this.querySelector("[data-said]");
    if (place) place.textContent = text;
  }

  // ---- What is drawn ----

  drawTalk() {
    const turns = this.talk.turns;
    this.draw(".talk", turns.length ? html`${turns.map((turn, at) => turnCard(turn, at, this))}` : html`<div class="card empty quiet-empty"><h2>Nothing asked yet</h2>
      <p>Write a question below, or click a row that the model has never seen: its expected answer is shown beside.</p></div>`);
    this.querySelector("ft-held-out")?.setAttribute("data-row", turns[0]?.row ?? "");
    this.buttons();
  }
  // While it is written only the text changes.
  drawText(turn, side) {
    const place = this.place(turn)?.querySelector(`[data-words="${side}"]`);
    if (!place) return;
    place.textContent = turn.answers[side].text;
    const waiting = place.parentElement.querySelector(".waiting");
    if (waiting && waiting.textContent !== "Writing…") waiting.textContent = "Writing…";
    place.closest(".talk").drawn = null;
  }
  buttons() {
    if (!this.querySelector("[data-send]")) return;
    const talk = this.talk.turns.length > 0;
    this.querySelector("[data-send]").hidden = Boolean(this.busy);
    this.querySelector("[data-stop]").hidden = !this.busy;
    this.querySelector("form [data-again]").disabled = !talk || Boolean(this.busy);
    this.querySelector("[data-clear]").disabled = !talk;
    this.querySelector("ft-held-out")?.toggleAttribute("data-busy", Boolean(this.busy));
  }

  // ---- What is done ----

  clicked(event) {
    const button = event.target.closest("button");
    if (!button) return;
    if ("stop" in button.dataset) this.stop();
    else if ("again" in button.dataset) this.regenerate();
    else if ("clear" in button.dataset) this.clear();
    else if ("load" in button.dataset) this.warm();
    else if ("unload" in button.dataset) this.unload();
    else if ("copy" in button.dataset) copy(this.talk.turns[Number(button.closest("[data-turn]").dataset.turn)].answers[Number(button.dataset.copy)].text, button);
  }
  async unload() {
    await Promise.all(this.engineRuns.map((run) => tell(`/studio/answers/${encodeURIComponent(run)}/engine/stop`)));
    await this.look();
  }
  changed(event) {
    const field = event.target;
    if (field.name === "run") go(field.value ? { run: field.value, left: null, right: null } : {});
    else if (field.name === "against") {
      const run = this.querySelector("[name=run]").value;
      go(field.value ? { left: run, right: field.value, run: null } : { run, left: null, right: null });
    } else if (field.name === "marks") {
      this.marks = field.checked;
      keep("compare-marks", this.marks);
      if (!this.busy) this.drawTalk();
    }
  }
  typed(event) {
    const field = event.target;
    if (field.name === "prompt") {
      if (field.value.trim() && Object.values(this.engines).some((one) => one.phase === "off")) this.warm();
    } else if (field.name === "system") {
      this.talk.system = field.value.trim();
      this.keepAll();
      this.drawChanged();
    } else if (this.settings && field.name in this.settings) {
      keep(`answer-${field.name}`, field.value === "" || !field.validity.valid ? this.settings[field.name].default ?? "" : Number(field.value));
      this.drawChanged();
    }
  }
  pressed(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.name === "prompt") {
      event.preventDefault();
      this.sendTyped();
    } else if (event.key === "Escape" && this.busy) this.stop();
  }
}
customElements.define("ft-compare", Compare);
