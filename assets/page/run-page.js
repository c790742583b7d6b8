// One run: its state, its curves, its answers, its words, its settings and its log, each asked for from where it ended.

import { Part, ask, duration, go, html, notice, number, size, when } from "./base.js";
import { Curves } from "./charts.js";
import { RunCurves } from "./run-curves.js";
import "./ladder.js";
import { menu } from "./menus.js";
import { editNote } from "./run-note.js";
import { Samples } from "./run-samples.js";
import { settingsList } from "./run-settings.js";
import { LIVE, learn, runs } from "./run-store.js";
import * as words from "./run-words.js";

const LONGEST_LOG = 300_000;
const GONE = "Its worker is gone without having said why: it was killed, as systems do when memory runs out, or the machine went down.";

class Run extends Part {
  every = 750; // so that a step is drawn within a second and a half, the time for drawing included

  start() {
    this.path = `/studio/runs/${encodeURIComponent(this.dataset.id)}`;
    this.onclick = (event) => this.clicked(event);
    this.fresh();
    this.loop();
  }
  // The page as it is before anything is known.
  fresh() {
    this.at = { events: 0, steps: 0, samples: 0, log: 0 };
    this.events = [];
    this.told = this.logged = this.drawnOnce = false;
    this.figures?.close();
    this.drawn = null;
    this.draw(null, html`<div class="stack run">
      <a class="back" href="?tab=runs" data-go="tab=runs&run=&runs=">‹ All runs</a>
      <div class="gone"></div>
      <div class="known stack" hidden>
        <div class="spread top"><div class="title"></div><div class="row deeds"></div></div>
        <div class="deed-trouble"></div><div class="trouble"></div>
        <section class="card state" aria-label="Progress"></section>
        <div class="curves stack"></div>
        <section class="card answers" aria-label="Sample answers"></section>
        <section class="card" aria-label="Messages"><h2>What happened</h2><ol class="timeline" tabindex="0" aria-label="Messages"></ol></section>
        <details class="card fold settings"><summary><h2>Settings</h2></summary><div class="inside"></div></details>
        <details class="card fold output"><summary><h2>Log of the worker</h2></summary><pre tabindex="0" aria-label="Log"></pre></details>
        <ft-endings></ft-endings>
      </div></div>`);
    this.curves = new Curves();
    this.figures = new RunCurves(this.querySelector(".curves"), this.curves);
    this.samples = new Samples(this.querySelector(".answers"));
    this.querySelector(".settings").ontoggle = () => this.showSettings();
    this.querySelector(".output").ontoggle = () => this.loop();
  }
  disconnectedCallback() {
    super.disconnectedCallback();
    this.figures?.close();
  }
  get logOpen() { return this.querySelector(".output").open; }

  async tick() {
    const { curves, at: { events, steps, samples, log } } = this;
    const news = await ask(`${this.path}/news?events=${events}&steps=${steps}&samples=${samples}${this.logOpen ? `&log=${log}` : ""}`);
    if (curves !== this.curves) return; // the page began anew meanwhile
    if (news.gone) return this.showGone(news);
    if (this.wasGone) {
      this.wasGone = false;
      this.fresh();
      this.hurry = true;
      return;
    }
    this.draw(".gone", "");
    this.querySelector(".known").hidden = false;
    this.run = news.run;
    learn(news.run);
    this.at = { events: news.events.offset, steps: news.steps.offset, samples: news.samples.offset, log: news.log?.offset ?? log };
    this.events.push(...news.events.lines);
    const grown = this.curves.take(news.steps.columns), checked = this.curves.takeEvents(news.events.lines);
    this.showState();
    this.showTimeline(news.events.lines.length);
    if (news.log) this.showLog(news.log);
    this.samples.take(news.samples.lines);
    const kept = words.resultStep(news.run), marked = this.figures.mark(kept), expected = LIVE.includes(this.run.status);
    this.samples.mark(kept);
    if (grown || checked || marked || !this.drawnOnce || expected !== this.figures.expected) await this.figures.draw(expected);
    this.drawnOnce = true;
  }

  // ---- What is shown ----

  showGone(news) {
    this.querySelector(".known").hidden = true;
    const run = news.deleted;
    this.draw(".gone", run ? html`<div class="card empty"><h2>This run was deleted</h2>
        <p><bdi>${words.nameOf(run)}</bdi> is in the trash (${when(run.deleted)}). It can be taken out again with all it had.</p>
        <p class="after"><button type="button" class="ft-button primary" data-deed="restore">Restore</button></p></div>`
      : html`<div class="card empty"><h2>There is no such run</h2><p>${news.gone.what} It may have been deleted for good, or the address is not whole.</p>
        <p class="after"><a class="ft-button" href="?tab=runs" data-go="tab=runs&run=&runs=">See all runs</a></p></div>`);
    this.wasGone = true;
  }
  showState() {
    const { run } = this;
    this.draw(".title", html`<div class="row name"><h1><bdi>${words.nameOf(run)}</bdi></h1><span role="status">${words.chip(run)}</span></div>
      <p class="soft">${words.lineage(run)}${run.dataset && run.created ? " · " : ""}${run.created && html`made ${when(run.created)}`}</p>
      ${run.notes && html`<p class="notes" dir="auto">${run.notes}</p>`}`);
    this.draw(".deeds", this.deeds(run));
    this.draw(".trouble", this.trouble(run));
    this.draw(".state", this.state(run));
    this.querySelector(".state").hidden = run.status === "broken";
  }
  deeds(run) {
    const { can } = words, busy = this.busy ? html`disabled` : "";
    const main = can.resume(run) ? "resume" : can.compare(run) ? "compare" : null;
    const button = (name, title, kind = "") => html`<button type="button" class="ft-button ${name === main ? "primary" : kind}" data-deed="${name}" ${busy}>${title}</button>`;
    const rare = [can.note(run) && html`<button type="button" data-deed="note">Name and notes…</button>`, can.delete(run) && html`<button type="button" class="danger" data-deed="remove" ${busy}>Delete</button>`].filter(Boolean);
    return html`${can.again(run) && button("again", "New run from this")}
      ${can.evaluate(run) && button("evaluate", "Evaluate")}${can.compare(run) && button("compare", "Compare")}
      ${can.resume(run) && button("resume", this.busy === "resume" ? "Resuming…" : "Resume")}
      ${can.stop(run) && button("stop", run.status === "queued" ? "Take out of the queue" : "Stop")}
      ${run.status === "stopping" && html`<button type="button" class="ft-button" disabled>Stopping…</button>`}
      ${rare.length ? menu(`More for ${words.nameOf(run)}`, rare) : ""}`;
  }
  trouble(run) {
    if (run.status === "interrupted") {
      return notice({ what: "This run was interrupted.", why: GONE, next: this.resumePoint() ? "What it saved is kept: Resume goes on from its last resume point." : "It had saved no resume point yet: Resume begins at its first step." }, "warning");
    }
    if (run.status !== "failed" && run.status !== "broken") return "";
    const short = run.error?.cause === "memory" && html`<ft-ladder data-run="${run.id}"></ft-ladder>`;
    return html`${notice(run.error ?? { what: "This run failed.", why: GONE, next: "Look into its log, then resume it." })}
      ${run.status === "failed" && html`<p class="row after"><button type="button" class="ft-button" data-deed="again">Change the settings</button>
        <button type="button" class="ft-button quiet" data-deed="log">See the log</button></p>`}${short}`;
  }
  state(run) {
    const rest = words.left(run), evals = [...this.curves.evals.entries()].filter(([, loss]) => loss !== null);
    const best = evals.length ? evals.reduce((a, b) => (b[1] < a[1] ? b : a)) : null;
    const said = words.progress(run, this.events.findLast((event) => event.text)?.text);
    const kept = words.resultStep(run), last = evals.at(-1);
    const whose = kept === null ? best && `best ${words.short(best[1])} at step ${number(best[0])}`
      : `of the result, step ${number(kept)}${last && last[0] !== kept ? `; ${words.short(last[1])} at step ${number(last[0])}` : ""}`;
    const facts = [
      ["Training loss", words.short(run.loss)],
      ["Validation loss", words.short(words.checked(run)), whose],
      ["Speed", this.curves.has("tokens_per_second") ? `${number(this.curves.last("tokens_per_second"))} tokens/s` : "–"],
      ["Time", words.took(run) ? duration(words.took(run)) : "–"],
      ["Disk", size(run.disk ?? 0)],
    ];
    return html`<div class="spread"><strong class="num">${said}</strong><span class="soft num">${rest !== null ? `about ${duration(rest)} left` : run.ended ? `${words.STATES[run.status]} ${when(run.ended)}` : ""}</span></div>
      ${words.bar(run)}${this.point(run)}<dl class="facts">${facts.map(([title, value, more]) => html`<div><dt>${title}</dt><dd class="num">${value}</dd>${more && html`<dd class="soft small num">${more}</dd>`}</div>`)}</dl>`;
  }
  resumePoint() { return this.events.findLast((event) => event.type === "checkpoint"); }
  // Where the run could go on from, and which points stay on the disk.
  point(run) {
    const last = this.resumePoint();
    if (!last || run.status === "finished") return "";
    return html`<p class="soft small resume-point">Last resume point: step ${number(last.step)}. The newest ones and the best stay on the disk (“Resume points kept” in its settings); older ones are deleted when a new one is whole.</p>`;
  }
  showTimeline(fresh) {
    if (!fresh && this.told) return;
    this.told = true;
    const marks = { failed: "bad", diverged: "bad", finished: "good", message: "note", stopped: "note", resumed: "note" };
    const lines = this.events.filter((event) => event.text).toReversed();
    this.draw(".timeline", html`${lines.map((event) => html`<li class="${marks[event.type] ?? ""}"><time class="soft small num">${when(event.time)}</time><span dir="auto">${event.text}</span></li>`)}`);
  }
  showLog({ start, text }) {
    const place = this.querySelector(".output pre");
    const atEnd = place.scrollTop + place.clientHeight >= place.scrollHeight - 20;
    if (!this.logged) place.textContent = `${start ? "…" : ""}${text}`;
    else if (text) place.textContent = (place.textContent + text).slice(-LONGEST_LOG);
    this.logged = true;
    place.classList.toggle("nothing", !place.textContent);
    if (atEnd) place.scrollTop = place.scrollHeight;
  }
  async showSettings() {
    const fold = this.querySelector(".settings");
    if (!fold.open || fold.dataset.shown) return;
    fold.dataset.shown = "yes";
    try {
      settingsList(fold.querySelector(".inside"), await ask(`${this.path}/settings`));
    } catch (error) {
      delete fold.dataset.shown;
      fold.querySelector(".inside").innerHTML = notice(error);
    }
  }

  // ---- What is done ----

  async clicked(event) {
    const deed = event.target.closest("[data-deed]")?.dataset.deed;
    if (!deed || this.busy) return;
    if (deed === "note") return editNote(runs.get(this.run.id));
    if (deed === "log") {
      const fold = this.querySelector(".output");
      fold.open = true;
      return fold.scrollIntoView({ block: "start" });
    }
    this.busy = deed;
    if (this.run) this.showState();
    try {
      if (deed === "restore") await words.restore(this.dataset.id);
      else await words[deed](this.run, () => go({ tab: "runs", run: this.dataset.id }));
      this.draw(".deed-trouble", "");
      if (deed === "remove") go({ tab: "runs", run: null });
    } catch (error) {
      this.draw(".deed-trouble", notice(error));
      this.busy = null;
      if (this.run) this.showState(); // no longer “Resuming…”, though the next look may be long in coming
    }
    this.busy = null;
    if (this.isConnected) this.loop();
  }
}
customElements.define("ft-run", Run);
