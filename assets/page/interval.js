// The difference of two means with its 95 % interval, drawn on a line from −100 to +100 points, or closer around it.

import { html } from "./base.js";

const WIDTH = 460, HEIGHT = 62, EDGE = 16;

export function interval({ difference, low, high }) {
  const reach = [0.1, 0.25, 0.5, 1].find((one) => Math.max(Math.abs(low), Math.abs(high)) <= one) ?? 1;
  const x = (value) => EDGE + ((Math.max(-reach, Math.min(reach, value)) + reach) / (2 * reach)) * (WIDTH - 2 * EDGE);
  const tone = low > 0 ? "good" : high < 0 ? "bad" : "open";
  const ticks = [-reach, -reach / 2, 0, reach / 2, reach];
  const said = (value) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(Math.round(1000 * value) / 10)}`;
  return html`<svg class="interval ${tone}" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img"
    aria-label="Difference ${said(difference)} percentage points, 95 % interval from ${said(low)} to ${said(high)}">
    ${ticks.map((tick) => html`<line class="${tick ? "tick" : "zero"}" x1="${x(tick)}" x2="${x(tick)}" y1="6" y2="40"></line>
      <text x="${x(tick)}" y="56" text-anchor="middle">${said(tick)}</text>`)}
    <line class="whisker" x1="${x(low)}" x2="${x(high)}" y1="23" y2="23"></line>
    <line class="end" x1="${x(low)}" x2="${x(low)}" y1="16" y2="30"></line><line class="end" x1="${x(high)}" x2="${x(high)}" y1="16" y2="30"></line>
    <circle cx="${x(difference)}" cy="23" r="6"></circle></svg>`;
}
