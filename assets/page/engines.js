// The engines of a comparison: of each run that answers whether its models are loaded, and the deeds on it.

import { ask, html, tell } from "./base.js";
import { ready } from "./chat.js";
import { engineWords, sharerWords } from "./engine-line.js";

const path = (run) => `/studio/answers/${encodeURIComponent(run)}/engine`;

// runs: whose engines; changed: called whenever there is something else to be shown.
export class Engines {
  constructor(runs, changed) {
    this.runs = runs;
    this.changed = changed;
    this.states = {};
    this.loading = false;
  }
  get off() { return Object.values(this.states).some((one) => one.phase === "off"); }
  get cold() { return this.runs.some((run) => this.states[run]?.phase !== "ready"); }

  async look() {
    this.states = Object.fromEntries(await Promise.all(this.runs.map(async (run) => [run, await ask(path(run))])));
    this.changed();
  }
  // Waits until all are ready; throws what went wrong.
  async ready(signal) {
    this.loading = this.cold;
    this.changed();
    try {
      await ready(this.runs, signal, (run, engine) => { this.states[run] = { ...this.states[run], ...engine }; });
    } finally {
      this.loading = false;
      this.changed();
    }
  }
  // Loads them before they are asked; what went wrong is said by the next look.
  async warm() {
    if (this.loading) return;
    await this.ready(null).catch(() => {});
    await this.look().catch(() => {});
  }
  async unload() {
    await Promise.all(this.runs.map((run) => tell(`${path(run)}/stop`)));
    await this.look();
  }
  words() {
    const states = Object.values(this.states);
    const sharer = states.find((one) => one.sharer)?.sharer;
    return html`${engineWords(states, this.loading)}${sharer ? sharerWords(sharer) : ""}`;
  }
}
