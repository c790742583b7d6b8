// One row, large: what was said, what there is to decide, and beside it where it comes from. Every key is printed.

import { html, number, when } from "./base.js";
import { GOOD } from "./review-form.js";
import { writing } from "./review-live.js";
import { rowBody, turns } from "./turns.js";

export const STATES = { pending: "Pending", draft: "Draft", accepted: "Accepted", discarded: "Discarded" };
export const key = (name) => html`<kbd>${name}</kbd>`;
// Why Doctor sent a row here.
export const sent = (reason) => reason === "changed in the source since"
  ? html`<span class="chip sent" title="It was accepted with other words: judge it as it is now">Changed in the source since</span>`
  : html`<span class="chip sent" title="Doctor sent this row to be judged">Doctor: ${reason}</span>`;
const DIGITS = 9;

// ---- What was said ----

export function said(form, editing, swapped) {
  const { row } = form;
  if (row.kind === "preference") return html`${turns(row.messages, "messages", editing)}${pair(form, editing, swapped)}`;
  if (row.kind === "label" || row.kind === "feedback") return turns(row.messages, "messages", editing);
  return rowBody(row, editing);
}

// Two answers, A and B. For a blind reviewer either may be the one that was marked better.
function pair(form, editing, swapped) {
  const sides = swapped ? ["rejected", "chosen"] : ["chosen", "rejected"];
  return html`<div class="ft-pair rv-pair">${sides.map((of, at) => html`<div class="side ${form.said.choice === of ? "picked" : ""}" role="group" aria-label="Answer ${"AB"[at]}">
    <h3>Answer ${"AB"[at]} ${form.hides ? "" : html`<span class="soft">marked as the ${of === "chosen" ? "better" : "worse"} one</span>`}</h3>${turns(form.row[of], of, editing)}</div>`)}</div>`;
}

// ---- What there is to decide ----

export function decisions(form, guidelines, swapped) {
  const { row, suggestion } = form.card;
  const parts = [];
  if (row.kind === "preference") parts.push(choices(form, swapped));
  const labels = row.kind === "feedback" ? Object.keys(GOOD) : guidelines.labels;
  if (labels.length && row.kind !== "preference") parts.push(labelSet(form, labels));
  if (suggestion && !form.card.suggested_label) parts.push(suggested(form));
  parts.push(html`<div class="rv-live">${writing(form.card.live)}</div>`);
  if (guidelines.entities.length) parts.push(spans(form, guidelines.entities));
  parts.push(ratings(form, guidelines.requirements));
  return html`${parts}`;
}

const press = (on) => (on ? "true" : "false");

function choices(form, swapped) {
  const one = (value, words, letter) => html`<button type="button" class="rv-option" data-choice="${value}" aria-pressed="${press(form.said.choice === value)}">${key(letter)} ${words}</button>`;
  const [a, b] = swapped ? ["rejected", "chosen"] : ["chosen", "rejected"];
  return html`<fieldset class="rv-part"><legend>Which answer is better?</legend><div class="row tight-row">${one(a, "Answer A", "a")}${one(b, "Answer B", "b")}${one("tie", "A tie", "=")}</div>
    ${form.said.choice === "tie" ? html`<p class="soft small">Two answers that are as good teach nothing, so a tie is left out of the next version.</p>` : ""}</fieldset>`;
}

function labelSet(form, labels) {
  const own = form.labelled;
  const names = own !== null && !labels.includes(own) ? [...labels, own] : labels;
  return html`<fieldset class="rv-part"><legend>Label</legend><div class="row tight-row rv-labels">${names.map((label, at) => {
    const on = form.label === label;
    return html`<button type="button" class="rv-option ${on && form.said.suggested ? "suggested" : ""}" data-label="${label}" aria-pressed="${press(on)}" dir="auto">${at < DIGITS ? key(at + 1) : ""}
      ${GOOD[label] && form.card.row.kind === "feedback" ? GOOD[label] : label}${on && form.said.suggested ? html` <span class="chip suggestion">suggested</span>` : ""}</button>`;
  })}</div>${form.said.label !== null && own !== null && form.said.label !== own ? html`<p class="soft small">The row has “${GOOD[own] ?? own}”.</p>` : ""}${beside(form)}</fieldset>`;
}

// What was suggested, where the form does not show it.
function beside({ card: { suggested_label: label }, label: now, labelled, said }) {
  if (!label || (label !== labelled && (!said.labelChosen || label === now))) return "";
  return html`<p class="soft small">The suggestion is “${GOOD[label] ?? label}”${label === labelled ? ", too." : html`. Take and accept it: ${key("y")}`}</p>`;
}

function suggested(form) {
  return html`<section class="rv-part rv-suggested" aria-label="Suggested answer"><div class="spread"><h3>Suggested answer <span class="chip suggestion">${form.said.suggested ? "taken, not accepted yet" : "from a model"}</span></h3>
    <button type="button" class="ft-button small" data-rv="take">Take and accept ${key("y")}</button></div><div class="words" dir="auto">${form.card.suggestion}</div></section>`;
}

function spans(form, entities) {
  return html`<fieldset class="rv-part"><legend>Mark words</legend><p class="soft small">Mark text with the mouse, or press ${key("m")} and move with the arrows; then press the number of what it is.</p>
    <div class="row tight-row">${entities.map((entity, at) => html`<button type="button" class="rv-option" data-entity="${entity}"><i class="rv-dot rv-colour-${at % 6}"></i>${at < DIGITS ? key(at + 1) : ""} ${entity}</button>`)}</div>
    <ul class="rv-spans" aria-label="Marked words">${form.said.spans.map((span, at) => html`<li><i class="rv-dot rv-colour-${entities.indexOf(span.label) % 6}"></i><span class="clip" dir="auto">${span.text}</span> <span class="soft">${span.label}</span>
      <button type="button" class="rv-remove" data-span="${at}" aria-label="Take the mark off “${span.text}”">×</button></li>`)}</ul></fieldset>`;
}

function ratings(form, requirements) {
  const all = [["", requirements.length ? "The row as a whole" : "How good is this row?"], ...requirements.map((name) => [name, name])];
  return html`<section class="rv-part" aria-label="Rating"><h3>Rate it, if you like <span class="soft small rv-scale">1 is poor, 5 is excellent; it is kept with your decision and changes nothing in the row</span></h3><div class="rv-ratings">${all.map(([name, words], at) => html`<fieldset class="rv-rating" data-rating="${name}"><legend dir="auto">${words} ${at ? "" : key("r")}</legend><div class="rv-stars">${[1, 2, 3, 4, 5].map((value) =>
    html`<label><input type="radio" name="rv-rating-${at}" value="${value}" ${form.said.ratings[name] === value ? html`checked` : ""}><span>${value}</span></label>`)}</div></fieldset>`)}</div></section>`;
}

export function words(form) {
  const tags = { ...form.card.row.tags, ...form.said.tags };
  return html`<div class="rv-part rv-words"><div><label for="rv-tag">Tags ${key("t")}</label><div class="rv-tags">${Object.entries(tags).filter(([, text]) => text !== null).map(([name, text]) =>
      html`<span class="chip tag" title="${name}">${name === text ? name : `${name}: ${text}`} <button type="button" class="rv-remove" data-tag="${name}" aria-label="Take the tag ${name} off">×</button></span>`)}
      <input id="rv-tag" class="ft-input" data-most="200" autocomplete="off" placeholder="word, or name: word"></div></div>
    <div><label for="rv-note">Note ${key("n")}</label><input id="rv-note" class="ft-input" data-most="2000" autocomplete="off" value="${form.said.note}"></div></div>`;
}

// ---- Beside it ----

export function context(form, blind) {
  const { card } = form;
  const { row } = card;
  const extra = Object.entries(card.extra).filter(([name]) => name !== "parents");
  return html`${card.history.length && !blind ? opinions(card) : ""}
    <section><h3>Where it comes from</h3><p class="small anywhere">${row.file ? html`${row.file}, line ${number(row.line)}` : "Added here"}</p>${blind ? "" : html`<p class="small"><a data-go="row=${card.id}" href="?tab=data&row=${card.id}">Open the row’s page</a></p>`}</section>
    ${card.parents.length ? html`<section><h3>Written after</h3>${card.parents.map(glimpse)}</section>` : ""}
    ${extra.length ? html`<section><h3>Metadata</h3><dl class="rv-meta">${extra.map(([name, value]) => html`<div><dt dir="auto">${name}</dt><dd dir="auto">${value}</dd></div>`)}</dl></section>` : ""}
    ${card.before || card.after ? html`<section><h3>Beside it in the file</h3>${card.before ? html`<p class="soft small">Before</p>${glimpse(card.before)}` : ""}${card.after ? html`<p class="soft small">After</p>${glimpse(card.after)}` : ""}</section>` : ""}`;
}

const glimpse = (row) => html`<div class="rv-glimpse small" dir="auto">${row.text}${row.label ? html` <span class="chip">${GOOD[row.label] ?? row.label}</span>` : ""}</div>`;

// What was judged before, each to be taken over.
function opinions(card) {
  const last = new Map(card.history.map((each) => [each.by ?? "", each]));
  return html`<section><h3>Judged before</h3><ul class="rv-opinions">${[...last.values()].map((each) => html`<li><div><strong dir="auto">${each.by || "Somebody"}</strong> <span class="chip ${each.status}">${STATES[each.status]}</span>
      <span class="soft small num">${when(each.time)}</span></div><p class="small anywhere" dir="auto">${opinion(each)}</p>${last.size > 1 ? html`<button type="button" class="ft-button small" data-opinion="${each.number}">Decide so</button>` : ""}</li>`)}</ul></section>`;
}

export function opinion(each) {
  const rated = Object.entries(each.ratings ?? {}).map(([name, value]) => `${name || "as a whole"} ${value} of 5`);
  const parts = [each.label && `label ${GOOD[each.label] ?? each.label}`, each.choice && { chosen: "the better answer is as marked", rejected: "the other answer is better", tie: "a tie" }[each.choice],
    rated.join(", "), each.spans?.length && each.spans.map((span) => `${span.text} = ${span.label}`).join(", "), each.note && `“${each.note}”`, each.says && !each.label && `“${each.says}”`];
  return parts.filter(Boolean).join(" · ");
}
