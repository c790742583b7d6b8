// The rows of an evaluation, differing ones first: filter, search, pages, words that differ, downloads.

import { Part, address, ask, go, html, notice, number } from "./base.js";
import { differences, marked } from "./differences.js";
import { keep, recall } from "./remember.js";

const SHOWS = { all: "All", better: "Better", worse: "Worse", same: "Same" };
const WAIT_MS = 250;

class EvaluationRows extends Part {
  every = 3_600_000;

  start() {
    this.marks = recall("rows-marks", false);
    const path = `/studio/evaluations/${encodeURIComponent(this.dataset.id)}/download`;
    this.draw(null, html`<section class="card flush"><div class="stack pad">
        <div class="spread"><h2>Rows</h2><div class="row"><a class="ft-button small" download href="${path}?form=csv">Download CSV</a><a class="ft-button small" download href="${path}?form=jsonl">Download JSONL</a></div></div>
        <div class="spread"><div class="row shows" role="group" aria-label="Which rows"></div>
          <div class="row"><label class="check small">Judged by <select class="ft-select" name="metric"><option value="exact_match">exact match</option><option value="token_f1">token F1</option></select></label>
          <label class="check small"><input type="checkbox" name="marks" ${this.marks ? html`checked` : ""}> Mark differing words</label></div></div>
        <div><label class="unseen" for="rows-find">Search prompts and answers</label><input id="rows-find" type="search" class="search" placeholder="Search prompts and answers" autocomplete="off"></div></div>
      <div class="trouble"></div><div class="scroll list"></div><div class="pad spread pages"></div></section>`);
    this.onclick = (event) => this.clicked(event);
    this.addEventListener("change", (event) => {
      if (event.target.name === "metric") go({ by: event.target.value === "exact_match" ? null : event.target.value, from: null }, { replace: true });
      if (event.target.name === "marks") { this.marks = event.target.checked; keep("rows-marks", this.marks); this.drawRows(); }
    });
    this.querySelector("#rows-find").addEventListener("input", (event) => {
      clearTimeout(this.waiting);
      this.waiting = setTimeout(() => go({ find: event.target.value.trim() || null, from: null }, { replace: true }), WAIT_MS);
    });
    this.addressChanged();
  }
  addressChanged() {
    const here = address();
    if (here.tab !== "evaluate" || !this.isConnected) return;
    this.wanted = { show: here.show in SHOWS ? here.show : "all", metric: here.by === "token_f1" ? "token_f1" : "exact_match", find: here.find ?? "", start: Number(here.from) || 0 };
    const search = this.querySelector("#rows-find");
    if (document.activeElement !== search) search.value = this.wanted.find;
    this.querySelector("[name=metric]").value = this.wanted.metric;
    this.load();
  }
  async load() {
    const wanted = this.wanted;
    try {
      const found = await ask(`/studio/evaluations/${encodeURIComponent(this.dataset.id)}/rows?${new URLSearchParams(wanted)}`);
      if (wanted !== this.wanted) return;
      this.found = found;
      this.draw(".trouble", "");
      this.drawRows();
    } catch (error) {
      this.draw(".trouble", notice(error));
    }
  }
  drawRows() {
    if (!this.found) return;
    const { rows, total, counts, start, page } = this.found, { show, metric } = this.wanted;
    this.draw(".shows", html`${Object.entries(SHOWS).map(([key, title]) => html`<button type="button" class="ft-button small" data-show="${key}" aria-pressed="${key === show ? "true" : "false"}">${title} <span class="num soft">${number(counts[key])}</span></button>`)}`);
    this.draw(".list", rows.length ? html`<table class="rows"><thead><tr><th scope="col">Prompt</th><th scope="col">Expected</th><th scope="col" class="base-ink">Base</th><th scope="col" class="tuned-ink">Tuned</th></tr></thead>
      <tbody>${rows.map((row) => this.row(row, metric))}</tbody></table>` : html`<div class="empty"><h2>No such rows</h2><p>${this.wanted.find ? "No prompt or answer holds these words." : "There are none of this kind."}</p></div>`);
    this.draw(".pages", total > page ? html`<span class="soft small num" role="status">${number(start + 1)} to ${number(Math.min(total, start + page))} of ${number(total)}</span>
      <span class="row tight"><button type="button" class="ft-button small" data-from="${Math.max(0, start - page)}" ${start ? "" : html`disabled`}>‹ Previous</button>
      <button type="button" class="ft-button small" data-from="${start + page}" ${start + page < total ? "" : html`disabled`}>Next ›</button></span>` : html`<span class="soft small num" role="status">${number(total)} ${total === 1 ? "row" : "rows"}</span>`);
  }
  row(row, metric) {
    const turns = row.prompt, last = turns.at(-1), earlier = turns.slice(0, -1);
    const texts = this.marks ? differences(row.base, row.tuned).map(marked) : [row.base, row.tuned];
    const cell = (side, at) => {
      const right = row[`${side}_exact_match`] === 1, f1 = row[`${side}_token_f1`];
      const facts = [(metric === "token_f1" || !right) && `F1 ${Math.round(100 * f1)} %`, row[`${side}_finish`] === "length" && "cut off"].filter(Boolean);
      return html`<td class="side ${side}"><div class="words" dir="auto">${texts[at]}</div><div class="small mark ${right ? "good" : "soft"}">${right ? "✓ right" : "✗ not exact"}
        ${facts.length ? html`<span class="soft num">· ${facts.join(" · ")}</span>` : ""}</div></td>`;
    };
    return html`<tr><td>${earlier.length ? html`<details><summary class="soft small">${earlier.length} ${earlier.length === 1 ? "turn" : "turns"} before</summary>${earlier.map((turn) => html`<p class="small" dir="auto"><b class="soft">${turn.role}</b> ${turn.content}</p>`)}</details>` : ""}
      <div class="words" dir="auto">${last.content}</div></td><td><div class="words" dir="auto">${row.expected}</div></td>${cell("base", 0)}${cell("tuned", 1)}</tr>`;
  }
  clicked(event) {
    const data = event.target.closest("button")?.dataset;
    if (data?.show) go({ show: data.show === "all" ? null : data.show, from: null });
    if (data?.from !== undefined) {
      go({ from: Number(data.from) || null });
      this.querySelector(".shows").scrollIntoView({ block: "nearest" });
    }
  }
}
customElements.define("ft-evaluation-rows", EvaluationRows);
