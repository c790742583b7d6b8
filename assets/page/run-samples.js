// How the answers to the same validation rows change while a run learns.

import { html } from "./base.js";

export class Samples {
  constructor(place) {
    this.place = place;
    this.byStep = new Map();
    this.chosen = null; // null: that of the result, and until there is one the latest, whatever it is
    this.result = null; // the step whose weights the run left behind
    place.addEventListener("input", (event) => {
      if (event.target.name !== "sample-step") return;
      const steps = this.steps, at = Number(event.target.value);
      this.chosen = at === steps.length - 1 && this.result === null ? null : steps[at];
      this.draw();
    });
  }
  // Takes lines of samples.jsonl; one that is written again after a resume replaces the earlier one.
  take(lines) {
    for (const line of lines) {
      if (!Number.isInteger(line.step)) continue;
      if (!this.byStep.has(line.step)) this.byStep.set(line.step, new Map());
      this.byStep.get(line.step).set(line.row_id, line);
    }
    if (lines.length || !this.place.drawn) this.draw();
  }
  mark(step) {
    if (step === this.result) return;
    this.result = step;
    this.draw();
  }
  get steps() { return [...this.byStep.keys()].sort((a, b) => a - b); }
  draw() {
    const { steps, place } = this;
    if (!steps.length) {
      place.drawn = true;
      place.innerHTML = html`<h2>Sample answers</h2><p class="soft">At each check the model answers the same few validation rows, from which it does not learn, so that you can see it change.
        The first ones come with the first check.</p>`;
      return;
    }
    if (!place.querySelector("table")) this.frame();
    const chosen = steps.indexOf(this.chosen ?? this.result), at = chosen < 0 ? steps.length - 1 : chosen, step = steps[at];
    const kept = step === this.result ? ", the result" : "";
    const slider = place.querySelector("input");
    slider.max = steps.length - 1;
    slider.value = at;
    slider.setAttribute("aria-valuetext", `step ${step}${kept}`);
    slider.closest("label").hidden = steps.length < 2;
    const first = steps[0] === 0 && step !== 0 ? this.byStep.get(0) : null;
    place.querySelector("output").textContent = step === 0 ? "before training" : `after step ${step}${kept}`;
    const cell = (text, kind = "") => html`<td><div class="answer ${kind}" dir="auto">${text || "(empty)"}</div></td>`;
    place.querySelector("thead").innerHTML = html`<tr><th scope="col">Prompt</th><th scope="col">Expected answer</th>
      ${first && html`<th scope="col" class="base-ink">Before training</th>`}<th scope="col" class="${step === 0 ? "base-ink" : "tuned-ink"}">${step === 0 ? "Before training" : `At step ${step}${kept}`}</th></tr>`;
    place.querySelector("tbody").innerHTML = html`${[...this.byStep.get(step).values()].map((line) => html`<tr>${cell(line.prompt)}${cell(line.expected)}
      ${first && cell(first.get(line.row_id)?.answer, "base")}${cell(line.answer, step === 0 ? "base" : "tuned")}</tr>`)}`;
  }
  frame() {
    this.place.innerHTML = html`<div class="spread"><h2>Sample answers</h2>
      <label class="row small"><output></output><input type="range" name="sample-step" min="0" step="1" aria-label="Step of the sample answers"></label></div>
      <div class="scroll"><table class="samples"><thead></thead><tbody></tbody></table></div>`;
  }
}
