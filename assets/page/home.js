// Home: the sample at work (its state is on the disk, so any page shows it), recent runs, this machine.

import { Part, ask, duration, html, notice, number, tell, when } from "./base.js";
import { chip, nameOf } from "./run-words.js";

const MARKS = { finished: "✓", failed: "!", interrupted: "!", stopped: "–", deleted: "–" };
const WORDS = { waiting: "", queued: "Waiting", running: "", stopping: "Stopping …", interrupted: "Interrupted", stopped: "Stopped", failed: "Failed" };
const HIDDEN = "flextune-sample-hidden";
let hidden = "";
try { hidden = localStorage.getItem(HIDDEN) ?? ""; } catch { /* storage is blocked: it is shown again after a reload */ }

class Home extends Part {
  every = 1400;

  start() {
    this.sample = undefined;
    this.addEventListener("click", (event) => this.clicked(event.target));
    this.loop();
  }
  async tick() {
    if (!this.machine || Date.now() - this.machineAt > 60000) {
      this.machineAt = Date.now();
      ask("/studio/home/machine").then((about) => { this.machine = about; this.drawMachine(); this.drawWays(); }, () => { this.machineAt = 0; });
    }
    const { sample, runs, total } = await ask("/studio/home");
    this.sample = sample;
    this.every = sample && ["running", "stopping"].includes(sample.status) ? 1000 : 1400;
    this.drawWays();
    this.drawSample();
    this.drawRuns(runs, total);
  }
  clicked(target) {
    const on = (name) => target.closest(`[data-${name}]`);
    if (on("try")) this.act("/studio/sample/start", {});
    else if (on("halt")) this.act("/studio/sample/stop", { id: this.sample.id });
    else if (on("hide")) {
      hidden = this.sample.id;
      try { localStorage.setItem(HIDDEN, hidden); } catch { /* then it is hidden on this page only */ }
      this.drawSample();
      this.drawWays();
    }
  }
  async act(path, body) {
    if (this.acting) return;
    this.acting = true;
    this.drawWays();
    this.drawSample();
    try {
      await tell(path, body);
      hidden = "";
      this.draw("[data-slot=error]", "");
    } catch (error) {
      this.draw("[data-slot=error]", notice(error));
    }
    this.acting = false;
    this.loop();
  }
  get shown() { return this.sample && this.sample.id !== hidden ? this.sample : null; }

  // ---- The two ways to begin ----

  drawWays() {
    const working = this.shown && ["running", "stopping"].includes(this.shown.status);
    const time = this.machine ? (this.machine.sample_seconds === null ? "a few minutes" : `about ${Math.max(1, Math.round(this.machine.sample_seconds / 60))} minutes`) : "a few minutes";
    const again = this.shown ? "Run the sample again" : "Try the sample";
    this.draw("[data-slot=ways]", html`
      <section class="card hm-way"><h2>See it work</h2>
        <p class="soft">A made-up shop’s support messages, each to be sorted into a queue. The whole way in one click: a small model
        is ${this.machine?.starter ? "taken" : "downloaded (93 MB)"}, trained, and compared with what it was before. Takes ${time} on this machine.</p>
        <p>${working ? html`<span class="soft">It is running, see below.</span>`
          : html`<button type="button" class="ft-button ${this.shown ? "" : "primary"}" data-try ${this.acting || this.sample === undefined ? html`disabled` : ""}>${this.acting ? "Starting …" : this.unfinished ? "Go on with the sample" : again}</button>`}</p></section>
      <section class="card hm-way"><h2>Bring your own examples</h2>
        <p class="soft">A table, JSON or text file with questions and answers. The columns are recognised, you see the first rows as
        they will be learned, and nothing starts before you say so.</p>
        <p><a class="ft-button" href="?tab=data&import=1" data-go="tab=data&import=1&dataset=">Start with my data</a></p></section>`);
  }
  get unfinished() { return this.shown && ["stopped", "interrupted", "failed"].includes(this.shown.status); }

  // ---- The sample ----

  drawSample() {
    const sample = this.shown;
    if (!sample) { this.draw("[data-slot=sample]", ""); return; }
    this.draw("[data-slot=sample]", html`<section class="card hm-sample" aria-labelledby="hm-sample">
      <div class="spread"><h2 id="hm-sample">The sample</h2><div class="row">${this.buttons(sample)}</div></div>
      ${sample.result ? "" : this.steps(sample)}
      ${sample.error ? notice(sample.error) : ""}
      ${sample.status === "interrupted" ? notice({ what: "The sample was interrupted.", why: "Its worker was ended from outside. What was done is kept.", next: "“Go on” takes it up where it was." }, "warning") : ""}
      ${sample.result ? this.result(sample) : ""}</section>`);
  }
  buttons(sample) {
    if (sample.status === "running") return html`<button type="button" class="ft-button" data-halt ${this.acting ? html`disabled` : ""}>Stop</button>`;
    if (sample.status === "stopping") return html`<span class="soft">Stopping: what was learned is saved …</span>`;
    const hide = html`<button type="button" class="ft-button quiet" data-hide>Hide</button>`;
    return sample.result ? hide : html`<button type="button" class="ft-button primary" data-try ${this.acting ? html`disabled` : ""}>Go on</button>${hide}`;
  }
  steps(sample) {
    return html`<ol class="hm-steps">${sample.parts.map((part, place) => {
      const on = part.status === "running" || part.status === "stopping" || part.status === "queued";
      const share = part.share === null || part.share === undefined ? null : Math.round(100 * part.share);
      return html`<li class="${part.status}"><span class="hm-mark" aria-hidden="true">${MARKS[part.status] ?? place + 1}</span><div>
        <div class="spread"><strong>${part.kind === "runs" ? html`<a href="?tab=runs&run=${part.id}" data-go="tab=runs&run=${part.id}">${part.title}</a>` : part.title}</strong>
          <span class="soft small num">${part.status === "finished" ? (part.seconds ? (part.seconds < 1 ? "Done" : duration(part.seconds)) : part.text) : WORDS[part.status]}</span></div>
        ${on ? html`<div class="soft small" role="status">${part.text ?? ""}</div><div class="bar ${share === null ? "unknown" : ""}" role="progressbar"
          aria-label="${part.title}" aria-valuemin="0" aria-valuemax="100" ${share === null ? "" : html`aria-valuenow="${share}"`}><i ${share === null ? "" : html`style="width:${share}%"`}></i></div>` : ""}
      </div></li>`;
    })}</ol>`;
  }
  result({ result }) {
    const exact = result.metrics.exact_match;
    return html`<p class="hm-sentence">${exact.sentence}</p>
      <div class="hm-figures" role="group" aria-label="Answers that are exactly right">${[["base", "Base, before training"], ["tuned", "Tuned"]].map(([side, name]) => html`
        <div class="hm-figure ${side}"><span>${name}</span><div class="hm-track"><i style="width:${Math.max(0.5, 100 * exact[side])}%"></i></div>
        <strong class="num">${number(100 * exact[side])} %</strong></div>`)}</div>
      <p class="soft small">Answers that are exactly right, out of ${number(result.rows)} messages that were kept aside and not trained on.</p>
      <div class="hm-pairs">${result.pairs.map((pair) => html`<figure><p class="asked" dir="auto">${pair.asked}</p>
        <dl><div><dt>Wanted</dt><dd dir="auto">${pair.expected}</dd></div><div class="base"><dt>Base</dt><dd dir="auto">${pair.base || "(no answer)"}</dd></div>
        <div class="tuned"><dt>Tuned</dt><dd dir="auto">${pair.tuned || "(no answer)"}</dd></div></dl></figure>`)}</div>
      <p class="row"><a class="ft-button primary" href="?tab=compare&run=${result.run}" data-go="tab=compare&run=${result.run}">Compare side by side</a>
        <a class="ft-button" href="?tab=evaluate&run=${result.run}&evaluation=${result.id}" data-go="tab=evaluate&run=${result.run}&evaluation=${result.id}">See every answer</a>
        <a class="ft-button" href="?tab=runs&run=${result.run}" data-go="tab=runs&run=${result.run}">How it was trained</a></p>`;
  }

  // ---- Runs and machine ----

  drawRuns(runs, total) {
    this.draw("[data-slot=runs]", total ? html`<table class="hm-runs"><thead><tr><th scope="col">Run</th><th scope="col">State</th><th scope="col">Dataset</th><th scope="col">Steps</th><th scope="col">Made</th></tr></thead>
      <tbody>${runs.map((run) => html`<tr><td class="clip"><a href="?tab=runs&run=${run.id}" data-go="tab=runs&run=${run.id}">${nameOf(run)}</a></td>
        <td>${chip(run)}</td><td class="clip">${run.dataset || "–"}</td>
        <td class="num">${run.total_steps ? `${number(run.step)} of ${number(run.total_steps)}` : number(run.step)}</td><td class="num">${when(run.created)}</td></tr>`)}</tbody></table>`
      : html`<p class="soft hm-none">No runs yet. The sample makes one, or train on your own data.</p>`);
  }
  drawMachine() {
    const { summary, fits } = this.machine;
    this.draw("[data-slot=machine]", html`<p class="small">${summary}</p>
      <h3>The largest model that can be trained here, by method</h3>
      <dl class="hm-fits">${fits.map((item) => html`<div><dt><strong>${item.title}</strong><span class="soft small">${item.words}</span></dt><dd>${item.model ? html`<strong>${item.model}</strong>
        <span class="soft small num">needs ${item.fit.needed_gb.toFixed(1)} of ${item.fit.free_gb.toFixed(0)} GB</span>
        ${item.fit.seconds ? html`<span class="soft small num">1,000 rows in ${duration(item.fit.seconds)}</span>` : ""}`
        : html`<span class="soft">none fits in the memory that is free, in less than half a day</span>`}</dd></div>`)}</dl>`);
  }
}
customElements.define("ft-home", Home);
