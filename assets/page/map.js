// A dataset in pictures: turns, lengths of answers, languages, rows nearly alike, and a map on which like rows lie near
// each other. A click on a point opens its row.

import { Part, address, ask, go, html, notice, number, tell } from "./base.js";
import { CONFIG, colour, layout, onTheme, plotly } from "./plotly.js";
import { SIDES } from "./turns.js";

const FIRST = ["label", "split", "finding"];
const MOST_COLOURS = 10; // more can't be told apart; the rest is grey
const MOST_BUTTONS = 8; // what else the points may be coloured by is chosen from a list
const MANY = 4000; // points from which on WebGL draws them, where the browser has it
const TAIL = 14; // bars of a small chart
const FEW_BARS = 6; // how many have room in one that has fewer

class Map_ extends Part {
  start() {
    this.name = address().dataset;
    this.path = `/studio/datasets-map/${encodeURIComponent(this.name)}`;
    this.draw(null, html`<div class="stack"><div class="figures-told"></div><div class="grid3 figures"></div>
      <div class="card stack"><div class="spread top"><div><h2>Map</h2><p class="soft words"></p></div><div class="row make"></div></div><div class="told"></div>
        <div class="row tight-row colours" role="group" aria-label="Coloured by"></div><div class="ft-map" hidden><div class="map-plot"></div><ul class="map-legend"></ul></div></div></div>`);
    this.onclick = (event) => this.clicked(event);
    this.onchange = ({ target }) => target.matches(".colours select") && target.value && this.colourBy(target.value);
    this.addEventListener("ft-job-done", (event) => { if (event.detail.status === "finished") this.map(); else this.making(); });
    this.unwatch = onTheme(() => { this.charts(); this.plot(); });
    this.figures();
    this.map();
  }
  disconnectedCallback() {
    super.disconnectedCallback();
    this.unwatch?.();
    for (const place of this.querySelectorAll(".js-plotly-plot")) window.Plotly.purge(place);
  }
  get query() { return address().version ? `?version=${encodeURIComponent(address().version)}` : ""; }

  // ---- Figures ----

  async figures() {
    this.draw(".figures-told", html`<div class="bar unknown" role="progressbar" aria-label="Looking at the rows"><i></i></div>`);
    try {
      this.found = await ask(`${this.path}${this.query}`);
      this.draw(".figures-told", html``);
      this.draw(".figures", this.cards());
      if (this.points !== undefined) this.making();
      await this.charts();
    } catch (error) {
      this.draw(".figures-told", notice(error));
    }
  }
  cards() {
    const { rows, of, compared, turns, answers, languages, clusters, likest } = this.found;
    const part = rows < of ? html`<p class="soft small">Seen on ${number(rows)} of ${number(of)} rows.</p>` : "";
    const chart = (key, title, words) => html`<div class="card"><h2>${title}</h2><div class="chart" data-chart="${key}"></div><p class="soft small">${words}</p>${part}</div>`;
    const spoken = Object.entries(languages), most = Math.max(...spoken.map(([, count]) => count), 1);
    const untold = (languages["too short to tell"] ?? 0) > rows / 2;
    const alike = clusters.reduce((sum, size) => sum + size, 0);
    return html`${Object.keys(turns).length > 1 ? chart("turns", "Turns", "How many turns a row has.") : ""}
      ${answers.length ? chart("answers", "Length of answers", html`Half of the answers have at most <b class="num">${number(half(answers))}</b> characters.`) : ""}
      <div class="card"><h2>Languages</h2>${untold ? html`<p class="soft">Most rows have too few words to tell their language.</p>` : html`<ul class="ft-bars">${spoken.map(([name, count]) => html`<li><span class="clip">${name}</span>
        <i style="--share:${((100 * count) / most).toFixed(1)}%"></i><span class="num">${number(count)}</span></li>`)}</ul>`}${part}</div>
      <div class="card"><h2>Rows nearly alike</h2>${clusters.length
        ? html`<div class="chart" data-chart="clusters"></div><p class="soft small">${number(alike)} rows in ${clusters.length === 1 ? "one group" : `${number(clusters.length)} groups`}; the largest has ${number(clusters[0])}. At least 80 % of their wording is the same.
          <a data-go="row=${likest}&part=map" href="?tab=data&dataset=${encodeURIComponent(this.name)}&row=${likest}">Open one of its rows</a>.</p>`
        : html`<p class="soft">No two rows have 80 % of their wording in common.</p>`}${compared < of ? html`<p class="soft small">Counted in ${number(compared)} of ${number(of)} rows; the doctor counts in all.</p>` : ""}</div>`;
  }
  async charts() {
    if (!this.found) return;
    const { turns, answers, clusters } = this.found;
    const Plotly = await plotly();
    // Whole things are counted, so no axis has a tick between two; few bars are no wider than many would be.
    const whole = (most, ticks) => (most > ticks ? { nticks: ticks } : { tick0: 0, dtick: 1 });
    const bars = (key, x, y, title, hover) => {
      const place = this.querySelector(`[data-chart="${key}"]`);
      const [least, most] = [Math.min(...x), Math.max(...x)], room = Math.max(0, FEW_BARS - (most - least) - 1) / 2;
      if (place) Plotly.react(place, [{ type: "bar", x, y, marker: { color: colour("--soft") }, hovertemplate: hover }],
        layout({ height: 150, bargap: 0.15, margin: { l: 30, r: 4, t: 4, b: 30 }, xaxis: { title: { text: title, standoff: 4 }, showgrid: false, range: [least - 0.5 - room, most + 0.5 + room], ...whole(most - least, 6) }, yaxis: whole(Math.max(...y), 4) }), CONFIG);
    };
    bars("turns", Object.keys(turns).map(Number), Object.values(turns), "turns", "%{x} turns<br>%{y} rows<extra></extra>");
    bars("clusters", clusters.slice(0, TAIL).map((_, at) => at + 1), clusters.slice(0, TAIL), "group", "%{y} rows alike<extra></extra>");
    const place = this.querySelector('[data-chart="answers"]');
    if (place) Plotly.react(place, [{ type: "histogram", x: answers, nbinsx: 24, marker: { color: colour("--soft") }, hovertemplate: "%{x} characters<br>%{y} answers<extra></extra>" }],
      layout({ height: 150, bargap: 0.08, margin: { l: 30, r: 4, t: 4, b: 30 }, xaxis: { title: { text: "characters", standoff: 4 }, showgrid: false, ...whole(span(answers), 6) }, yaxis: { nticks: 4 } }), CONFIG);
  }

  // ---- The map ----

  async map() {
    try {
      const { points, job, by, model } = await ask(`${this.path}/map${this.query}`);
      this.points = points;
      this.by = points && (by === "model" ? `read alike by “${model}”` : "share rare words");
      if (job) this.draw(".told", html`<ft-job data-kind="jobs" data-id="${job}" data-title="Laying out the rows" data-stopped="${points ? "The map below is the one before." : "No map was made."}"></ft-job>`);
      else this.draw(".told", html``);
    } catch (error) {
      this.draw(".told", notice(error));
    }
    this.making();
    await this.plot();
  }
  making() {
    const models = this.found?.models ?? [];
    const busy = this.querySelector(".told ft-job")?.alive;
    this.draw(".make", html`<select class="ft-select" aria-label="Near by"><option value="">Near by shared words</option>${models.map((name) =>
      html`<option value="${name}">Near as “${name}” reads them (slower)</option>`)}</select>
      <button type="button" class="ft-button ${this.points ? "" : "primary"}" data-do="make" ${busy ? html`disabled` : ""}>${this.points ? "Make it anew" : "Make a map"}</button>`);
    this.draw(".words", this.points
      ? html`${number(this.points.length)} rows; those near each other ${this.by}. Click a point to open its row.`
      : html`Lays the rows out so that like ones lie near each other: what stands apart or in a heap is soon seen.`);
  }
  async make() {
    const model = this.querySelector(".make select").value;
    try {
      const { job } = await tell(`${this.path}/map`, { ...(address().version ? { version: Number(address().version) } : {}), ...(model ? { by: "model", model } : {}) });
      this.draw(".told", html`<ft-job data-kind="jobs" data-id="${job}" data-title="Laying out the rows" data-stopped="No map was made."></ft-job>`);
      this.making();
    } catch (error) {
      this.draw(".told", notice(error));
    }
  }
  async plot() {
    const place = this.querySelector(".map-plot");
    this.querySelector(".ft-map").hidden = !this.points;
    if (!this.points) { this.draw(".colours", html``); return; }
    const there = new Set(this.points.flatMap((point) => Object.keys(point.colours)));
    const fields = [...new Set([...FIRST.filter((key) => there.has(key)), ...there])]; // tags come after them, however many
    const field = fields.includes(address().colour) ? address().colour : fields.includes("label") ? "label" : fields[0];
    const name = (key) => (key === "split" ? "Side" : key[0].toUpperCase() + key.slice(1));
    const [buttons, rest] = [fields.slice(0, MOST_BUTTONS), fields.slice(MOST_BUTTONS)];
    this.draw(".colours", html`<div class="sides">${buttons.map((key) => html`<button type="button" data-colour="${key}" aria-pressed="${key === field}">${name(key)}</button>`)}</div>
      ${rest.length ? html`<select class="ft-select" aria-label="Coloured by another tag"><option value="">Another tag</option>${rest.map((key) => html`<option value="${key}" ${key === field ? html`selected` : ""}>${name(key)}</option>`)}</select>` : ""}`);
    const groups = new Map();
    for (const point of this.points) {
      const value = point.colours[field] ?? "";
      groups.set(value, [...(groups.get(value) ?? []), point]);
    }
    const sorted = [...groups].sort((one, other) => other[1].length - one[1].length);
    const named = (value) => (field === "split" ? SIDES[value] ?? value : value || "none");
    const shades = sorted.map((_, at) => (at < MOST_COLOURS ? colour(`--run-${at + 1}`) : colour("--line")));
    const Plotly = await plotly();
    if (!place.isConnected) return;
    await Plotly.react(place, sorted.map(([value, points], at) => ({
      type: this.points.length > MANY && webgl() ? "scattergl" : "scatter", mode: "markers", name: named(value), x: points.map((point) => point.x), y: points.map((point) => point.y),
      customdata: points.map((point) => point.row_id), text: points.map((point) => wrapped(point.text)), marker: { size: 7, opacity: 0.8, color: shades[at] },
      hovertemplate: "%{text}<extra></extra>", hoverlabel: { align: "left" },
    })), layout({ height: 520, margin: { l: 4, r: 4, t: 4, b: 4 }, dragmode: "pan", xaxis: { visible: false, range: [-1.08, 1.08] }, yaxis: { visible: false, range: [-1.08, 1.08] }, uirevision: "map" }),
      { ...CONFIG, scrollZoom: true });
    Plotly.Plots.resize(place);
    place.removeAllListeners?.("plotly_click");
    place.on("plotly_click", ({ points }) => go({ row: points[0].customdata }));
    this.draw(".map-legend", html`${sorted.slice(0, MOST_COLOURS + 1).map(([value, points], at) => html`<li><i style="background:${shades[at]}"></i>
      <span class="clip" dir="auto">${at < MOST_COLOURS ? named(value) : `and ${sorted.length - MOST_COLOURS} more`}</span> <span class="num soft">${number(at < MOST_COLOURS ? points.length
        : sorted.slice(MOST_COLOURS).reduce((sum, [, rest]) => sum + rest.length, 0))}</span></li>`)}`);
  }
  clicked(event) {
    const button = event.target.closest("button");
    if (button?.dataset.do === "make") this.make();
    if (button?.dataset.colour) this.colourBy(button.dataset.colour);
  }
  colourBy(field) { go({ colour: field }, { replace: true }); this.plot(); }
}
customElements.define("ft-map", Map_);

function span(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted.at(-1) - sorted[0];
}
function half(values) { return values.toSorted((a, b) => a - b)[values.length >> 1]; }

// The beginning of a row, in lines for a hover label; Plotly reads a little HTML there, so none is left in it.
function wrapped(text) {
  const plain = text.replace(/[<>&]/g, (sign) => ({ "<": "‹", ">": "›", "&": "+" })[sign]);
  return (plain.match(/.{1,60}(?:\s|$)|\S{60}/gsu) ?? [plain]).slice(0, 3).join("<br>");
}

let able;
function webgl() {
  able ??= Boolean(document.createElement("canvas").getContext("webgl2"));
  return able;
}
