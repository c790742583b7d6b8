// A dataset at a glance: how its rows are split, what they are about, how long they are.
// Its dataset (`ft-dataset`) gives it what the studio says of the version.

import { Part, Told, address, ask, go, html, notice, number } from "./base.js";
import { CONFIG, colour, layout, onTheme, plotly } from "./plotly.js";
import { TOKENS } from "./glossary.js";
import { at, link, shares } from "./dataset-links.js";
import { SIDES } from "./turns.js";

class Overview extends Part {
  start() {
    this.draw(null, html`<div class="grid3 figures"><div class="card split"></div><div class="card groups" hidden></div><div class="card lengths"><div class="spread">
        <h2>Length of rows</h2><span class="model"></span></div><div class="chart" hidden></div><p class="soft small words" role="status"></p></div></div>`);
    this.onchange = (event) => event.target.matches(".lengths select") && go({ model: event.target.value }, { replace: true });
    this.unwatch = onTheme(() => this.histogram());
  }
  disconnectedCallback() {
    super.disconnectedCallback();
    this.unwatch?.();
    if (this.plotted) window.Plotly.purge(this.querySelector(".chart"));
  }
  addressChanged() { if (this.info && address().tab === "data") this.lengths(); }
  show(info) {
    this.info = info;
    this.draw(".split", this.split());
    this.querySelector(".groups").hidden = !Object.keys(info.groups).length;
    this.draw(".groups", this.groups());
    this.lengths();
  }
  split() {
    const { counts } = this.info;
    const use = { train: "to learn from", validation: "to watch the training", test: "kept for the score" };
    return html`<h2>Split</h2>${shares(counts)}<dl class="ft-legend">${Object.entries(counts).map(([side, count]) =>
      html`<div><dt><i class="${side}"></i>${SIDES[side]}</dt><dd class="num">${number(count)}</dd><dd class="soft small">${use[side]}</dd></div>`)}</dl>${this.info.changes ? html`<p class="soft small">With the changes that are in no version yet.</p>` : ""}`;
  }
  groups() {
    return html`${Object.entries(this.info.groups).slice(0, 3).map(([name, values]) => {
      const most = Math.max(...values.map(([, count]) => count));
      return html`<h2>By ${name}</h2><ul class="ft-bars">${values.slice(0, 8).map(([value, count]) => html`<li><span class="clip" title="${value}" dir="auto">${value}</span>
        <i style="--share:${((100 * count) / most).toFixed(1)}%"></i><span class="num">${number(count)}</span></li>`)}</ul>${values.length > 8
        ? html`<p class="soft small">and more</p>` : ""}`;
    })}`;
  }
  async lengths() {
    const { models, version, name } = this.info;
    if (!models.length) {
      this.draw(".lengths .words", html`How long a row is, is counted in tokens (${TOKENS}). There is no model on this machine yet. ${link(`tab=train&dataset=${encodeURIComponent(name)}`, "Choose a model")}`);
      return;
    }
    const model = models.includes(address().model) ? address().model : models[0];
    const key = `${version.version} ${model}`;
    if (this.measured === key) return;
    this.measured = key;
    this.draw(".lengths .model", html`<select class="ft-select" aria-label="Counted in the tokens of the model" title="Counted in the tokens of this model">${models.map((each) => html`<option ${each === model ? html`selected` : ""}>${each}</option>`)}</select>`);
    this.draw(".lengths .words", html`Counting tokens…`);
    try {
      const found = await ask(`${at(name)}/lengths?version=${version.version}&model=${encodeURIComponent(model)}`);
      if (this.measured !== key) return;
      this.tokens = found.error ? null : found;
      if (found.error) this.draw(".lengths .words", notice(found.error, "warning"));
      this.closest("ft-dataset")?.querySelector("ft-rows")?.choose(); // rows that were all counted can be sorted by it
      await this.histogram();
    } catch (error) {
      this.measured = null;
      if (!(error instanceof Told)) throw error;
    }
  }
  async histogram() {
    if (!this.tokens?.tokens.length) {
      if (this.tokens) this.draw(".lengths .words", this.leftOut());
      return;
    }
    const { tokens, rows, left_out } = this.tokens;
    const Plotly = await plotly();
    const chart = this.querySelector(".chart");
    if (!chart?.isConnected) return;
    chart.hidden = false;
    const sorted = tokens.toSorted((a, b) => a - b);
    const [least, half, most] = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)];
    const size = Math.max(1, Math.ceil((most - least + 1) / 30));
    await Plotly.react(chart, [{
      type: "histogram", x: tokens, xbins: { start: least, end: most + size, size }, marker: { color: colour("--soft"), line: { width: 0 } },
      hovertemplate: "%{x} tokens<br>%{y} rows<extra></extra>",
    }], layout({ height: 150, bargap: 0.08, margin: { l: 30, r: 4, t: 4, b: 28 }, xaxis: { title: { text: "tokens", standoff: 4 }, nticks: 6, showgrid: false }, yaxis: { nticks: 4 } }), CONFIG);
    this.plotted = true;
    const seen = tokens.length + left_out;
    this.draw(".lengths .words", html`Half of the rows have at most <b class="num">${number(half)}</b> tokens (${TOKENS}), the longest <b class="num">${number(most)}</b>.${seen < rows
      ? ` Measured on ${number(seen)} of ${number(rows)} rows.` : ""}${this.leftOut()}`);
  }
  // Rows that this model can't be trained on: how many, why, and one to look at.
  leftOut() {
    const { tokens, left_out, left_out_row: row, why } = this.tokens;
    if (!left_out) return "";
    const count = !tokens.length ? "None of the rows can" : left_out === 1 ? "1 row can’t" : `${number(left_out)} rows can’t`;
    return html`<div class="notice warning"><strong>${count} train this model.</strong> ${why} ${link(`row=${row}`, "Look at one")}</div>`;
  }
}
customElements.define("ft-overview", Overview);
