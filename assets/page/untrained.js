// What stands where a trained model is needed and there is none: how far the run is that makes one, or how to begin.
//
//   untrained("Nothing to export yet", "When a training has ended, its model can be taken away here.", run)
//
// `run`, where one is named, is the run that is waited for, else it is whichever trains.

import { Part, duration, html } from "./base.js";
import { refresh, runs } from "./run-store.js";
import { bar, isLive, left, nameOf, progress } from "./run-words.js";

const STATES = { queued: "waits for its turn", running: "is training", stopping: "is being stopped" };

export function untrained(title, words, run = "") {
  return html`<ft-untrained data-title="${title}" data-words="${words}" data-run="${run}"></ft-untrained>`;
}

class Untrained extends Part {
  // The list of runs is kept up to date for the whole page (endings.js).
  async tick() {
    if (!this.drawn) await refresh();
    const live = [...runs.values()].filter(isLive);
    const run = live.find((one) => one.id === this.dataset.run) ?? live.find((one) => one.status !== "queued") ?? live[0];
    this.draw(null, run ? this.trains(run) : this.nothing());
  }
  trains(run) {
    const link = `tab=runs&run=${encodeURIComponent(run.id)}&runs=&deleted=`, rest = left(run);
    return html`<div class="card empty"><h2><bdi>${nameOf(run)}</bdi> ${STATES[run.status]}</h2>
      <p class="num">${progress(run)}${rest !== null && ` · about ${duration(rest)} left`}</p><div class="waited-for">${bar(run)}</div><p>${this.dataset.words}</p>
      <p class="after"><a class="ft-button primary" href="?${link}" data-go="${link}">Watch it</a></p></div>`;
  }
  nothing() {
    return html`<div class="card empty"><h2>${this.dataset.title}</h2><p>${this.dataset.words}</p>
      <p class="after"><a class="ft-button primary" href="?tab=train" data-go="tab=train">Train a model</a>
        <a class="ft-button" href="?tab=home" data-go="tab=home">Try the sample</a></p></div>`;
  }
}
customElements.define("ft-untrained", Untrained);
