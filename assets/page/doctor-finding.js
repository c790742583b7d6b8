// One finding as a card: how many rows, why it matters, the first of them with the culprit marked, and what can be done.

import { html, number } from "./base.js";
import { SIDES } from "./turns.js";

const rows = (count) => (count === 1 ? "1 row" : `${number(count)} rows`);
const LABELS = { emails: "[e-mail]", phones: "[phone]", cards: "[card number]", ibans: "[IBAN]", ip_addresses: "[IP address]", national_ids: "[national id]" };
const OTHERS = { contradictions: "Answered differently", duplicates: "This one stays", near_duplicates: "This one stays" };

export function findingCard(finding, report, mask) {
  const { kind, title, words, why, count, severity, fixed, ignored } = finding;
  return html`<article class="card dr-finding ${severity} ${fixed ? "fixed" : ""}" data-kind="${kind}" aria-labelledby="dr-${kind}">
    <div class="spread dr-line"><h4 id="dr-${kind}"><i class="dr-dot" aria-hidden="true"></i>${title}</h4>${count ? html`<span class="chip num">${rows(count)}</span>` : ""}</div>
    <p>${why} <span class="soft">${count && /^[\d,]+ rows?[.,]/.test(words) ? "" : words}</span></p>${finding.facts.counts ? bars(finding.facts.counts) : ""}
    ${examples(finding)}${finding.deed && count && !fixed && !ignored ? html`<p class="soft small" id="dr-fix-${kind}">What the fix does: ${finding.fix}. One undo takes it back.</p>` : ""}
    <div class="row dr-deeds">${fixed ? done(finding) : ignored ? "" : fix(finding, report, mask)}${count ? html`<button type="button" class="ft-button" data-deed="rows" data-kind="${kind}">Look at the ${rows(count)}</button>` : ""}
      ${fixed ? "" : html`<button type="button" class="ft-button quiet" data-deed="${ignored ? "heed" : "ignore"}" data-kind="${kind}" aria-label="${ignored ? "Take up again" : "Ignore"}: ${title}">${ignored ? "Take up again" : "Ignore"}</button>`}</div></article>`;
}

// The button says exactly what it does, and to how many rows.
function fix({ kind, title, deed, count, family }, report, mask) {
  if (!deed || !count) return "";
  const names = { exclude: "Leave out", review: "Send to review:", edit: family === "personal" ? "Mask in" : "Mend" };
  const choice = family === "personal" ? html`<label class="pick">with <select class="ft-select" name="mask" aria-label="What stands for it: ${title}">
    <option value="labels" ${mask === "labels" ? html`selected` : ""}>the label ${LABELS[kind]}</option><option value="stand-ins" ${mask === "labels" ? "" : html`selected`}>a made-up one, always the same</option></select></label>` : "";
  return html`<button type="button" class="ft-button strong" data-deed="fix" data-kind="${kind}" ${report.outdated ? html`disabled title="The report is of an older version: look again first"` : ""}
    aria-describedby="dr-fix-${kind}">${names[deed]} ${rows(count)}</button>${choice}`;
}
function done({ kind, title, fixed }) {
  const review = fixed.deed === "review" || fixed.sent === fixed.rows;
  const sent = !review && fixed.sent > 0 ? `, ${number(fixed.sent)} of them sent to review` : "";
  return html`<span class="chip good">${review ? "Sent to review" : "Fixed"}: ${rows(fixed.rows)}${sent}</span>${review || sent ? html`<button type="button" class="ft-button" data-deed="judge" data-kind="${kind}">Review what Doctor sent</button>` : ""}${fixed.last
    ? html`<button type="button" class="ft-button" data-deed="undo" data-kind="${kind}" aria-label="Undo: ${title}">Undo</button>`
    : review && fixed.frozen ? "" : html`<span class="soft small">${fixed.frozen ? "It is in a version now." : "Later changes were made; undo those first to take it back."}</span>`}`;
}

function examples({ kind, examples: list }) {
  if (!list.length) return "";
  const [first, ...more] = list;
  return html`${example(kind, first)}${more.length ? html`<details class="fold small dr-more"><summary class="soft">${more.length === 1 ? "One more example" : `${more.length} more examples`}</summary>
    <div class="stack">${more.map((each) => example(kind, each))}</div></details>` : ""}`;
}
function example(kind, { row, split, pieces, other, other_split, beside }) {
  const link = (id, words) => html`<a class="small" data-go="row=${id}" href="?tab=data&row=${id}">${words}</a>`;
  const one = html`<div class="dr-example"><div class="soft small spread"><span>${SIDES[split] ?? split}</span>${link(row, "Open the row")}</div>${pieces.map(piece)}</div>`;
  if (!beside.length) return one;
  return html`<div class="grid2 dr-pair">${one}<div class="dr-example"><div class="soft small spread"><span>${OTHERS[kind] ?? SIDES[other_split] ?? other_split}</span>${link(other, "Open the row")}</div>${beside.map(piece)}</div></div>`;
}
function piece({ who, text, marks }) {
  const letters = Array.from(text); // the studio counts characters, JavaScript's strings count halves of some
  const parts = [];
  let at = 0;
  for (const [start, end] of marks) {
    parts.push(letters.slice(at, start).join(""), html`<mark>${letters.slice(start, end).join("")}</mark>`);
    at = end;
  }
  return html`<div class="dr-piece"><span class="who">${who}</span><span class="words" dir="auto">${parts}${letters.slice(at).join("")}</span></div>`;
}
function bars(counts) {
  const most = Math.max(...counts.map(([, count]) => count));
  return html`<ul class="ft-bars dr-bars">${counts.map(([value, count]) => html`<li><span class="clip" title="${value}" dir="auto">${value}</span>
    <i style="--share:${((100 * count) / most).toFixed(1)}%"></i><span class="num">${number(count)}</span></li>`)}</ul>`;
}
