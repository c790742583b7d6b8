// How a turn of a comparison is drawn.

import { html, notice, number } from "./base.js";
import { differences, marked } from "./differences.js";

const FORMATS = { nf4: "4 bits (NF4)", int8: "8 bits (int8)" };
const FINISH = { length: "cut off at the longest answer", stopped: "stopped", repeats: "it began to repeat itself" };

// One turn: what was asked, the expected answer, and both answers.
//   sides: [{title, colour}, …]; marks: whether words that differ are marked; loading: the models are still being loaded.
export function turnCard(turn, at, { sides, marks, loading }) {
  const before = at === 0 && turn.given?.length ? html`<details class="given"><summary class="small soft">${turn.given.length === 1 ? "One turn" : `${turn.given.length} turns`} before it</summary>
    ${turn.given.map((one) => html`<p dir="auto"><b class="small soft">${one.role}</b> ${one.content}</p>`)}</details>` : "";
  const expected = turn.expected ? html`<div class="expected"><span class="small soft">Expected answer</span><div class="words" dir="auto">${turn.expected}</div></div>` : "";
  return html`<article class="turn" data-turn="${at}">
    <div class="asked"><span class="small soft">${turn.row ? "Held-out row" : "You"}</span>${before}<div class="words" dir="auto">${turn.prompt}</div></div>${expected}
    ${turn.error ? html`${notice(turn.error)}<p><button type="button" class="ft-button small" data-again>Try again</button></p>` : ""}
    <div class="pair">${turn.answers.map((one, side) => answerCard(turn, one, side, { sides, marks, loading }))}</div></article>`;
}

function answerCard(turn, one, side, { sides, marks, loading }) {
  const told = sides[side];
  const done = one.state === "done";
  const words = !done ? html`<div class="words ${one.state === "written" ? "" : "writing"}" data-words="${side}" dir="auto">${one.text}</div>`
    : html`<div class="words" data-words="${side}" dir="auto">${marks && turn.answers.every((other) => other.state === "done")
      ? marked(differences(turn.answers[0].text, turn.answers[1].text)[side]) : one.text}</div>`;
  const nothing = done && !one.text.trim() && one.finish !== "error" ? html`<p class="soft small">${one.finish === "stopped" ? "Stopped before its first word." : "The model said nothing."}</p>` : "";
  return html`<section class="answer-card" style="--side:var(${told.colour})" aria-label="Answer of ${told.title}" aria-busy="${done ? "false" : "true"}">
    ${words}${nothing}${done ? foot(turn, one, side, sides) : html`<p class="soft small waiting">${progress(one, loading)}</p>`}</section>`;
}
// How far an answer is that is not done.
export function progress({ state }, loading) {
  if (state === "written") return "Done. The other one is still being written; asking anew stops it.";
  return state === "writing" ? "Writing…" : loading ? "Waiting for the models to load…" : "Thinking…";
}

function foot(turn, one, side, sides) {
  const right = turn.expected === undefined || one.finish === "error" ? "" : same(one.text, turn.expected)
    ? html`<span class="mark good">✓ as expected</span>` : html`<span class="mark soft">✗ not as expected</span>`;
  const facts = [one.tokens !== undefined && `${number(one.tokens)} tokens`, one.seconds !== undefined && `${one.seconds.toFixed(1)} s`, FINISH[one.finish], one.cut && "the beginning of the conversation did not fit"].filter(Boolean);
  return html`<div class="foot small soft">${one.weights ? stamp(one.weights) : ""}<span class="num" title="${one.first === undefined ? "" : `First word after ${one.first.toFixed(2)} s`}">${facts.join(" · ")}</span>${right}
    <button type="button" class="ft-button quiet small" data-copy="${side}" aria-label="Copy the answer of ${sides[side].title}">Copy</button></div>`;
}

// As studio/scores.py compares: in the composed form, white space as single blanks.
const plain = (text) => text.normalize("NFC").split(/\s+/).filter(Boolean).join(" ");
const same = (one, other) => plain(one) === plain(other);

// Which weights made an answer: the base's hash, with its number format where that is of few bits, and behind the +
// the hash of what was trained.
const shortened = (base) => base.replace(/^(.{6})[^-]*/, "$1");
function stamp(weights) {
  const [base, tuned] = weights.split("+");
  const [, format] = base.split("-");
  const rounded = format ? ` The base's numbers were rounded to ${FORMATS[format]}, as they were when the run was trained.` : "";
  const words = `Made by the weights ${weights}. ${tuned ? "Before the + stands the hash of the base, behind it that of what was trained." : "This is the hash of the base model, nothing trained on it."}${rounded} The same stamp is always the same weights.`;
  return html`<code class="stamp ${tuned ? "tuned" : "base"}" title="${words}" tabindex="0" data-weights="${weights}">${[shortened(base), tuned?.slice(0, 6)].filter(Boolean).join("+")}<span class="unseen"> ${words}</span></code>`;
}
