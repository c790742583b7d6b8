// Whether a run fits: figures estimated and measured, the measurement, and the ladder of smaller settings.

import { duration, html, notice, number, size, tell } from "./base.js";
import { TOKENS } from "./glossary.js";
import { rungs } from "./ladder.js";

// As in studio/measurement.py: what did not fit does not fit into a fiftieth more.
const SLACK = 0.98;

export class Fit {
  // `train` is the Train page; `slot` the place of the figures.
  constructor(train, slot) {
    this.train = train;
    this.slot = slot;
    slot.innerHTML = html`<dl class="pf-figures"></dl><p class="soft small pf-terms" hidden>Tokens are ${TOKENS}. A step is one move of learning, from a few rows at a time.</p><div class="fit-job"></div>
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
    const facts = this.facts(), { held } = this, known = facts.memory_gb !== undefined;
    const rows = [
      ["Rows to train on", this.rows(facts)],
      ["Tokens to learn", facts.tokens === undefined ? null : `${number(facts.trained_tokens)} of ${number(facts.tokens)}`],
      ...(facts.cut_rows ? [["Rows cut off", `${facts.sampled ? "about " : ""}${number(facts.cut_rows)}`, `What is past the cut-off of ${number(this.chosen().settings.cutoff)} tokens is not learned.`]] : []),
      ["Steps", found.steps === null ? null : number(found.steps)],
      ["Time", known ? this.time(facts) : null],
      ["Memory, estimated", known ? `${facts.memory_gb.toFixed(1)} of ${facts.free_gb.toFixed(1)} GB free` : null, facts.gpu && `On the ${facts.gpu}.`],
      ...(facts.measured ? [["Memory, measured", `${facts.measured.fits ? "" : "more than "}${facts.measured.memory_gb.toFixed(1)} GB`]] : []),
      ...(known ? this.recomputation() : []),
      ["Disk", facts.disk_gb === undefined ? null : size(facts.disk_gb * 1e9)],
    ];
    const some = rows.some(([, value]) => value !== null);
    this.slot.querySelector(".pf-terms").hidden = !some;
    this.draw(".pf-figures", !some ? "" : html`${rows.map(([name, value, why]) => html`<div><dt>${name}</dt><dd class="num">${value ?? "–"}</dd>${why ? html`<dd class="why">${why}</dd>` : ""}</div>`)}`);
    this.slot.querySelector(".fit-measure").hidden = !known || !found.command || Boolean(this.job);
    this.ladder = (held ?? found).ladder;
    const big = facts.too_big && this.ladder?.length;
    this.draw(".fit-ladder", big ? html`<h3>Ways to need less memory</h3>${rungs(this.ladder, () => "Take it")}` : "");
  }
  // What is chosen for empty fields depends on what is free, and that changes. What was just measured is held on to, in
  // all that is shown and started, while it is of these settings and as true of what is free now.
  get held() {
    const { result } = this, free = this.found?.facts.free_gb;
    if (result?.of !== this.now()) return null;
    return (result.fits ? result.memory_gb <= free : result.free_gb >= SLACK * free) ? result : null;
  }
  facts() {
    const { facts } = this.found, { held } = this;
    return held ? { ...facts, memory_gb: held.estimated_gb, measured: held, near: false, too_big: !held.fits, seconds: held.seconds ?? facts.seconds } : facts;
  }
  // Those that would train nothing are left out by the run.
  rows({ rows, rows_without_training: none, sampled }) {
    if (rows === undefined) return null;
    return none ? `${sampled ? "about " : ""}${number(rows - none)} of ${number(rows)}` : number(rows);
  }
  // The settings without an open choice, and why each was made; what was measured otherwise than it is chosen now has no reason.
  chosen() {
    const { held, found } = this, text = (settings, name) => JSON.stringify(settings[name]);
    if (!held) return found;
    const reasons = Object.entries(found.reasons).filter(([name]) => text(held.settings, name) === text(found.settings, name));
    return { settings: held.settings, reasons: { ...Object.fromEntries(reasons), ...(held.why ? { recompute: held.why } : {}) } };
  }
  now() { return JSON.stringify(this.train.settings()); }
  // The measurement whose choices Start has to take; none where the studio chooses anew.
  get measured() { return this.held?.job ?? ""; }
  // That parts are computed twice, and why, as it was chosen or as somebody set it; what is not done needs no line.
  recomputation() {
    const { settings, reasons } = this.chosen(), on = settings.recompute, why = reasons.recompute ?? "As it is set.";
    return on || this.held ? [["Recomputation", on ? "on" : "off", `Computing parts twice saves memory and takes longer. ${why}`]] : [];
  }
  time(facts) {
    if (facts.seconds === null) return "measure it";
    return `about ${duration(facts.seconds)}${facts.measured?.step_seconds ? ", measured" : ""}`;
  }
  // Whether only a measurement can tell; while the device is taken it would tell nothing of what will be free.
  get doubtful() { return Boolean(this.found && this.facts().near && !this.found.busy); }
  // What stands beside Start then.
  get unmeasured() {
    return this.found?.busy && this.facts().near
      ? "Another job has the device, so whether this run fits is not measured: when its turn comes it may end for want of memory. To know it before, press “Measure whether it fits”, which waits its turn." : "";
  }

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
    Object.assign(shown.dataset, { ...this.job, title: "Measuring whether it fits", stopped: "Nothing was measured." }, start ? { awake: "" } : {});
    this.slot.querySelector(".fit-job").replaceChildren(shown);
    this.slot.querySelector(".fit-measure").hidden = true;
    this.train.drawStart();
  }
  // The measurement has ended; a run that waited for it starts when it fits and nothing was changed meanwhile.
  async done({ status, result }) {
    const { of, job: { id: job }, start: waits } = this;
    this.job = null;
    this.start = false;
    if (status === "finished") this.result = { ...result, job, of };
    await this.train.look();
    const start = waits && of === this.now();
    // It is not measured again by itself: what is free may go up and down for ever.
    const ready = status === "finished" && result.fits && !this.doubtful && !this.facts().too_big;
    if (status === "finished") {
      const next = !result.fits ? "Take one of the ways below." : start && !ready ? "Less memory is free now, so it was not started." : "";
      const what = result.fits ? `It fits: at most ${result.memory_gb.toFixed(1)} GB were taken.`
        : `It does not fit: it had taken ${result.memory_gb.toFixed(1)} GB when it was ended.`;
      this.slot.querySelector(".fit-job").innerHTML = notice({ what, why: "", next }, ready || (result.fits && !start) ? "good" : "warning");
    }
    if (start && ready) this.train.begin();
    else this.train.drawStart();
  }
  take(name) {
    const rung = this.ladder.find((one) => one.name === name);
    this.slot.querySelector(".fit-job").replaceChildren();
    this.train.lay(rung.changes, `“${rung.title}” is filled in.`);
  }
}
