// Makes a form that ui/form.py drew live: reads it as one object, fills it, searches it, and shows beside each field
// the value that was chosen for it, why, and what is wrong.

import { html, notice } from "./base.js";

const NONE = new Set();

export class Form {
  // `root` holds the fields; `changed` is called after every change of a value by the person.
  constructor(root, changed) {
    this.root = root;
    this.changed = changed;
    this.fields = new Map([...root.querySelectorAll(".form-field")].map((node) => [node.dataset.path, node]));
    this.chosen = {};
    this.all = false;
    this.words = "";
    root.addEventListener("input", (event) => this.edited(event.target));
    root.addEventListener("change", (event) => event.target.matches("[type=checkbox], [type=radio]") && this.edited(event.target));
    root.addEventListener("click", (event) => this.clicked(event.target));
    this.arrange();
  }
  edited(target) {
    if (!target.closest(".form-field")) return;
    this.arrange();
    this.changed();
  }
  clicked(target) {
    const field = target.closest(".form-reset")?.closest(".form-field");
    if (!field) return;
    this.put(field, field.dataset.default ?? "");
    this.arrange();
    this.changed();
    field.querySelector("input")?.focus();
  }

  // ---- Values ----

  // What one field holds, as text; "" when it is left to be chosen.
  text(field) {
    const { kind } = field.dataset;
    if (kind === "switch") return field.querySelector("input").checked ? "true" : "false";
    if (kind === "choice") return field.querySelector("input:checked")?.value ?? "";
    return field.querySelector("input").value.trim();
  }
  put(field, text) {
    const { kind } = field.dataset;
    if (kind === "switch") field.querySelector("input").checked = text === "true";
    else if (kind === "choice") for (const input of field.querySelectorAll("input")) input.checked = input.value === text;
    else field.querySelector("input").value = text;
  }
  isDefault(field) {
    const text = this.text(field), given = field.dataset.default ?? "";
    return text === given || text === "" || (isNumber(field) && text !== "" && Number(text) === Number(given || NaN));
  }
  variant(of) {
    const field = this.fields.get(`${of}.name`);
    return (field && this.text(field)) || this.chosen[of]?.name || "";
  }
  applies(field) {
    const { path, variants } = field.dataset;
    return !variants || variants.split(" ").includes(this.variant(path.split(".")[0]));
  }
  // Only what differs from what is chosen by itself, nested as in settings.json.
  values() {
    const found = {};
    for (const [path, field] of this.fields) {
      if (this.isDefault(field) || !this.applies(field)) continue;
      const text = this.text(field);
      const value = isSwitch(field) ? text === "true" : isNumber(field) && text !== "" && isFinite(text) ? Number(text) : text;
      const [first, second] = path.split(".");
      if (second) (found[first] ??= {})[second] = value;
      else found[first] = value;
    }
    return found;
  }
  // Puts settings in; fields they do not name get their defaults, except those to be kept.
  fill(settings, { keep = NONE } = {}) {
    for (const [path, field] of this.fields) {
      if (keep.has(path) || keep.has(path.split(".")[0])) continue;
      const value = path.split(".").reduce((place, key) => place?.[key], settings);
      this.put(field, value === undefined || value === null ? (field.dataset.default ?? "") : String(value));
    }
    this.arrange();
  }
  // Changes only what is named; null leaves a field to be chosen again.
  lay(changes) {
    for (const [path, field] of this.fields) {
      const value = path.split(".").reduce((place, key) => place?.[key], changes);
      if (value !== undefined) this.put(field, value === null ? (field.dataset.default ?? "") : String(value));
    }
    this.arrange();
  }

  // ---- What is shown ----

  show({ all = this.all, words = this.words }) {
    this.all = all;
    this.words = words.trim().toLowerCase();
    return this.arrange();
  }
  // Shows the fields that apply and are wanted; returns how many there are.
  arrange() {
    let count = 0;
    for (const field of this.fields.values()) {
      const found = this.words.split(/\s+/).every((word) => field.dataset.words.includes(word));
      const wanted = field.closest("[data-always]") ? true : this.words ? found : this.all || field.dataset.level === "basic" || this.told(field);
      field.hidden = !(wanted && this.applies(field));
      count += !field.hidden;
      field.querySelector(".form-reset").hidden = this.isDefault(field);
      field.classList.toggle("is-set", !this.isDefault(field));
      const about = field.querySelector(".form-about");
      if (about) about.textContent = field.querySelector("input:checked")?.dataset.about ?? "";
      if (field.dataset.why) field.querySelector(".form-chosen").textContent = this.isDefault(field) ? field.dataset.why : "";
    }
    for (const group of this.root.querySelectorAll(".form-group")) {
      group.hidden = !group.querySelector(".form-field:not([hidden])");
    }
    return count;
  }
  told(field) {
    return field.querySelector(".form-problems").childElementCount > 0 || (field.dataset.level !== "basic" && !this.isDefault(field));
  }
  // The values chosen for empty fields, each with its reason.
  explain(settings, reasons) {
    this.chosen = settings ?? {};
    for (const [path, field] of this.fields) {
      const place = field.querySelector(".form-chosen");
      const reason = reasons[path] ?? (path.endsWith(".name") ? reasons[path.split(".")[0]] : undefined);
      const value = path.split(".").reduce((at, key) => at?.[key], this.chosen);
      const input = field.querySelector("input[type=text]");
      const open = this.text(field) === "";
      const none = value === null || value === undefined; // chosen by another field, as the reason says
      if (input) input.placeholder = open && !none ? shown(value) : field.dataset.default || (open && reason ? "–" : "automatic");
      if (field.dataset.why) continue; // it is the same for every dataset and machine
      place.innerHTML = open && reason ? html`${none ? "" : html`<span class="form-value">${shown(this.named(field, value))}</span> `}${reason}` : "";
    }
    this.arrange();
  }
  named(field, value) {
    const radio = [...field.querySelectorAll("input[type=radio]")].find((input) => input.value === String(value));
    return radio ? radio.parentElement.textContent : value;
  }
  // Problems beside their fields; returns those that belong to no field here.
  complain(problems) {
    for (const [path, field] of this.fields) {
      const own = problems.filter((problem) => problem.field === path);
      const place = field.querySelector(".form-problems");
      const text = String(html`${own.map((problem) => notice(problem, problem.level))}`);
      if (place.drawn !== text) { place.drawn = text; place.innerHTML = text; }
      const wrong = own.some((problem) => problem.level === "error");
      for (const input of field.querySelectorAll("input")) input.setAttribute("aria-invalid", wrong);
      field.classList.toggle("is-wrong", wrong);
    }
    this.arrange();
    return problems.filter((problem) => !this.fields.has(problem.field));
  }
  // Brings a field into view and puts the cursor into it.
  go(path) {
    const field = this.fields.get(path);
    if (!field) return false;
    field.hidden = false;
    field.closest(".form-group")?.removeAttribute("hidden");
    field.scrollIntoView({ block: "center" });
    (field.querySelector("input:checked") ?? field.querySelector("input")).focus();
    return true;
  }
}

// A switch that may be left to be chosen is drawn as a choice of the two.
const isSwitch = (field) => field.dataset.kind === "switch" || (field.dataset.kind === "choice" && field.querySelector("input[value=true]") !== null);
const isNumber = (field) => field.dataset.kind === "whole" || field.dataset.kind === "number";
function shown(value) {
  return typeof value === "number" ? String(Number(value.toPrecision(6))) : String(value);
}
