// Whether a run fits: figures estimated and measured, the measurement, and the ladder of smaller settings.

import { duration, html, notice, number, size, tell } from "./base.js";
import { TOKENS } from "./glossary.js";
import { rungs } from "./ladder.js";

export class Fit {
  // `train` is the Train page; `slot` the place of the figures.
  constructor(train, slot) {
    this.train = train;
    this.slot = slot;
    slot.innerHTML = html`<dl class="pf-figures"></dl><p class="soft small pf-terms" hidden>Tokens are ${TOKENS}. An update is one step of learning, from a few rows at a time.</p><div class="fit-job"></div>
      <button type="button" class="ft-button fit-measure" data-measure>Measure whether it fits</button><div class="fit-ladder"></div>`;
    slot.addEventListener("click", (event) => {
      if (event.target.closest("[data-measure]")) this.measure(false);
      const name = event.target.closest("[data-rung]")?.dataset.rung;
      if (name) this.take(name);
    });
  }
  draw(selector, markup) {
    const place = this.slot.querySelector(selector), text = String(markup);
    if (place.drawn !== text) { place.drawn = text; place.innerHTML = text; }
  }
  show(found) {
    this.found = found;
    const facts = this.facts(), known = facts.memory_gb !== undefined;
    const rows = [
      ["Rows to train on", facts.rows === undefined ? null : number(facts.rows)],
      ["Tokens to learn", facts.tokens === undefined ? null : `${number(facts.trained_tokens)} of ${number(facts.tokens)}`],
      ["Updates", found.steps === null ? null : number(found.steps)],
      ["Time", known ? this.time(facts) : null],
      ["Memory, estimated", known ? `${facts.memory_gb.toFixed(1)} of ${facts.free_gb.toFixed(1)} GB free` : null],
      ...(facts.measured ? [["Memory, measured", `${facts.measured.fits ? "" : "more than "}${facts.measured.memory_gb.toFixed(1)} GB`]] : []),
      ...(known ? this.recomputation(found) : []),
      ["Disk", facts.disk_gb === undefined ? null : size(facts.disk_gb * 1e9)],
    ];
    const some = rows.some(([, value]) => value !== null);
    this.slot.querySelector(".pf-terms").hidden = !some;
    this.draw(".pf-figures", !some ? "" : html`${rows.map(([name, value, why]) => html`<div><dt>${name}</dt><dd class="num">${value ?? "–"}</dd>${why ? html`<dd class="why">${why}</dd>` : ""}</div>`)}`);
    this.slot.querySelector(".fit-measure").hidden = !known || !found.command || Boolean(this.job);
    this.ladder = facts === found.facts ? found.ladder : this.result.ladder;
    const big = facts.too_big && this.ladder?.length;
    this.draw(".fit-ladder", big ? html`<h3>Ways to need less memory</h3>${rungs(this.ladder, () => "Take it")}` : "");
  }
  // What is chosen for empty fields depends on what is free, and that changes: what was just measured is held on to.
  facts() {
    const { facts } = this.found;
    if (facts.measured || this.result?.of !== this.now()) return facts;
    const { seconds } = this.result;
    return { ...facts, measured: this.result, near: false, too_big: !this.result.fits, seconds: seconds ?? facts.seconds };
  }
  now() { return JSON.stringify(this.train.settings()); }
  // The settings that were measured, as Start has to take them; else those of the form.
  settings() { return this.result?.fits && this.result.of === this.now() ? this.result.settings : this.train.settings(); }
  // That parts are computed twice, and why, as it was chosen or as somebody set it; what is not done needs no line.
  recomputation(found) {
    const own = this.facts() !== found.facts, on = (own ? this.result : found).settings.recompute;
    const why = (own && this.result.why) || found.reasons.recompute || "As it is set.";
    return on || own ? [["Recomputation", on ? "on" : "off", `Computing parts twice saves memory and takes longer. ${why}`]] : [];
  }
  time(facts) {
    if (facts.seconds === null) return "measure it";
    return `about ${duration(facts.seconds)}${facts.measured?.step_seconds ? ", measured" : ""}`;
  }
  // Whether only a measurement can tell; while the device is taken it would tell nothing of what will be free.
  get doubtful() { return Boolean(this.found && this.facts().near && !this.found.busy); }

  async measure(start) {
    if (this.job) return;
    this.start = start;
    this.of = this.now();
    try {
      this.job = await tell("/studio/train/measure", { settings: this.train.settings() });
    } catch (error) {
      return this.train.say(error);
    }
    const shown = document.createElement("ft-job");
    Object.assign(shown.dataset, { ...this.job, title: "Measuring whether it fits", stopped: "Nothing was measured." });
    this.slot.querySelector(".fit-job").replaceChildren(shown);
    this.slot.querySelector(".fit-measure").hidden = true;
    this.train.drawStart();
  }
  // The measurement has ended; a run that waited for it starts when it fits and nothing was changed meanwhile.
  async done({ status, result }) {
    const start = this.start && this.of === this.now();
    this.job = null;
    this.start = false;
    if (status === "finished") {
      this.result = { ...result, of: this.of };
      const words = result.fits ? `It fits: at most ${result.memory_gb.toFixed(1)} GB were taken.`
        : `It does not fit: it had taken ${result.memory_gb.toFixed(1)} GB when it was ended.`;
      this.slot.querySelector(".fit-job").innerHTML = notice({ what: words, why: "", next: result.fits ? "" : "Take one of the ways below." }, result.fits ? "good" : "warning");
    }
    await this.train.look();
    if (start && status === "finished" && result.fits) this.train.begin();
    else this.train.drawStart();
  }
  take(name) {
    const rung = this.ladder.find((one) => one.name === name);
    this.slot.querySelector(".fit-job").replaceChildren();
    this.train.lay(rung.changes, `“${rung.title}” is filled in.`);
  }
}
