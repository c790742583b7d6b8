// Two who judged or edited one row without knowing of each other: both are shown, and whoever came later says which
// shall stand.

import { html } from "./base.js";
import { STATES, opinion } from "./review-card.js";
import { GOOD } from "./review-form.js";
import { textOf } from "./turns.js";

const DEEDS = { accepted: "accept it", discarded: "discard it", draft: "keep a draft", pending: "put it back", edited: "write" };

// `more`: how many others wait behind it.
export function conflictNotice(item, more) {
  const { error, conflicts } = item.asks;
  if (error) {
    return html`<div class="notice error spread" role="alert"><span><strong>${error.what}</strong> ${error.why} <span class="soft">${error.next}</span></span>
      <button type="button" class="ft-button small" data-settle="${item.key}">Leave it</button></div>`;
  }
  return html`<div class="notice warning rv-conflict stack" role="alert"><div><strong>${conflicts.length === 1 ? "This row was changed" : `${conflicts.length} rows were changed`} while you looked at ${conflicts.length === 1 ? "it" : "them"}.</strong>
      Nothing is overwritten: say what shall stand.</div>
    ${conflicts.slice(0, 3).map((card) => html`<div class="rv-both"><div><h3>Now there</h3>${there(card, item)}</div><div><h3>Yours</h3>${yours(item)}</div></div>`)}
    <div class="row tight-row"><button type="button" class="ft-button" data-settle="${item.key}">Keep what is there</button><button type="button" class="ft-button primary" data-settle="${item.key}" data-mine="1">Put mine over it</button>
      ${more ? html`<span class="soft small">${more} more after this one</span>` : ""}</div></div>`;
}

const labelWords = (row, label) => (row.kind === "feedback" ? GOOD[label] ?? label : label);
const said = (row) => (row.chosen ?? row.messages ?? []).at(-1)?.content ?? row.text ?? "";
const textAt = (row, { of, at }) => (of === "label" ? labelWords(row, row.label) : textOf(row, { of, at })) ?? "";
const words = (text) => html`<p class="words small rv-cut" dir="auto">${text}</p>`;

// Words that were typed over others than a row has now.
export function outdatedNotice(row, texts) {
  const whole = texts.every((text) => textOf(row, text) !== null);
  return html`<div class="notice warning stack" role="status"><div><strong>You began to edit this row when it said something else.</strong> What you typed is kept, not put in: compare the two, then say what becomes of it.${whole ? "" : " The row has fewer turns now, so copy what you still need."}</div>
    <div class="rv-both"><div><h3>Now there</h3>${texts.map((text) => words(textAt(row, text)))}</div><div><h3>Yours</h3>${texts.map((text) => words(text.of === "label" ? labelWords(row, text.text) : text.text))}</div></div>
    <div class="row tight-row"><button type="button" class="ft-button" data-do="drop">Let mine go</button>${whole ? html`<button type="button" class="ft-button primary" data-do="take">Edit with mine</button>` : ""}</div></div>`;
}

// The row as it is: the texts that would be written over, or what it says last.
function there(card, { texts }) {
  const last = card.judgement;
  return html`<p><strong dir="auto">${card.by || last?.by || "Somebody"}</strong> ${card.status ? html`<span class="chip ${card.status}">${STATES[card.status]}</span>` : ""} <span class="soft small" dir="auto">${last ? opinion(last) : ""}</span></p>
    ${texts?.length ? texts.map((text) => words(textAt(card.row, text))) : words(said(card.row))}${card.row.label ? html`<span class="chip" dir="auto">${labelWords(card.row, card.row.label)}</span>` : ""}`;
}
function yours(item) {
  const [{ row }] = item.asks.conflicts;
  const parts = [item.label && `label ${item.label}`, item.choice, item.note && `“${item.note}”`].filter(Boolean).join(" · ");
  return html`<p>You want to <strong>${DEEDS[item.status]}</strong> <span class="soft small" dir="auto">${parts}</span></p>${(item.texts ?? []).map((text) => words(text.of === "label" ? labelWords(row, text.text) : text.text))}`;
}
