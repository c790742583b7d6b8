// Instructions and settings of answers: the fields below the question, kept in this browser.
// `settings` are those of studio/settings/answering.py by name, as JSON schema tells them.

import { html } from "./base.js";
import { keep, recall } from "./remember.js";

const ADVANCED = ["top_p", "top_k", "seed", "stop_repeats"];
const STEPS = { temperature: "0.1", top_p: "0.05" };

export class AnswerOptions {
  constructor(settings) {
    this.settings = settings;
  }
  has(name) { return name in this.settings; }
  switches(name) { return this.settings[name].type === "boolean"; }
  value(name) { return recall(`answer-${name}`, this.settings[name].default ?? ""); }
  put(name, value) { keep(`answer-${name}`, value ?? this.settings[name].default ?? ""); }
  // What a field holds now; what can't be used counts as the default.
  take(field) {
    if (field.type === "checkbox") this.put(field.name, field.checked);
    else this.put(field.name, field.value === "" || !field.validity.valid ? null : Number(field.value));
  }

  // As the engine takes them: numbers and switches, without those that are left to the model.
  chosen() {
    const filled = Object.keys(this.settings).map((name) => [name, this.value(name)]).filter(([, value]) => value !== "" && value !== null && value !== undefined);
    return Object.fromEntries(filled.map(([name, value]) => [name, this.switches(name) ? value === true : Number(value)]));
  }
  // Those that differ from what they are by themselves, in words.
  changed() {
    return Object.keys(this.settings).filter((name) => String(this.value(name)) !== String(this.settings[name].default ?? ""))
      .map((name) => `${this.settings[name].title.toLowerCase()} ${this.switches(name) ? (this.value(name) ? "on" : "off") : this.value(name)}`);
  }
  form(system) {
    const basic = Object.keys(this.settings).filter((name) => !ADVANCED.includes(name));
    return html`<details class="fold options"><summary class="small">Instructions and settings <span class="soft" data-changed></span></summary><div class="inside">
      <label class="field"><span>Instructions (system prompt) for this conversation</span>
        <textarea name="system" rows="2" dir="auto" placeholder="Left empty: those the model’s own template brings along, if any">${"\n"}${system}</textarea></label>
      <div class="fields">${basic.map((name) => this.field(name))}</div>
      <details class="fold"><summary class="small soft">Advanced</summary><div class="fields">${ADVANCED.filter((name) => this.has(name)).map((name) => this.field(name))}</div></details>
      <p class="soft small">Both sides get the same prompt, instructions, seed and settings.</p></div></details>`;
  }
  field(name) {
    const one = this.settings[name], top = one.exclusiveMaximum > 1e9 ? "" : one.maximum ?? "";
    if (this.switches(name)) return html`<label class="check small" title="${one.description}"><input type="checkbox" name="${name}" ${this.value(name) ? html`checked` : ""}> ${one.title}</label>`;
    return html`<label class="field"><span>${one.title}</span><input type="number" name="${name}" step="${STEPS[name] ?? "1"}" min="${one.minimum ?? ""}" max="${top}"
      value="${this.value(name)}" placeholder="${one.default ?? 256}" title="${one.description}"></label>`;
  }
}
