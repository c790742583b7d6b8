// Two who judged or edited one row without knowing of each other: both are shown, and whoever came later says which
// shall stand.

import { html } from "./base.js";
import { STATES, opinion } from "./review-card.js";
import { GOOD } from "./review-form.js";

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
const textAt = (row, { of, at }) => (of === "label" ? labelWords(row, row.label) : Array.isArray(row[of]) ? row[of][at]?.content : row[of]) ?? "";
const words = (text) => html`<p class="words small rv-cut" dir="auto">${text}</p>`;

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
