// The data doctor: what was found in the rows, the gravest first, each with examples, a fix, its undo.
//
//   ?tab=data&dataset=NAME&part=doctor                          the newest visit
//   ?tab=data&dataset=NAME&part=doctor&job=ID                   that visit
//   ?tab=data&dataset=NAME&part=doctor&job=ID&finding=KIND      the rows of one finding

import { Part, address, ask, go, html, notice, number, tell } from "./base.js";
import { findingCard } from "./doctor-finding.js";
import { options, read } from "./doctor-options.js";
import { missing } from "./missing.js";
import { reviewer } from "./remember.js";
import { toast } from "./toast.js";
import "./doctor-rows.js";

const LIVE = ["running", "stopping", "queued"];
const GROUPS = [
  ["harm", "Spoils the model", "Mend these before you train."],
  ["mend", "Worth mending", "The model gets better without them."],
  ["note", "Good to know", "Nothing is broken; you decide."],
];

class Doctor extends Part {
  start() {
    this.addEventListener("toggle", ({ target }) => { if (target.matches(".dr-ignored")) this.ignoredOpen = target.open; }, true);
    this.name = address().dataset;
    this.mask = this.mask ?? "labels";
    this.draw(null, html`<div class="ft-doctor stack"><div class="dr-head"></div><div class="dr-told"></div><div class="dr-fixing"></div><div class="dr-body stack"></div></div>`);
    this.onclick = (event) => {
      const button = event.target.closest("[data-deed]");
      if (button) this.act(button);
    };
    this.onsubmit = (event) => { event.preventDefault(); this.look(read(event.target)); };
    this.onchange = (event) => {
      if (event.target.name !== "mask") return;
      this.mask = event.target.value;
      for (const select of this.querySelectorAll("select[name=mask]")) select.value = this.mask;
    };
    this.addEventListener("ft-job-done", (event) => (event.target.closest(".dr-fixing") ? this.fixed(event.detail) : this.load()));
    this.load();
  }
  addressChanged() {
    const now = address();
    if (now.tab !== "data" || now.dataset !== this.name || now.row || now.part !== "doctor") return;
    if ((now.job ?? "") !== (this.at?.job ?? "")) this.load();
    else if ((now.finding ?? "") !== (this.at?.finding ?? "")) this.render();
  }
  // What the studio says of the dataset: when rows were changed, here or elsewhere, the findings stand otherwise.
  show(info) {
    const state = `${info.latest} ${info.reviews}`;
    if (this.state && this.state !== state && !this.busy) this.load();
    this.state = state;
  }

  // An address that names a visit which is not there.
  lost(error) {
    this.at = address();
    const back = `tab=data&dataset=${encodeURIComponent(this.name)}&part=doctor&job=&finding=`;
    this.draw(".dr-told", missing({ missing: { ...error.missing, noun: "visit" } }, back, "Show the newest visit"));
    this.draw(".dr-body", html``);
  }
  async load() {
    const { job } = address();
    const mine = (this.asked = (this.asked ?? 0) + 1);
    const slow = setTimeout(() => this.visit === undefined && this.draw(".dr-told", html`<div class="bar unknown" role="progressbar" aria-label="Opening the report"><i></i></div>`), 300);
    try {
      const found = await ask(job ? `/studio/doctor/${encodeURIComponent(job)}` : `/studio/doctor?dataset=${encodeURIComponent(this.name)}`);
      if (mine !== this.asked || !this.isConnected) return;
      this.visit = found.visit;
      this.offered = found;
      this.draw(".dr-told", html``);
      this.render();
    } catch (error) {
      if (mine !== this.asked) return;
      if (error.missing) return this.lost(error);
      this.draw(".dr-told", notice(error));
      this.draw(".dr-body", job ? html`<p><button type="button" class="ft-button" data-deed="newest">Show the newest visit</button></p>` : html``);
    } finally {
      clearTimeout(slow);
    }
  }
  render() {
    const now = address();
    this.at = { job: now.job, finding: now.finding };
    const { visit } = this;
    if (now.finding && visit?.report) {
      this.draw(".dr-head", html``);
      this.draw(".dr-body", html`<ft-doctor-rows data-job="${visit.job}" data-finding="${now.finding}"></ft-doctor-rows>`);
      return;
    }
    const working = visit && LIVE.includes(visit.status);
    if (visit?.report?.fixing) this.fixing(visit.report.fixing);
    this.draw(".dr-head", visit?.report && !working ? this.head(visit) : html``);
    this.draw(".dr-body", working ? this.working(visit) : visit?.report ? this.report(visit.report) : visit ? this.ended(visit) : this.first());
  }

  // ---- States ----

  first() {
    return html`<div class="card dr-first"><h2>Let the doctor look at the rows</h2>
      <p class="soft narrow-text">Duplicates, contradictions, training rows that are held out too, personal data, broken letters, rows that train nothing:
        the doctor lists what is there, with examples. Nothing is changed unless you say so, and every fix can be undone.</p>
      ${options(this.offered, {})}</div>`;
  }
  working(visit) {
    return html`<div class="card"><ft-job data-kind="jobs" data-id="${visit.job}" data-title="Looking at the rows" data-stopped="There is no report; nothing was changed."></ft-job></div>`;
  }
  ended(visit) {
    const told = visit.error ?? {
      what: visit.status === "stopped" ? "This visit was stopped." : "This visit has no report.",
      why: visit.status === "stopped" ? "" : "It did not come to its end.",
      next: "Look again.",
    };
    return html`${notice(told, visit.status === "stopped" ? "warning" : "error")}<div class="card dr-first"><h2>Let the doctor look again</h2>${options(this.offered, visit.settings)}</div>`;
  }
  head(visit) {
    return html`<div class="spread top"><div><h2>Data doctor</h2><p class="soft small">${number(visit.report.rows)} rows of version ${visit.report.version} looked at, with your changes.</p></div>
      <details class="dr-again" ${this.opened ? html`open` : ""}><summary class="ft-button">Look again…</summary><div class="card">${options(this.offered, visit.settings)}</div></details></div>`;
  }
  report(report) {
    const stale = report.stale ? html`<div class="notice warning spread" role="status"><span><strong>The rows changed.</strong> ${report.stale} What is listed may be out of date.</span>
      <button type="button" class="ft-button" data-deed="again">Look again</button></div>` : "";
    const notes = report.notes.map((note) => html`<div class="notice small">${note}</div>`);
    const heeded = report.findings.filter((finding) => !finding.ignored);
    const ignored = report.findings.filter((finding) => finding.ignored);
    const groups = GROUPS.map(([severity, title, words]) => [title, words, heeded.filter((finding) => finding.severity === severity)]).filter(([, , list]) => list.length);
    return html`${stale}${notes}${groups.length ? groups.map(([title, words, list]) => this.group(title, words, list, report)) : this.well(report)}${ignored.length
      ? html`<details class="fold soft dr-ignored" ${this.ignoredOpen ? html`open` : ""}><summary>Ignored (${ignored.length})</summary><div class="stack">${ignored.map((finding) => findingCard(finding, report, this.mask))}</div></details>` : ""}`;
  }
  group(title, words, list, report) {
    return html`<section class="dr-group"><div class="row dr-title"><h3>${title}</h3><span class="soft small">${words}</span></div>
      ${list.map((finding) => findingCard(finding, report, this.mask))}</section>`;
  }
  well(report) {
    return html`<div class="card empty dr-well"><div class="dr-tick" aria-hidden="true">✓</div><h2>All is well</h2><p>Nothing ${report.findings.length ? "else " : ""}was found in ${number(report.rows)} rows.</p></div>`;
  }

  // ---- Deeds ----

  async look(settings) {
    try {
      const { job } = await tell("/studio/doctor", { dataset: this.name, ...settings });
      this.draw(".dr-told", html``);
      if (address().job === job) this.load();
      else go({ job, finding: null });
    } catch (error) {
      this.draw(".dr-told", notice(error));
    }
  }
  async act(button) {
    const { deed, kind } = button.dataset;
    if (deed === "again") return this.look({ again: this.visit.job });
    if (deed === "newest") return go({ job: null, finding: null });
    if (deed === "judge") return this.judge();
    if (deed === "rows") return go({ job: this.visit.job, finding: kind, from: null });
    this.busy = true;
    button.disabled = true;
    const slow = setTimeout(() => this.draw(".dr-told", html`<div class="bar unknown" role="progressbar" aria-label="At work"><i></i></div>`), 400);
    try {
      const { done, visit } = await tell(`/studio/doctor/${encodeURIComponent(this.visit.job)}/${deed}`, { finding: kind, mask: this.mask, by: reviewer() });
      clearTimeout(slow);
      this.visit = visit;
      this.draw(".dr-told", html``);
      this.render();
      if (done.job) this.fixing(done.job); else this.tellDone(deed, kind, done);
    } catch (error) {
      clearTimeout(slow);
      button.disabled = false;
      this.draw(".dr-told", notice(error));
      this.querySelector(".dr-told").scrollIntoView({ block: "nearest" });
    }
    this.busy = false;
    this.dispatchEvent(new CustomEvent("ft-changed", { bubbles: true }));
    this.querySelector(`[data-kind="${kind}"] button`)?.focus({ preventScroll: true });
  }
  // In a large dataset a job does it; who comes later sees it at work, too.
  fixing(job) {
    this.draw(".dr-fixing", html`<div class="card"><ft-job data-kind="jobs" data-id="${job}" data-title="Fixing the rows" data-stopped="Nothing was changed."></ft-job></div>`);
    this.querySelector(".dr-fixing").scrollIntoView({ block: "nearest" });
  }
  async fixed({ status, result }) {
    if (status !== "finished") return; // its notice stays
    this.draw(".dr-fixing", html``);
    await this.load();
    this.tellDone("fix", result.kind, result);
    this.dispatchEvent(new CustomEvent("ft-changed", { bubbles: true }));
  }
  // The rows that were sent to the review queue.
  judge() { go({ dataset: this.name, part: "review", show: "doctor", job: null, finding: null }); }
  tellDone(deed, kind, done) {
    const rows = done.rows === 1 ? "1 row" : `${number(done.rows)} rows`;
    const again = (other) => ({ run: () => this.act({ dataset: { deed: other, kind } }) });
    if (deed === "fix" && done.sent === done.rows) toast(`${rows} sent to the review queue.`, { button: done.rows === 1 ? "Review it" : "Review them", run: () => this.judge() });
    else if (deed === "fix") toast(`${rows} changed; it goes into the next version.${done.sent > 0 ? ` ${number(done.sent)} of them sent to the review queue.` : ""}${done.passed_over > 0 ? ` ${number(done.passed_over)} needed nothing.` : ""}`, again("undo"));
    if (deed === "undo") toast("The fix is taken back.");
    if (deed === "ignore") toast("You will hear no more of it for this dataset.", again("heed"));
  }
}
customElements.define("ft-doctor", Doctor);
