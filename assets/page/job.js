// A long action while it works: a bar, words, a Stop button; at its end what, why and next, if it went wrong.
//
//   <ft-job data-kind="jobs" data-id="…" data-title="Importing mails.csv" data-stopped="Nothing was imported."></ft-job>
//
// At the end it fires `ft-job-done` with {status, result, error, events, late}; it bubbles. `late`: it ended a while
// before anybody looked here, so that what it made needs no word of the moment any more.

import { Part, ask, html, notice, tell } from "./base.js";

const ENDED = ["finished", "stopped", "failed", "interrupted", "broken"];
const LATE = 30; // seconds

class Job extends Part {
  // Where a deed waits for its end (data-awake), it is looked at from every tab and while the page is hidden.
  get asleep() { return !("awake" in this.dataset) && super.asleep; }
  start() {
    this.offset = 0;
    this.events = [];
    this.address = `/studio/jobs/${this.dataset.kind ?? "jobs"}/${encodeURIComponent(this.dataset.id)}`;
    this.draw(null, html`<div class="ft-job"></div>`);
    this.onclick = (event) => event.target.closest("[data-stop]") && this.stop();
    this.loop();
  }
  async tick() {
    const job = await ask(`${this.address}?offset=${this.offset}`);
    this.offset = job.offset;
    this.events.push(...job.events);
    const ended = ENDED.includes(job.status);
    this.draw(".ft-job", ended ? this.end(job) : this.work(job));
    if (!ended) return;
    this.alive = false;
    if (!this.told) {
      this.told = true;
      const detail = { status: job.status, result: job.result, error: job.error, events: this.events, late: Date.now() / 1000 - (this.events.at(-1)?.time ?? Infinity) > LATE };
      this.dispatchEvent(new CustomEvent("ft-job-done", { bubbles: true, detail }));
    }
  }
  work(job) {
    const share = job.progress?.total ? Math.min(100, Math.round((100 * job.progress.done) / job.progress.total)) : null;
    const stopping = job.status === "stopping" || this.asked;
    const last = this.events.findLast((event) => event.text)?.text;
    const words = stopping ? "Stopping…" : job.text ?? last ?? "Starting…";
    return html`<div class="spread"><div><strong>${this.dataset.title}</strong>
        <div class="soft small" role="status">${words}</div></div>
        <button type="button" class="ft-button" data-stop ${stopping ? html`disabled` : ""}>Stop</button></div>
      <div class="bar ${share === null ? "unknown" : ""}" role="progressbar" aria-label="${this.dataset.title ?? "Progress"}"
        aria-valuemin="0" aria-valuemax="100" ${share === null ? "" : html`aria-valuenow="${share}"`}
        ><i ${share === null ? "" : html`style="width:${share}%"`}></i></div>`;
  }
  end(job) {
    if (job.status === "finished") {
      return html`<div class="notice" role="status"><strong>${this.dataset.title}</strong> Done.</div>`;
    }
    if (job.status === "stopped") {
      return notice({ what: "Stopped.", why: this.dataset.stopped ?? "", next: "Start it again whenever you like." }, "warning");
    }
    return notice(job.error ?? {
      what: "This was interrupted.",
      why: "Its worker is gone without having said why: it was killed, as systems do when memory runs out, or the machine went down.",
      next: "Start it again.",
    });
  }
  async stop() {
    this.asked = true;
    try {
      await tell(`${this.address}/stop`);
    } catch {
      this.asked = false; // it ended meanwhile, or the studio is away: the next look says which
    }
    this.loop();
  }
}
customElements.define("ft-job", Job);
