// Several runs in one picture: the same colour for the same run always, and the settings in which they differ.

import { Part, ask, duration, go, html, notice } from "./base.js";
import { Curves, Lines, smooth } from "./charts.js";
import { Choices } from "./run-curves.js";
import { learn } from "./run-store.js";
import * as words from "./run-words.js";

const REST = 10_000; // an ended run may be resumed

class Overlay extends Part {
  start() {
    this.ids = [...new Set(this.dataset.id.split(",").filter(Boolean))].slice(0, 8);
    this.pens = words.pens(this.ids);
    this.known = new Map(this.ids.map((id) => [id, { id, curves: new Curves(), at: { events: 0, steps: 0 }, next: 0 }]));
    this.draw(null, html`<div class="stack">
      <a class="back" href="?tab=runs" data-go="tab=runs&runs=">‹ All runs</a>
      <h1></h1><div class="trouble"></div><div class="compared stack" hidden>
      <section class="card flush scroll" aria-label="Runs"><table class="overlaid"><thead><tr><th scope="col">Run</th><th scope="col">Status</th><th scope="col" class="right">Steps</th>
        <th scope="col" class="right">Training loss</th><th scope="col" class="right">Validation loss</th><th scope="col" class="right">Time</th><th scope="col"><span class="unseen">Leave out</span></th></tr></thead><tbody class="legend-rows"></tbody></table></section>
      <section class="card" aria-label="Training loss"><div class="spread chart-head"><h2>Training loss</h2><div class="row small choices"></div></div><div class="plot" data-chart="training"></div></section>
      <section class="card" aria-label="Validation loss" hidden><h2>Validation loss</h2><div class="plot" data-chart="validation"></div></section>
      <section class="card" aria-label="Settings"><div class="spread"><h2>Settings</h2><label class="small"><input type="checkbox" name="all"> Show equal ones too</label></div><div class="settings-table scroll"></div></section></div></div>`);
    this.count(this.ids.length); // until it is known which are there
    this.choices = new Choices(this.querySelector(".choices"), () => this.drawCurves());
    this.training = new Lines(this.querySelector("[data-chart=training]"), { height: 340 });
    this.validation = new Lines(this.querySelector("[data-chart=validation]"), { height: 240 });
    this.onchange = (event) => { if (event.target.name === "all") this.drawSettings(); };
    this.onclick = (event) => {
      const id = event.target.closest("[data-leave]")?.dataset.leave;
      if (id) go({ runs: this.ids.filter((one) => one !== id).join(",") || null });
    };
    this.loop();
  }
  disconnectedCallback() {
    super.disconnectedCallback();
    this.training?.close();
    this.validation?.close();
  }
  get there() { return [...this.known.values()].filter((one) => one.run); }

  async tick() {
    const due = [...this.known.values()].filter((one) => Date.now() >= one.next);
    const grown = await Promise.all(due.map((one) => this.look(one)));
    if (grown.some(Boolean)) {
      this.count(this.there.length);
      this.querySelector(".compared").hidden = !this.there.length;
      const missing = [...this.known.values()].filter((one) => one.gone).map((one) => words.nameOf(one.gone));
      this.draw(".trouble", missing.length ? html`${notice({ what: `${missing.length === 1 ? "One run is" : "Some runs are"} not there any more:`, why: `${missing.join(", ")}.`, next: "A deleted run can be restored." }, "warning")}
        <p class="after"><a class="ft-button" href="?tab=runs&deleted=1" data-go="tab=runs&deleted=1&runs=">See the deleted runs</a></p>` : "");
      await this.drawCurves();
      await this.drawSettings();
    }
    this.drawLegend();
  }
  count(runs) {
    this.draw("h1", runs === 0 ? "No run to compare" : runs === 1 ? "1 run" : `${runs} runs compared`);
  }
  // Asks for what is new of one run; returns whether anything was.
  async look(one) {
    const news = await ask(`/studio/runs/${encodeURIComponent(one.id)}/news?events=${one.at.events}&steps=${one.at.steps}`);
    one.next = Date.now() + REST;
    if (news.gone) { const before = one.gone; one.gone = news.deleted ?? { id: one.id }; one.run = null; return !before; }
    const before = one.run;
    one.gone = null;
    one.run = news.run;
    learn(news.run);
    if (words.isLive(news.run)) one.next = 0;
    one.at = { events: news.events.offset, steps: news.steps.offset };
    const grown = one.curves.take(news.steps.columns), checked = one.curves.takeEvents(news.events.lines);
    if (!one.settings) one.settings = (await ask(`/studio/runs/${encodeURIComponent(one.id)}/settings`).catch(() => ({ settings: [] }))).settings;
    return grown || checked || !before;
  }
  drawLegend() {
    const rows = this.there.map(({ id, run }) => {
      const pen = this.pens.get(id), link = `tab=runs&run=${encodeURIComponent(id)}&runs=`;
      return html`<tr><th scope="row" class="name"><div class="row tight"><i class="line" style="border-top:3px ${pen.dash === "dot" ? "dotted" : pen.dash === "solid" ? "solid" : "dashed"} var(${pen.colour})"></i>
        <a class="clip" href="?${link}" data-go="${link}"><bdi>${words.nameOf(run)}</bdi></a></div></th><td>${words.chip(run)}</td>
        <td class="num right">${words.steps(run)}</td><td class="num right">${words.short(run.loss)}</td><td class="num right">${words.short(words.checked(run))}</td>
        <td class="num right">${words.took(run) ? duration(words.took(run)) : "–"}</td>
        <td class="right"><button type="button" class="ft-button quiet small" data-leave="${id}" aria-label="Leave out ${words.nameOf(run)}">✕</button></td></tr>`;
    });
    this.draw(".legend-rows", html`${rows}`);
  }
  async drawCurves() {
    const there = this.there.filter((one) => one.curves.length);
    const common = ["step", "tokens", "time"].filter((axis) => there.every((one) => one.curves.axes.includes(axis)));
    const axis = this.choices.offer(common), { log, smoothing } = this.choices;
    const line = (one, x, y, more) => ({ name: clipped(words.nameOf(one.run)), x, y, ...this.pens.get(one.id), ...more });
    await this.training.set(there.map((one) => line(one, one.curves.x(axis), smooth(one.curves.columns.loss ?? [], smoothing))), { axis, log });
    const checked = this.there.filter((one) => one.curves.evals.size);
    this.querySelector("[aria-label='Validation loss']").hidden = !checked.length;
    if (checked.length) await this.validation.set(checked.map((one) => line(one, ...one.curves.validation(axis), { points: true })), { axis, log });
  }
  async drawSettings() {
    const there = this.there, rows = new Map();
    for (const one of there) for (const setting of one.settings ?? []) {
      if (setting.key === "name") continue;
      if (!rows.has(setting.key)) rows.set(setting.key, { title: setting.title, help: setting.help, values: new Map() });
      rows.get(setting.key).values.set(one.id, setting.value);
    }
    const differs = ({ values }) => new Set(there.map((one) => values.get(one.id) ?? "–")).size > 1;
    const all = this.querySelector("[name=all]").checked;
    const shown = [...rows.values()].filter((row) => all || differs(row));
    this.draw(".settings-table", shown.length ? html`<table class="${all && "all"}"><thead><tr><th scope="col">Setting</th>${there.map((one) => html`<th scope="col"><span class="row tight"><i class="dot" style="background:var(${this.pens.get(one.id).colour})"></i>
      <bdi class="clip">${words.nameOf(one.run)}</bdi></span></th>`)}</tr></thead><tbody>${shown.map((row) => html`<tr class="${differs(row) ? "differs" : ""}"><th scope="row" title="${row.help}">${row.title}</th>
      ${there.map((one) => html`<td dir="auto">${row.values.get(one.id) ?? "–"}</td>`)}</tr>`)}</tbody></table>` : html`<p class="soft">All settings are equal.</p>`);
  }
}
// Plotly reads a little markup in names, so that there is none left in them.
const clipped = (name) => (name.length > 40 ? `${name.slice(0, 39)}…` : name).replace(/</g, "‹").replace(/>/g, "›");
customElements.define("ft-overlay", Overlay);
