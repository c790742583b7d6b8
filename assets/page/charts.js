// Curves that grow: thousands of points drawn as the few a screen can show, zoom kept while new ones come.

import { CONFIG, colour, layout, onTheme, plotly } from "./plotly.js";

const BUCKETS = 900;

// Lines in one chart. A series: {name, x, y, colour: "--tuned", dash, width, faint, points, ring}.
export class Lines {
  constructor(place, { digits = 4, height = 200, titled = true } = {}) {
    Object.assign(this, { place, digits, height, titled, series: [], axis: "step", log: false, range: null });
    this.place.style.height = `${height}px`;
    this.unwatch = onTheme(() => this.draw());
    this.sizes = new ResizeObserver(() => this.drawn && this.place.offsetWidth && window.Plotly.Plots.resize(this.place));
    this.sizes.observe(place);
  }
  close() {
    this.closed = true;
    this.unwatch();
    this.sizes.disconnect();
    if (this.drawn) window.Plotly.purge(this.place);
  }
  set(series, { axis = "step", log = false } = {}) {
    if (axis !== this.axis || log !== this.log) this.range = null;
    Object.assign(this, { series, axis, log });
    return this.draw();
  }
  async draw() {
    const Plotly = await plotly();
    if (this.closed || !this.place.isConnected) return;
    await Plotly.react(this.place, this.series.map((one) => this.trace(one)), this.layout(), CONFIG);
    if (!this.drawn) {
      this.drawn = true;
      this.place.on("plotly_relayout", (change) => this.zoomed(change));
    }
  }
  trace(one) {
    // Copies: Plotly takes an array that is the same one as before for unchanged, however much it grew.
    const [x, y] = (one.points ? [one.x, one.y] : thin(one.x, one.y, this.range)).map((list) => [...list]);
    return {
      type: "scatter", x, y, name: one.name, mode: one.points ? "lines+markers" : "lines", connectgaps: false,
      opacity: one.faint ? 0.28 : 1, hoverinfo: one.faint ? "skip" : undefined,
      hovertemplate: one.faint ? undefined : `%{y:.${this.digits}~g}`,
      line: { color: colour(one.colour), width: one.width ?? (one.faint ? 1 : 2), dash: one.dash ?? "solid" },
      marker: one.ring ? { size: 14, symbol: "circle-open", line: { width: 2 }, color: colour(one.colour) } : { size: 6, color: colour(one.colour) },
    };
  }
  layout() {
    const unit = { step: "step", tokens: "tokens", time: "minutes of training" }[this.axis];
    return layout({
      height: this.height,
      hovermode: "x unified",
      uirevision: `${this.axis} ${this.log}`,
      margin: { l: 50, r: 12, t: 8, b: this.titled ? 38 : 24 },
      xaxis: { title: this.titled ? { text: unit, standoff: 8 } : undefined, nticks: this.titled ? 12 : 5, exponentformat: "none", separatethousands: true, hoverformat: ",.6~r", ...this.width() },
      yaxis: { type: this.log ? "log" : "linear", exponentformat: "e", minexponent: 4, nticks: this.titled ? 7 : 4, ...this.level() },
    });
  }
  // Before the first step there is one point, at 0, and no step lies to the left of it.
  width() {
    return this.series.every((one) => one.x.every((x) => x === 0)) ? { range: [0, 1], dtick: 1 } : {};
  }
  // Room around a line that never moves, which has no range of its own.
  level() {
    let low = Infinity, high = -Infinity;
    for (const one of this.series) for (const value of one.y) if (value !== null) { low = Math.min(low, value); high = Math.max(high, value); }
    if (low !== high || this.log) return {};
    return { range: low ? [low - Math.abs(low) / 2, low + Math.abs(low) / 2] : [-1, 1] };
  }
  // After a zoom the part that is seen is drawn from all of its points.
  zoomed(change) {
    if (!Object.keys(change).some((key) => key.startsWith("xaxis."))) return;
    const { autorange, range } = this.place.layout.xaxis;
    this.range = autorange ? null : range.map(Number);
    this.draw();
  }
}

// The lowest and the highest of each bucket, so that no spike is lost; outside the range a point now and then is enough.
export function thin(x, y, range) {
  if (x.length <= 2 * BUCKETS) return [x, y];
  let from = 0, to = x.length;
  if (range) {
    from = Math.max(0, at(x, range[0]) - 1);
    to = Math.min(x.length, at(x, range[1]) + 2);
  }
  const keep = [];
  const coarse = (a, b) => { for (let i = a; i < b; i += Math.max(1, Math.ceil(x.length / 200))) keep.push(i); };
  coarse(0, from);
  const width = Math.max(1, (to - from) / BUCKETS);
  for (let start = from; start < to; start += width) {
    const end = Math.min(to, Math.floor(start + width));
    let low = -1, high = -1;
    for (let i = Math.floor(start); i < end; i += 1) {
      if (y[i] === null) continue;
      if (low < 0 || y[i] < y[low]) low = i;
      if (high < 0 || y[i] > y[high]) high = i;
    }
    if (low >= 0) keep.push(...(low === high ? [low] : [Math.min(low, high), Math.max(low, high)]));
  }
  coarse(to, x.length);
  const last = x.length - 1;
  if (keep.at(-1) !== last) keep.push(last);
  return [keep.map((i) => x[i]), keep.map((i) => y[i])];
}

// The first place in a rising list whose value is not below `value`.
export function at(list, value) {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

// An exponential mean without the drag of its beginning; gaps stay gaps.
export function smooth(y, weight) {
  if (!weight) return y;
  let mean = 0, share = 1;
  return y.map((value) => {
    if (value === null) return null;
    mean = weight * mean + (1 - weight) * value;
    share *= weight;
    return mean / (1 - share);
  });
}

// The logged steps of one run, grown chunk by chunk.
export class Curves {
  constructor() { this.columns = { step: [] }; this.evals = new Map(); }
  get length() { return this.columns.step.length; }
  has(name) { return name in this.columns; }

  // Takes columns from /steps; a step that comes again takes back what an earlier life logged from there on.
  take(columns) {
    const fresh = columns.step ?? [];
    if (!fresh.length) return false;
    const keep = at(this.columns.step, fresh[0]);
    for (const name of Object.keys(columns)) this.columns[name] ??= new Array(this.length).fill(null);
    for (const [name, kept] of Object.entries(this.columns)) {
      kept.length = keep;
      const added = columns[name];
      for (let i = 0; i < fresh.length; i += 1) kept.push(added ? added[i] : null);
    }
    this.sums = {};
    return true;
  }
  // Takes `eval` events; returns whether there was one.
  takeEvents(lines) {
    const found = lines.filter((line) => line.type === "eval" && Number.isInteger(line.step));
    for (const line of found) this.evals.set(line.step, line.loss ?? null);
    return found.length > 0;
  }
  // The horizontal axes that these lines can be drawn over.
  get axes() { return ["step", ...(this.has("tokens") ? ["tokens"] : []), ...(this.has("seconds") ? ["time"] : [])]; }
  x(axis) {
    const name = { tokens: "tokens", time: "seconds" }[axis];
    if (!name || !this.has(name)) return this.columns.step;
    this.sums ??= {};
    if (!this.sums[axis]) {
      let sum = 0;
      this.sums[axis] = this.columns[name].map((value) => { sum += (value ?? 0) / (axis === "time" ? 60 : 1); return sum; });
    }
    return this.sums[axis];
  }
  get evalSteps() { return [...this.evals.keys()].sort((a, b) => a - b); }
  // Validation losses as [x, y] in the order of their steps.
  validation(axis) {
    const steps = this.evalSteps;
    const x = this.x(axis);
    const places = axis === "step" ? steps : steps.map((step) => (step === 0 ? 0 : x[Math.min(at(this.columns.step, step), x.length - 1)] ?? 0));
    return [places, steps.map((step) => this.evals.get(step))];
  }
  last(name) { return this.columns[name]?.findLast((value) => value !== null) ?? null; }
}
