// What an address names and is not there: said once, with the button that helps.
//
//   missing(error, "tab=evaluate&run=&evaluation=", "See all evaluations")
//
// `error.missing` is what the studio knows of it (studio/errors.py, Missing). After a restore it fires `ft-restored`.

import { Part, ask, html, notice, tell, when } from "./base.js";
import { nameOf } from "./run-words.js";

export function missing(error, query, words) {
  const { kind, noun, name, deleted } = error.missing;
  return html`<ft-missing data-kind="${kind}" data-noun="${noun}" data-name="${name}" data-deleted="${deleted ?? ""}" data-query="${query}" data-words="${words}"></ft-missing>`;
}

class Missing extends Part {
  start() {
    const { noun, deleted } = this.dataset;
    this.draw(null, html`<div class="card empty" role="status"><h2>${deleted ? `This ${noun} was deleted` : `There is no such ${noun}`}</h2>
      <p>${deleted ? html`<span data-called>It</span> is in the trash (${when(Number(deleted))}). It can be taken out again with all it had.`
        : "It may have been deleted for good, or the address is not whole."}</p><div class="trouble"></div>
      <p class="after">${deleted ? html`<button type="button" class="ft-button primary" data-back>Restore it</button>` : ""}
        <a class="ft-button" href="?${this.dataset.query}" data-go="${this.dataset.query}">${this.dataset.words}</a></p></div>`);
    this.querySelector("[data-back]")?.addEventListener("click", (event) => this.restore(event.target));
    if (deleted) this.call();
  }
  // Runs have names, which the trash still knows.
  async call() {
    if (this.dataset.kind !== "runs") return;
    const { runs } = await ask("/studio/deleted-runs").catch(() => ({ runs: [] }));
    const run = runs.find((one) => one.id === this.dataset.name);
    if (run) this.querySelector("[data-called]").textContent = `“${nameOf(run)}”`;
  }
  async restore(button) {
    button.disabled = true;
    try {
      await tell(`/studio/${this.dataset.kind}/${encodeURIComponent(this.dataset.name)}/restore`);
      this.dispatchEvent(new CustomEvent("ft-restored", { bubbles: true }));
    } catch (error) {
      button.disabled = false;
      this.draw(".trouble", notice(error));
    }
  }
}
customElements.define("ft-missing", Missing);
