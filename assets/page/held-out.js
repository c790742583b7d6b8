// Held-out rows of a run's dataset as a list of questions: a click asks one. Fires `ft-held-out` with the row.

import { Part, ask, html, notice, number, tell } from "./base.js";
import { at } from "./dataset-links.js";

const PAGE = 20;
const WAIT_MS = 250;
const SIDES = { test: "held-out rows", validation: "validation rows" };

class HeldOut extends Part {
  static observedAttributes = ["data-row", "data-busy"];
  every = 3_600_000;

  start() {
    this.rows = [];
    this.total = 0;
    this.find = "";
    this.draw(null, html`<details class="card fold rows-list" open><summary><h2>Try a row it has not seen</h2></summary>
      <div class="stack inside"><div class="trouble"></div>
        <label class="unseen" for="held-find">Search the rows</label>
        <input id="held-find" type="search" class="search" placeholder="Search the rows" autocomplete="off">
        <div class="spread"><span class="soft small num" role="status" data-count></span><span class="row tight">
          <button type="button" class="ft-button small" data-step="-1" aria-label="Ask the previous row" title="Ask the previous row">‹</button>
          <button type="button" class="ft-button small" data-step="1" aria-label="Ask the next row" title="Ask the next row">›</button></span></div>
        <ul class="plain" data-list></ul></div></details>`);
    if (matchMedia("(max-width: 1000px)").matches) this.querySelector("details").open = false;
    this.onclick = (event) => this.clicked(event);
    this.querySelector("input").addEventListener("input", (event) => {
      clearTimeout(this.waiting);
      this.waiting = setTimeout(() => { this.find = event.target.value.trim(); this.rows = []; this.load(); }, WAIT_MS);
    });
    this.load();
  }
  attributeChangedCallback() { if (this.rows) this.drawList(); }

  async load() {
    const find = this.find, start = this.rows.length ? this.next : 0;
    try {
      const found = await ask(`/studio/answers/${encodeURIComponent(this.dataset.run)}/prompts?start=${start}&limit=${PAGE}&find=${encodeURIComponent(find)}`);
      if (find !== this.find) return;
      this.rows = start ? [...this.rows, ...found.prompts] : found.prompts;
      this.next = start + PAGE;
      this.about = found;
      this.total = found.total;
      this.draw(".trouble", "");
    } catch (error) {
      this.draw(".trouble", (await this.deleted()) ? html`<div class="notice warning" role="status"><strong>“${this.dataset.rowsOf}” was deleted.</strong>
        It lies in the trash with all its versions. <button type="button" class="ft-button small" data-back>Restore it</button></div>` : notice(error));
    }
    this.drawList();
  }
  async deleted() {
    const { datasets, deleted } = await ask("/studio/datasets").catch(() => ({ datasets: [], deleted: [] }));
    const named = (list) => list.some((one) => one.name === this.dataset.rowsOf);
    return named(deleted) && !named(datasets);
  }
  async restore() {
    try {
      await tell(`${at(this.dataset.rowsOf)}/restore`);
      await this.load();
    } catch (error) {
      this.draw(".trouble", notice(error));
    }
  }
  get at() { return this.rows.findIndex((row) => row.row === this.dataset.row); }

  drawList() {
    if (!this.about) return;
    const busy = "busy" in this.dataset;
    const none = !this.about.split
      ? html`<li class="soft small">“${this.about.dataset}” keeps no rows apart. Import it again with some rows for the test, and train on that, to ask what the model has not seen.</li>`
      : html`<li class="soft small">No row holds these words.</li>`;
    this.draw("[data-list]", html`${this.rows.map((row) => html`<li><button type="button" class="ask-row" data-ask="${row.row}" ${busy ? html`disabled` : ""}
        ${row.row === this.dataset.row ? html`aria-current="true"` : ""}><span class="two-lines" dir="auto">${row.messages.at(-1).content}</span>
        <span class="small soft clip" dir="auto">→ ${row.expected}</span></button></li>`)}
      ${this.rows.length ? "" : none}
      ${this.next < this.total ? html`<li><button type="button" class="ft-button quiet small" data-more>Show more</button></li>` : ""}`);
    const where = this.at;
    this.querySelector("[data-count]").textContent = !this.about.split ? "" : where < 0
      ? `${number(this.total)} ${SIDES[this.about.split]}` : `${number(this.rows[where].number + 1)} of ${number(this.total)}`;
    this.querySelector("[data-step='-1']").disabled = busy || where <= 0;
    this.querySelector("[data-step='1']").disabled = busy || !this.rows.length || (where === this.rows.length - 1 && this.next >= this.total);
  }
  async clicked(event) {
    const button = event.target.closest("button");
    if (!button) return;
    if ("back" in button.dataset) return this.restore();
    if ("more" in button.dataset) return this.load();
    if ("ask" in button.dataset) return this.choose(this.rows.find((row) => row.row === button.dataset.ask));
    if ("step" in button.dataset) {
      const at = this.at + Number(button.dataset.step);
      if (at >= this.rows.length && this.next < this.total) await this.load();
      this.choose(this.rows[Math.max(0, at)]);
    }
  }
  choose(row) {
    if (row) this.dispatchEvent(new CustomEvent("ft-held-out", { bubbles: true, detail: row }));
  }
}
customElements.define("ft-held-out", HeldOut);
