// The rows of one finding, twenty a page, each with the row that it is a copy of, contradicts or leaks.

import { Part, address, ask, go, html, notice, number } from "./base.js";
import { SIDES, chips, rowBody } from "./turns.js";

class DoctorRows extends Part {
  start() {
    this.draw(null, html`<div class="stack"><div class="head"></div><div class="list stack"></div><nav class="pager" aria-label="Pages"></nav></div>`);
    this.onclick = (event) => {
      const page = event.target.closest("[data-from]");
      if (page) { go({ from: Number(page.dataset.from) > 0 ? page.dataset.from : null }); return; }
      const card = event.target.closest("[data-row]");
      if (card && !event.target.closest("a, button") && !String(getSelection())) go({ row: card.dataset.row });
    };
    this.load();
  }
  addressChanged() {
    const now = address();
    if (now.tab === "data" && !now.row && now.finding === this.dataset.finding && (now.from ?? "") !== this.from) this.load();
  }
  async load() {
    this.from = address().from ?? "";
    const { job, finding } = this.dataset;
    const slow = setTimeout(() => this.draw(".head", html`${this.back()}<div class="bar unknown" role="progressbar" aria-label="Opening the rows"><i></i></div>`), 300);
    try {
      const page = await ask(`/studio/doctor/${encodeURIComponent(job)}/rows?finding=${encodeURIComponent(finding)}&start=${this.from || 0}`);
      clearTimeout(slow);
      this.draw(".head", html`${this.back()}<h2>${page.finding.title}</h2><p class="soft">${page.finding.words}</p>`);
      this.draw(".list", html`${page.rows.map(({ row, other }) => this.card(row, other))}`);
      const last = Math.min(page.start + page.page, page.total);
      this.draw(".pager", page.total <= page.page ? html`` : html`<button type="button" class="ft-button" data-from="${page.start - page.page}" ${page.start ? "" : html`disabled`}>Previous</button>
        <span class="num soft">${number(page.start + 1)}–${number(last)} of ${number(page.total)}</span>
        <button type="button" class="ft-button" data-from="${page.start + page.page}" ${last < page.total ? "" : html`disabled`}>Next</button>`);
    } catch (error) {
      clearTimeout(slow);
      this.draw(".head", this.back());
      this.draw(".list", notice(error));
    }
  }
  back() { return html`<a class="back" data-go="finding=&from=" href="?tab=data&part=doctor">‹ All findings</a>`; }
  card(row, other) {
    return html`<article class="card ft-rowcard ${row.excluded ? "out" : ""}" data-row="${row.id}"><header><a class="open" data-go="row=${row.id}" href="?tab=data&row=${row.id}">Open</a>${chips(row)}
      <span class="soft small where">${row.file ? `line ${number(row.line)}` : ""}</span></header>${rowBody(row)}${other
        ? html`<div class="dr-other"><div class="soft small spread"><span>Beside it: ${SIDES[other.split] ?? other.split}${other.file ? `, line ${number(other.line)}` : ""}</span><a data-go="row=${other.id}" href="?tab=data&row=${other.id}">Open</a></div>${rowBody(other)}</div>` : ""}</article>`;
  }
}
customElements.define("ft-doctor-rows", DoctorRows);
