// What is wrong with a field is said under it, in the studio's words, until it is put right.
//
// A name that is too long is not cut: a field says how many characters there is room for (data-most="80"), and until it
// is shorter nothing is done with it. What the browser finds missing or out of bounds when a form is sent stands in the
// same place, not in a bubble in the browser's own language; a field says in `data-needs` what belongs into it.

import { html, number } from "./base.js";

const told = new WeakMap(); // field → the words under it
let count = 0;

const over = (field) => [...field.value.trim()].length > Number(field.dataset.most ?? Infinity);

function say(field, markup) {
  const text = String(markup);
  let words = told.get(field);
  if (!words?.isConnected) {
    words = document.createElement("p");
    words.className = "field-fault";
    words.id = `field-fault-${(count += 1)}`;
    words.setAttribute("role", "alert");
    place(field, words);
    told.set(field, words);
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-errormessage", words.id);
  }
  if (words.innerHTML !== text) words.innerHTML = text;
}
function unsay(field) {
  if (!told.has(field)) return;
  told.get(field).remove();
  told.delete(field);
  for (const name of ["aria-invalid", "aria-errormessage"]) field.removeAttribute(name);
}
// Below the field; in a row of fields below the whole row, and never inside a label, whose name it would become.
function place(field, words) {
  const label = field.closest("label");
  const parent = (label ?? field).parentElement;
  if (getComputedStyle(parent).display.includes("flex") && getComputedStyle(parent).flexDirection === "row") parent.append(words);
  else (label ?? field).after(words);
}

function look(field) {
  if (!over(field)) { unsay(field); return; }
  say(field, html`<strong>This is too long.</strong> It has ${number([...field.value.trim()].length)} characters; there is room for ${number(Number(field.dataset.most))}. Shorten it: nothing is cut off by itself.`);
}
// The first field in `place` that has too much in it; its words are shown, and it gets the focus.
export function tooLong(place) {
  const field = [...place.querySelectorAll("[data-most]")].find((one) => one.checkVisibility() && over(one));
  if (field) { look(field); field.focus(); }
  return Boolean(field);
}
function lack({ validity, dataset, min, max, step, minLength }) {
  if (validity.valueMissing || validity.badInput) return dataset.needs ?? "Fill this in first.";
  if (validity.tooShort) return `At least ${number(minLength)} characters are needed.`;
  if (validity.stepMismatch) return Number(step) > 1 ? `A multiple of ${number(step)} is needed.` : "A whole number is needed.";
  const bounds = [min && `at least ${number(min)}`, max && `at most ${number(max)}`].filter(Boolean);
  return bounds.length ? `A number of ${bounds.join(" and ")} is needed.` : "This does not fit here.";
}

document.addEventListener("input", ({ target }) => target.matches?.("input, textarea, select") && look(target));
// Before anybody else hears of it.
document.addEventListener("submit", (event) => {
  if (!tooLong(event.target)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, true);
document.addEventListener("change", (event) => {
  if (event.target.matches?.("[data-most]") && over(event.target)) { look(event.target); event.stopImmediatePropagation(); }
}, true);
document.addEventListener("invalid", (event) => {
  const field = event.target;
  if (!field.closest(".ft, dialog")) return;
  event.preventDefault();
  unsay(field); // said again, it is heard again
  say(field, html`${lack(field)}`);
  if (field.form?.querySelector(":is(input, select, textarea):invalid") !== field) return;
  field.focus();
  told.get(field).scrollIntoView({ block: "nearest" });
}, true);
