// What the doctor is asked to look at: the model that counts tokens, the cut-off, the goal, the country, benchmarks, and
// what few need.

import { html } from "./base.js";
import { TOKENS } from "./glossary.js";

const GOALS = [["auto", "Find out by itself"], ["task", "One task, such as sorting messages"], ["instructions", "Following instructions of all kinds"]];

// Whose phone numbers may stand without their country code; those that are offered.
const COUNTRIES = ["AT", "AU", "BE", "BR", "CA", "CH", "CZ", "DE", "DK", "ES", "FI", "FR", "GB", "IE", "IN", "IT", "JP", "MX", "NL", "NO", "NZ", "PL", "PT", "SE", "TR", "UA", "US", "ZA"];

// `offered` is what the feed says can be chosen.
export function options(offered, settings) {
  const { models } = offered;
  const option = (value, words, now) => html`<option value="${value}" ${value === now ? html`selected` : ""}>${words}</option>`;
  const measured = models?.length ? html`<div class="sp-field"><label for="dr-model">Model you will train</label><select id="dr-model" name="model" class="ft-input">${models.map((name) => option(name, name, settings.model ?? models[0]))}</select>
      <p class="form-help">Rows are measured in its tokens: ${TOKENS}.</p></div>
    <div class="sp-field"><label for="dr-cutoff">Cut off after (tokens)</label><input id="dr-cutoff" name="cutoff" class="ft-input num" type="number" min="8" max="1000000" value="${settings.cutoff ?? 1024}">
      <p class="form-help">Training reads a row up to here; what lies beyond is not learned. 1,024 tokens are some 700 English words.</p></div>`
    : "";
  const unmeasured = measured ? "" : html`<p class="soft small">There is no model on this machine yet, so whether rows are too long for one is not looked at.</p>`;
  return html`<form class="stack dr-options"><div class="sp-fields">${measured}<div class="sp-field"><label for="dr-goal">What the model shall learn</label><select id="dr-goal" name="goal" class="ft-input">${GOALS.map(([value, words]) => option(value, words, settings.goal ?? "auto"))}</select>
      <p class="form-help">Decides how many rows are enough and how varied they should be.</p></div>
    <div class="sp-field"><label for="dr-country">Country of the phone numbers</label><select id="dr-country" name="country" class="ft-input">${option("auto", "That of the rows’ main language", settings.country ?? "auto")}${countries(settings.country).map(([code, name]) => option(code, name, settings.country))}</select>
      <p class="form-help">Numbers with their country code are found wherever they are from; those without, where they are written as in this country.</p></div></div>${unmeasured}
    <details class="fold" ${settings.benchmark?.length ? html`open` : ""}><summary>Compare with benchmark files</summary><label class="field"><span>Files on this machine that must not be trained on (MMLU, GSM8K …), one a line; FILE:COLUMN for one column</span>
      <textarea name="benchmark" rows="2" spellcheck="false" placeholder="/data/gsm8k-test.jsonl:question">${"\n"}${(settings.benchmark ?? []).join("\n")}</textarea></label></details>
    ${advanced(offered, settings, option)}
    <div><button class="ft-button primary">Look at the rows</button></div></form>`;
}
// What few need, in the words of the command's help.
function advanced({ models, templates, families, advanced: about }, { template, similarity = 0.8, leave_out: left = [] }, option) {
  const field = (name, input) => html`<div class="sp-field"><label for="dr-${name}">${about[name].title}</label>${input}<p class="form-help">${about[name].help}</p></div>`;
  return html`<details class="fold" ${template || similarity !== 0.8 || left.length ? html`open` : ""}><summary>More settings</summary><div class="sp-fields dr-advanced">
    ${models?.length ? field("template", html`<select id="dr-template" name="template" class="ft-input">${option("", "The model’s own", template ?? "")}${templates.map((name) => option(name, name, template))}</select>`) : ""}
    ${field("similarity", html`<input id="dr-similarity" name="similarity" class="ft-input num" type="number" min="0.6" max="1" step="any" value="${similarity}">`)}
    </div><fieldset class="sp-field dr-leave-out"><legend>${about.leave_out.title}</legend><p class="form-help">${about.leave_out.help.split(":")[0]}.</p><div class="dr-families">${Object.entries(families).map(([name, titles]) =>
      html`<label class="ft-check"><input type="checkbox" name="leave_out" value="${name}" ${left.includes(name) ? html`checked` : ""}><span>${name[0].toUpperCase()}${name.slice(1)} <span class="soft small">${titles.join(", ")}</span></span></label>`)}</div></fieldset></details>`;
}
function countries(chosen) {
  const names = new Intl.DisplayNames("en", { type: "region" });
  const codes = COUNTRIES.includes(chosen) || !chosen || chosen === "auto" ? COUNTRIES : [...COUNTRIES, chosen];
  return codes.map((code) => [code, names.of(code)]).sort(([, one], [, other]) => one.localeCompare(other));
}
export function read(form) {
  const { model, cutoff, goal, country, benchmark, template, similarity } = form.elements;
  return {
    model: model?.value,
    cutoff: cutoff ? Number(cutoff.value) || 1024 : undefined,
    goal: goal.value,
    country: country.value,
    benchmark: benchmark.value.split("\n").map((line) => line.trim()).filter(Boolean),
    template: template?.value,
    similarity: Number(similarity.value) || undefined,
    leave_out: [...form.querySelectorAll("[name=leave_out]:checked")].map((box) => box.value),
  };
}
