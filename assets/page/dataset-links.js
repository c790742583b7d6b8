// What the views of the Data tab share: links, the routes of a dataset, the bar of its sides, undo.

import { html, number } from "./base.js";
import { recall, reviewer } from "./remember.js";

// For links within the Data tab: what of the address belongs to a part of a dataset, and what to the dataset.
export const VIEW = "show=&order=&source=&item=&like=&row=&find=&side=&label=&tags=&file=&sorted=&from=&view=&old=&new=&what=&finding=&plan=&mix=&job=&count=&after=";
export const OUT = `${VIEW}&version=&part=&colour=`;
export const link = (query, text, extra = "") => html`<a data-go="${query}" href="?${query}" ${extra}>${text}</a>`;
export const at = (name) => `/studio/datasets/${encodeURIComponent(name)}`;
export const badRows = (count) => `${number(count)} bad ${count === 1 ? "row" : "rows"} left out`;

// A bar in three shades: rows of each side.
export function shares(counts) {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0) || 1;
  return html`<div class="ft-shares" aria-hidden="true">${Object.entries(counts).map(([side, count]) =>
    html`<i class="${side}" style="width:${((100 * count) / total).toFixed(2)}%"></i>`)}</div>`;
}

// Whether a change, {number, by}, was made here, or by nobody who gave a name.
export const isMine = (last) => !last.by || last.by === reviewer();
// The way to take the last change back. Another's is named, and asked about, which is `asked` by its number; who works
// blind is not told whose it is.
export function undoing(last, asked, words, pressed = "") {
  if (!last) return "";
  if (isMine(last)) return html`<button type="button" class="ft-button" data-do="undo">${words}${pressed}</button>`;
  const whose = recall("reviewer", null)?.blind ? "another reviewer" : last.by;
  return asked === last.number
    ? html`<span>It was made by <strong dir="auto">${whose}</strong>.</span> <button type="button" class="ft-button danger" data-do="undo">Take it back all the same</button><button type="button" class="ft-button" data-do="let">Keep it</button>`
    : html`<button type="button" class="ft-button" data-do="ask">${words}, by <bdi>${whose}</bdi>${pressed}</button>`;
}
