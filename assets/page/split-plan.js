// What comes of a split: the counts of each side, whether the balance held, and which groups stand on two sides.

import { html, number } from "./base.js";
import { link } from "./dataset-links.js";
import { SIDES } from "./turns.js";

const percent = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(1)} %` : "–");
const rows = (count) => (count === 1 ? "1 row" : `${number(count)} rows`);
const groups = (count) => (count === 1 ? "1 group" : `${number(count)} groups`);

// What a check found, in one sentence.
export function verdict(found) {
  if (found.clean) return found.groups ? `${groups(found.groups)} of rows that belong together, and none stands on two sides.` : "No rows belong together, so nothing can leak.";
  return `${found.crossing === 1 ? "1 group of rows that belong together stands" : `${number(found.crossing)} groups of rows that belong together stand`} on more than one side: ${rows(found.rows)}. A score made with it would flatter the model.`;
}

export function planned(plan) {
  const { check } = plan.settings;
  const clean = plan.leaks.clean;
  return html`<section class="card sp-plan" aria-label="${check ? "What the check found" : "The plan"}"><div class="spread"><h2>${check ? "The sides as they are" : "What comes of it"}</h2>
      <span class="chip ${clean ? "finished" : "broken"}">${clean ? "Clean" : "Not clean"}</span></div>
      <p>${verdict(plan.leaks)}</p>${alike(plan.leaks.alike)}${plan.notes.map((note) => html`<div class="notice warning">${note}</div>`)}${counts(plan)}${plan.balance ? balance(plan) : ""}
      ${check ? html`<p><button type="button" class="ft-button" data-do="forget">Close</button></p>` : deeds(plan)}</section>${crossing(plan)}`;
}

// As many as the doctor lists and the charts draw.
function alike(found) {
  return found?.groups ? html`<p class="soft">Nearly alike are ${rows(found.rows)} in ${groups(found.groups)}.</p>` : "";
}

function deeds(plan) {
  const before = plan.before && !plan.before.clean && plan.leaks.clean ? html`<p class="soft">As it stands now, ${plan.before.crossing === 1 ? "1 group crosses" : `${groups(plan.before.crossing)} cross`}.</p>` : "";
  if (!plan.moved) return html`<div class="notice" role="status">Every row stands there already; nothing has to move.</div>`;
  return html`${before}<div class="row"><button type="button" class="ft-button primary" data-do="apply">Move ${rows(plan.moved)}</button>
    <button type="button" class="ft-button" data-do="forget">Discard this plan</button><span class="soft small">One change, which Undo takes back as a whole.</span></div>`;
}

function counts(plan) {
  const total = plan.rows;
  const now = Object.keys(plan.planned).some((side) => plan.counts[side] !== plan.planned[side]) && !plan.settings.check;
  return html`<div class="scroll"><table class="sp-counts"><thead><tr><th scope="col">Side</th>${now ? html`<th scope="col" class="right">Now</th>` : ""}<th scope="col" class="right">${plan.settings.check ? "Rows" : "Planned"}</th><th scope="col" class="right">Share</th></tr></thead>
    <tbody>${Object.entries(plan.planned).map(([side, count]) => html`<tr><th scope="row"><i class="sp-dot ${side}"></i>${SIDES[side]}</th>${now ? html`<td class="right num soft">${number(plan.counts[side])}</td>` : ""}
      <td class="right num">${number(count)}</td><td class="right num">${percent(count, total)}</td></tr>`)}</tbody></table></div>`;
}

// Of each value three dots: its share of every side. Where the balance held, they lie on one another.
function balance(plan) {
  const { by, values, more, held, worst } = plan.balance;
  const sides = Object.entries(plan.planned).filter(([, count]) => count).map(([side]) => side);
  const share = (each, side) => each.sides[side] / plan.planned[side];
  const most = Math.max(...values.flatMap((each) => sides.map((side) => share(each, side))), 0.01);
  const name = (value) => (value === "" ? html`<span class="soft">nothing</span>` : value);
  const words = held ? html`The balance of “${by}” held: every side has its values in the same shares, up to a row or a group.`
    : html`The balance of “${by}” did not hold: “${name(worst.value)}” has ${rows(worst.count)} in ${SIDES[worst.side].toLowerCase()}, where its share is ${number(worst.share, worst.share % 1 ? 1 : 0)}.`;
  return html`<div class="sp-balance"><h3>By ${by} <span class="chip ${held ? "finished" : "interrupted"}">${held ? "In balance" : "Out of balance"}</span></h3><p class="soft">${words}</p>
    <div class="scroll"><table><thead><tr><th scope="col">Value</th><th scope="col" class="right">Rows</th><th scope="col" class="sp-picture">Share of each side</th>${sides.map((side) =>
      html`<th scope="col" class="right"><i class="sp-dot ${side}"></i>${SIDES[side]}</th>`)}</tr></thead>
    <tbody>${values.map((each) => html`<tr><th scope="row" class="clip" dir="auto" title="${each.value}">${name(each.value)}</th><td class="right num">${number(each.rows)}</td>
      <td class="sp-picture"><div class="sp-track" aria-hidden="true">${sides.map((side) => html`<i class="sp-dot ${side}" style="left:${((100 * share(each, side)) / most).toFixed(1)}%"></i>`)}</div></td>
      ${sides.map((side) => html`<td class="right num">${percent(each.sides[side], plan.planned[side])}</td>`)}</tr>`)}</tbody></table></div>
    ${more ? html`<p class="soft small">and ${number(more)} rarer values</p>` : ""}</div>`;
}

function crossing(plan) {
  const { examples, crossing: count } = plan.leaks;
  if (!examples.length) return "";
  return html`<section class="card"><h2>Groups on more than one side</h2><p class="soft">${count > examples.length ? `The largest ${number(examples.length)} of ${number(count)}.` : ""}
      ${plan.settings.check ? "Plan a split by chance, by a column or by date, and they stay together." : "Another way to split keeps them together; or move rows by hand in the list."}</p>
    <div class="stack sp-examples">${examples.map((each) => html`<article><p><strong>${rows(each.size)}</strong> <span class="soft">with ${each.why.map((why) => plan.words[why]).join(", ")}:
        ${Object.entries(each.sides).map(([side, held]) => `${number(held)} in ${SIDES[side].toLowerCase()}`).join(", ")}</span></p>
      <ul>${each.rows.map((row) => html`<li><i class="sp-dot ${row.side}"></i><span class="sp-side">${SIDES[row.side]}</span>${link(`row=${encodeURIComponent(row.id)}`, row.text || "A row without words", html`class="clip" dir="auto"`)}</li>`)}</ul></article>`)}</div></section>`;
}
