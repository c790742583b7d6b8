// A name that is too long is not cut: beside its field it is said how long it is and how long it may be, and until it is
// shorter nothing is done with it. A field says how many characters there is room for: data-most="80".

import { html, number } from "./base.js";

const told = new WeakMap(); // field → the words beside it
let count = 0;

const over = (field) => [...field.value.trim()].length > Number(field.dataset.most);

// The first field in `place` that has too much in it; its words are shown, and it gets the focus.
export function tooLong(place) {
  const field = [...place.querySelectorAll("[data-most]")].find((one) => one.checkVisibility() && over(one));
  if (field) { look(field); field.focus(); }
  return Boolean(field);
}

function look(field) {
  let words = told.get(field);
  if (!over(field)) {
    words?.remove();
    told.delete(field);
    if (words) { field.removeAttribute("aria-invalid"); field.removeAttribute("aria-errormessage"); }
    return;
  }
  if (!words?.isConnected) {
    words = document.createElement("p");
    words.className = "too-long";
    words.id = `too-long-${(count += 1)}`;
    words.setAttribute("role", "alert");
    place(field, words);
    told.set(field, words);
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-errormessage", words.id);
  }
  const text = String(html`<strong>This is too long.</strong> It has ${number([...field.value.trim()].length)} characters; there is room for ${number(Number(field.dataset.most))}. Shorten it: nothing is cut off by itself.`);
  if (words.innerHTML !== text) words.innerHTML = text;
}
// Below the field; in a row of fields below the whole row, and never inside a label, whose name it would become.
function place(field, words) {
  const label = field.closest("label");
  const parent = (label ?? field).parentElement;
  if (getComputedStyle(parent).display.includes("flex") && getComputedStyle(parent).flexDirection === "row") parent.append(words);
  else (label ?? field).after(words);
}

document.addEventListener("input", ({ target }) => target.matches?.("[data-most]") && look(target));
// Before anybody else hears of it.
document.addEventListener("submit", (event) => {
  if (!tooLong(event.target)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, true);
document.addEventListener("change", (event) => {
  if (event.target.matches?.("[data-most]") && over(event.target)) { look(event.target); event.stopImmediatePropagation(); }
}, true);
