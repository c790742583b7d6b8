// The curves of one run: losses large, the rest small below, with smoothing, scale and axis to choose.

import { html, number } from "./base.js";
import { Lines, smooth } from "./charts.js";
import { plotly } from "./plotly.js";
import { keep, recall } from "./remember.js";
import { short } from "./run-words.js";

const AXES = { step: "Steps", tokens: "Tokens", time: "Time" };
const LOSS_HEIGHT = 300, SMALL_HEIGHT = 130;
const SMALL = [
  { key: "learning_rate", title: "Learning rate", about: "how far a step moves the model", say: (value) => short(value, 3) },
  { key: "grad_norm", title: "Gradient norm", about: "how strongly the rows pull; steady is good", say: (value) => short(value, 3) },
  { key: "tokens_per_second", title: "Tokens per second", about: "pieces of text read", say: (value) => number(value) },
  { key: "memory_gb", title: "Memory", about: "taken by the run", say: (value) => `${short(value, 3)} GB` },
  { key: "gpu_memory_gb", title: "GPU memory", about: "taken on the graphics card", say: (value) => `${short(value, 3)} GB` },
  { key: "gpu_use", title: "GPU in use", about: "how busy the graphics card is", say: (value) => `${short(value, 3)} %` },
];
// Those that every run has, on any machine.
const USUAL = SMALL.filter((one) => !one.key.startsWith("gpu_"));

// The choices above a loss chart; `changed` is called when one is made.
export class Choices {
  constructor(place, changed) {
    this.place = place;
    this.smoothing = recall("smoothing", 0.6);
    this.log = recall("log", false);
    this.axis = recall("axis", "step");
    place.innerHTML = html`<label>Smoothing <input type="range" name="smoothing" min="0" max="0.98" step="0.02" value="${this.smoothing}"></label>
      <label>Over <select class="ft-select" name="axis"></select></label>
      <label><input type="checkbox" name="log" ${this.log ? html`checked` : ""}> Log scale</label>`;
    place.oninput = (event) => {
      const { name, type, checked, value } = event.target;
      this[name] = type === "checkbox" ? checked : type === "range" ? Number(value) : value;
      keep(name, this[name]);
      changed();
    };
  }
  // The axis chosen, if these curves have it.
  offer(axes) {
    const select = this.place.querySelector("select"), text = axes.join(" ");
    if (this.offered !== text) {
      this.offered = text;
      select.innerHTML = html`${axes.map((axis) => html`<option value="${axis}">${AXES[axis]}</option>`)}`;
      select.closest("label").hidden = axes.length < 2;
    }
    select.value = axes.includes(this.axis) ? this.axis : "step";
    return select.value;
  }
}

export class RunCurves {
  constructor(place, curves) {
    this.place = place;
    this.curves = curves;
    this.charts = new Map();
    this.result = null; // the step whose weights the run left behind
    plotly().catch(() => {}); // on its way while the steps are; the first chart says it if it does not come
    place.innerHTML = html`<section class="card" aria-label="Loss"><div class="spread chart-head"><h2>Loss</h2><div class="row small choices"></div></div>
        <p class="soft small curve-about">How far the answers still are from the wanted ones: lower is better. Training is measured on the rows that are learned, validation on rows that are not;
          where only the training loss goes on falling, the rows are being learned by heart.</p>
        <div class="row small legend"><span><i class="line tuned"></i>Training</span><span><i class="line ink"></i>Validation</span>
          <span class="kept" hidden><i class="ring"></i>The result</span>
          <span class="soft">Drag to zoom, double-click to see all.</span></div>
        <div class="plot" data-chart="loss"></div><p class="soft waiting">The curve begins with the first step.</p></section>
      <div class="minis"></div>`;
    this.choices = new Choices(place.querySelector(".choices"), () => this.draw());
  }
  close() { for (const chart of this.charts.values()) chart.close(); }
  // Returns whether that is new.
  mark(step) {
    const fresh = step !== this.result;
    this.result = step;
    return fresh;
  }
  // `expected`: whether steps are still to come. Their charts have their room before, so that nothing below them jumps.
  async draw(expected = this.expected) {
    const { curves } = this;
    this.expected = expected;
    const empty = !curves.length && !curves.evals.size;
    const waiting = this.place.querySelector(".waiting");
    waiting.hidden = !empty;
    waiting.style.minHeight = expected ? `${LOSS_HEIGHT}px` : "";
    this.place.querySelector(".plot").hidden = empty;
    const axis = this.choices.offer(curves.axes);
    if (!curves.length) this.frames(expected ? USUAL : []);
    if (empty) return;
    const log = this.choices.log, x = curves.x(axis);
    this.place.querySelector(".kept").hidden = !curves.evals.has(this.result);
    await this.chart("loss", { height: LOSS_HEIGHT }).set(losses(curves, axis, this.choices.smoothing, this.result), { axis, log });
    if (!curves.length) return;
    const there = SMALL.filter((one) => curves.has(one.key));
    this.frames(there);
    for (const one of there) {
      this.place.querySelector(`[data-now="${one.key}"]`).textContent = one.say(curves.last(one.key));
      await this.chart(one.key, { height: SMALL_HEIGHT, titled: false }).set([{ name: one.title, x, y: curves.columns[one.key], colour: "--soft", width: 1.5 }], { axis });
    }
  }
  frames(there) {
    const text = there.map((one) => one.key).join(" ");
    if (this.framed === text) return;
    this.framed = text;
    for (const [key, chart] of this.charts) if (key !== "loss") { chart.close(); this.charts.delete(key); }
    this.place.querySelector(".minis").innerHTML = html`${there.map((one) => html`<section class="card" aria-label="${one.title}">
      <div class="spread"><h3>${one.title}</h3><span class="num soft" data-now="${one.key}">–</span></div><p class="soft small">${one.about}</p><div class="plot" data-chart="${one.key}" style="height:${SMALL_HEIGHT}px"></div></section>`)}`;
  }
  chart(key, options) {
    if (!this.charts.has(key)) this.charts.set(key, new Lines(this.place.querySelector(`[data-chart="${key}"]`), options));
    return this.charts.get(key);
  }
}

function losses(curves, axis, smoothing, result) {
  const x = curves.x(axis), y = curves.columns.loss ?? [], [steps, values] = curves.validation(axis);
  const kept = curves.evalSteps.indexOf(result);
  const smoothed = smoothing && y.length > 2 ? smooth(y, smoothing) : null;
  return [
    smoothed && { name: "Each step", x, y, colour: "--tuned", faint: true },
    { name: "Training", x, y: smoothed ?? y, colour: "--tuned" },
    values.length && { name: "Validation", x: steps, y: values, colour: "--ink", points: true, width: 1.5 },
    kept >= 0 && { name: "The result", x: [steps[kept]], y: [values[kept]], colour: "--ink", points: true, ring: true },
  ].filter(Boolean);
}
