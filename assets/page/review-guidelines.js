// Guidelines: one key away while one reviews, written on the same page.

import { html, notice, tell } from "./base.js";

const LISTS = [["labels", "Labels", "One a line; the first nine have the keys 1 to 9."], ["requirements", "Requirements", "What an answer is rated on, one a line, as “Polite” or “Names the deadline”."],
  ["entities", "Things to mark in the text", "One a line, as Person, Place, Order number."]];
const RULES = "words, other words = Label";
let dialog;

function open(body) {
  if (!dialog) {
    dialog = document.createElement("dialog");
    dialog.className = "ft ft-dialog rv-guidelines";
    dialog.setAttribute("aria-labelledby", "rv-guidelines-title");
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "i" && !event.target.closest("textarea, input")) { event.preventDefault(); dialog.close(); }
    });
    document.body.append(dialog);
  }
  dialog.innerHTML = html`<div class="stack"><div class="spread"><h2 id="rv-guidelines-title">Guidelines</h2><div class="row tight-row">${body.buttons}<button type="button" class="ft-button quiet" data-close>Close</button></div></div>${body.content}</div>`;
  dialog.onclick = (event) => {
    if (event.target === dialog || event.target.closest("[data-close]")) dialog.close();
    if (event.target.closest("[data-edit]")) body.edit?.();
  };
  if (!dialog.open) dialog.showModal();
}

export function showGuidelines(review) {
  const { text, labels, requirements, entities, rules } = review.info.guidelines;
  const list = (title, names) => (names.length ? html`<section><h3>${title}</h3><ul class="rv-names">${names.map((name) => html`<li dir="auto">${name}</li>`)}</ul></section>` : "");
  const any = text || labels.length || requirements.length || entities.length;
  open({
    buttons: html`<button type="button" class="ft-button" data-edit>Edit</button>`,
    content: any ? html`${text && html`<div class="words rv-text" tabindex="0" role="region" aria-label="Guidelines, the text" dir="auto">${text}</div>`}<div class="grid3">${list("Labels", labels)}${list("Requirements", requirements)}${list("To mark", entities)}</div>
        ${rules.length ? html`<section><h3>Rules that suggest a label</h3><ul class="rv-names">${rules.map((rule) => html`<li dir="auto">${rule.words.join(", ")} = ${rule.label}</li>`)}</ul></section>` : ""}`
      : html`<p class="soft">Nothing is written yet: say what makes a row good, and which labels there are.</p>`,
    edit: () => editGuidelines(review),
  });
}

export function editGuidelines(review) {
  const now = review.info.guidelines;
  const rules = now.rules.map((rule) => `${rule.words.join(", ")} = ${rule.label}`).join("\n");
  open({
    buttons: "",
    content: html`<form class="stack"><div class="field"><label for="rv-g-text">What makes a row good</label><textarea id="rv-g-text" name="text" rows="7" dir="auto">${"\n"}${now.text}</textarea></div>
      <div class="grid3">${LISTS.map(([name, title, about]) => html`<div class="field"><label for="rv-g-${name}">${title}</label><textarea id="rv-g-${name}" name="${name}" rows="5" dir="auto">${"\n"}${now[name].join("\n")}</textarea><span class="small">${about}</span></div>`)}</div>
      <div class="field"><label for="rv-g-rules">Rules that suggest a label</label><textarea id="rv-g-rules" name="rules" rows="3" dir="auto" placeholder="${RULES}">${"\n"}${rules}</textarea><span class="small">One a line: ${RULES}. Suggestions by rules can be chosen above the queue then.</span></div>
      <div class="rv-g-told"></div><div><button class="ft-button primary">Save</button></div></form>`,
  });
  const form = dialog.querySelector("form");
  form.onsubmit = async (event) => {
    event.preventDefault();
    const lines = (name) => form.elements[name].value.split("\n").map((line) => line.trim()).filter(Boolean);
    const given = { text: form.elements.text.value, labels: lines("labels"), requirements: lines("requirements"), entities: lines("entities"), rules: lines("rules").map(rule) };
    try {
      review.info.guidelines = await tell(`/studio/datasets-review/${encodeURIComponent(review.name)}/guidelines`, { guidelines: given, seen: now.revision });
    } catch (error) {
      form.querySelector(".rv-g-told").innerHTML = notice(error);
      return;
    }
    dialog.close();
    review.view?.render?.();
    review.loop();
  };
}
const rule = (line) => {
  const at = line.lastIndexOf("=");
  return { words: line.slice(0, at < 0 ? 0 : at).split(",").map((word) => word.trim()).filter(Boolean), label: at < 0 ? line : line.slice(at + 1).trim() };
};
