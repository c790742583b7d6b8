// The ladder: ways in which a run needs less memory, the gentlest first, each with what it saves. A click takes one.
//
//   <ft-ladder data-run="ID"></ft-ladder>    beside a run that ran out of memory

import { Part, ask, go, html, notice, tell } from "./base.js";

// `deed(rung)` is the title of a rung's button.
export function rungs(ladder, deed) {
  return html`<ol class="ladder">${ladder.map((rung) => html`<li>
    <div class="spread"><strong>${rung.title}</strong><span class="chip ${rung.fits ? "finished" : "interrupted"}">${rung.fits ? "enough" : "not enough alone"}</span></div>
    <p class="soft small">${rung.words}</p>
    <div class="spread"><span class="small num">${rung.memory_gb.toFixed(1)} GB, ${rung.saves_gb.toFixed(1)} less</span>
      <button type="button" class="ft-button small" data-rung="${rung.name}" aria-label="${deed(rung)}: ${rung.title}">${deed(rung)}</button></div></li>`)}</ol>`;
}

class Ladder extends Part {
  every = 60000;

  start() {
    this.draw(null, html`<section class="card" aria-label="Ways to need less memory"><h2>Ways to need less memory</h2>
      <p class="soft small">What was saved is kept. The run can go on with what learns the same; everything else makes a new run.</p>
      <div class="rungs"></div><div class="rung-trouble"></div></section>`);
    this.onclick = (event) => this.clicked(event.target.closest("[data-rung]")?.dataset.rung);
    this.loop();
  }
  get path() { return `/studio/runs/${encodeURIComponent(this.dataset.run)}`; }
  async tick() {
    this.ladder = (await ask(`${this.path}/ladder`)).ladder;
    this.draw(".rungs", this.ladder.length ? rungs(this.ladder, (rung) => (rung.same ? "Take it and resume" : "New run with it"))
      : html`<p class="soft small">Every setting that saves memory is taken. Close other programs, or choose a smaller model.</p>`);
  }
  async clicked(name) {
    const rung = this.ladder?.find((one) => one.name === name);
    if (!rung || this.busy) return;
    if (!rung.same) return go({ tab: "train", from: this.dataset.run, rung: name, run: null });
    this.busy = true;
    try {
      await tell(`${this.path}/rung`, { name });
      this.draw(".rung-trouble", "");
    } catch (error) {
      this.draw(".rung-trouble", notice(error));
    }
    this.busy = false;
  }
}
customElements.define("ft-ladder", Ladder);
