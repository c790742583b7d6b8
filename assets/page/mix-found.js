// What comes of a recipe: rows of each part on each side, tokens to train on, and their shares as one bar.

import { html, number } from "./base.js";
import { SIDES } from "./turns.js";

const COLOURS = 8;
const times = (value) => (value === 1 ? "once" : value < 1 ? `${number(100 * value)} % of them` : `${Number(value.toFixed(2))} times`);

export function found(told) {
  const { parts, counts, rows, tokens, model } = told;
  const title = (part) => html`${part.dataset}${part.only ? html` <span class="soft small" dir="auto">${part.only}</span>` : ""}${part.general ? html` <span class="chip">general</span>` : ""}`;
  const leftOut = parts.filter((part) => part.left_out);
  const repeated = parts.filter((part) => part.times > 4);
  return html`<section class="card mx-found" aria-label="What comes of it"><div class="spread"><h2>What comes of it</h2><span class="soft num">${number(rows)} rows, ${number(counts.train)} of them to train on</span></div>
    <div class="mx-bar" aria-hidden="true">${parts.map((part, place) => html`<i class="mx-${place % COLOURS}" style="width:${((100 * part.counts.train) / (counts.train || 1)).toFixed(2)}%"></i>`)}</div>
    <div class="scroll"><table><thead><tr><th scope="col">Part</th><th scope="col" class="right">To choose from</th><th scope="col" class="right">Each row</th>${Object.values(SIDES).map((words) => html`<th scope="col" class="right">${words}</th>`)}
      <th scope="col" class="right">Share</th>${model ? html`<th scope="col" class="right">Tokens, about</th>` : ""}</tr></thead>
    <tbody>${parts.map((part, place) => html`<tr><th scope="row"><i class="mx-dot mx-${place % COLOURS}"></i>${title(part)}</th><td class="right num soft">${number(part.available)}</td><td class="right num">${times(part.times)}</td>
      ${Object.keys(SIDES).map((side) => html`<td class="right num">${number(part.counts[side])}</td>`)}<td class="right num">${((100 * part.counts.train) / (counts.train || 1)).toFixed(1)} %</td>${model ? html`<td class="right num">${number(part.tokens)}</td>` : ""}</tr>`)}</tbody>
    <tfoot><tr><th scope="row">In all</th><td></td><td></td>${Object.keys(SIDES).map((side) => html`<td class="right num">${number(counts[side])}</td>`)}<td class="right num">100 %</td>${model ? html`<td class="right num">${number(tokens)}</td>` : ""}</tr></tfoot></table></div>
    ${leftOut.map((part) => html`<p class="soft small">${number(part.left_out)} ${part.left_out === 1 ? "row" : "rows"} of “${part.dataset}” ${part.left_out === 1 ? "is" : "are"} left out: ${part.left_out === 1 ? "it belongs" : "they belong"} with rows that are held out, as near-duplicates, by the same question, document or conversation.</p>`)}
    ${parts.filter((part) => part.waiting).map((part) => html`<div class="notice warning"><strong>${part.waiting === 1 ? "1 change" : `${number(part.waiting)} changes`} of “${part.dataset}” ${part.waiting === 1 ? "is" : "are"} not in it.</strong> A mixture is made of versions, and version ${part.version} does not have what was changed since.
      <a href="?tab=data&dataset=${encodeURIComponent(part.dataset)}" data-go="tab=data&mix=&dataset=${encodeURIComponent(part.dataset)}">Freeze a version first</a></div>`)}
    ${repeated.map((part) => html`<div class="notice warning"><strong>Each row of “${part.dataset}” is seen ${times(part.times)} a pass.</strong> So few rows so often are soon learned by heart; a smaller share or more rows is better.</div>`)}
    <p class="soft small">${model ? `Tokens to train on, as ${model} counts them, from a sample of each part.` : "Tokens are counted once there is a model."} Held-out rows are never repeated.</p></section>`;
}
