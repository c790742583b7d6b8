// What the views of the Data tab share: links, the routes of a dataset, the bar of its sides.

import { html, number } from "./base.js";

// For links: what of the address belongs to a view inside the Data tab.
export const OUT = "show=&order=&source=&item=&like=&row=&version=&find=&side=&label=&tags=&file=&sorted=&from=&view=&part=&old=&new=&what=&finding=&plan=&mix=&job=&count=&colour=&after=";
export const link = (query, text, extra = "") => html`<a data-go="${query}" href="?${query}" ${extra}>${text}</a>`;
export const at = (name) => `/studio/datasets/${encodeURIComponent(name)}`;
export const badRows = (count) => `${number(count)} bad ${count === 1 ? "row" : "rows"} left out`;

// A bar in three shades: rows of each side.
export function shares(counts) {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0) || 1;
  return html`<div class="ft-shares" aria-hidden="true">${Object.entries(counts).map(([side, count]) =>
    html`<i class="${side}" style="width:${((100 * count) / total).toFixed(2)}%"></i>`)}</div>`;
}
