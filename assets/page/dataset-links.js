// What the views of the Data tab share: links, the routes of a dataset, the bar of its sides.

import { html, number } from "./base.js";

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
