// What the doctor is asked to look at: the model that counts tokens, the cut-off, the goal, benchmarks.

import { html } from "./base.js";

const GOALS = [["auto", "Find out by itself"], ["task", "One task"], ["instructions", "Following instructions of all kinds"]];

export function options(models, settings) {
  const option = (value, words, now) => html`<option value="${value}" ${value === now ? html`selected` : ""}>${words}</option>`;
  const model = models?.length ? html`<label class="field"><span>Tokens of</span><select name="model">${models.map((name) => option(name, name, settings.model ?? models[0]))}</select></label>
    <label class="field"><span>Cut off after (tokens)</span><input name="cutoff" type="number" min="8" max="1000000" value="${settings.cutoff ?? 1024}"></label>`
    : html`<p class="soft small">There is no model yet, so rows are not measured in tokens.</p>`;
  return html`<form class="stack dr-options"><div class="row fields-row">${model}<label class="field"><span>The goal</span><select name="goal">${GOALS.map(([value, words]) => option(value, words, settings.goal ?? "auto"))}</select></label></div>
    <details class="fold" ${settings.benchmark?.length ? html`open` : ""}><summary>Compare with benchmark files</summary><label class="field"><span>Files on this machine that must not be trained on (MMLU, GSM8K …), one a line; FILE:COLUMN for one column</span>
      <textarea name="benchmark" rows="2" spellcheck="false" placeholder="/data/gsm8k-test.jsonl:question">${"\n"}${(settings.benchmark ?? []).join("\n")}</textarea></label></details>
    <div><button class="ft-button primary">Look at the rows</button></div></form>`;
}
export function read(form) {
  const { model, cutoff, goal, benchmark } = form.elements;
  return {
    model: model?.value,
    cutoff: cutoff ? Number(cutoff.value) || 1024 : undefined,
    goal: goal.value,
    benchmark: benchmark.value.split("\n").map((line) => line.trim()).filter(Boolean),
  };
}
