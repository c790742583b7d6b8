// A row as people read it: turns of a conversation, tool calls as code, a label, two answers side by side.
// With `edit` every text is a field, a label one with the dataset's labels to choose from; `texts(place)` collects what
// was written into them.

import { html } from "./base.js";

const NAMES = { system: "System", user: "User", assistant: "Assistant", tool: "Tool" };
export const SIDES = { train: "Training", validation: "Validation", test: "Held out" };

export function rowBody(row, edit = false, labels = []) {
  if (row.kind === "text") return turn({ role: "text", content: row.text }, "Text", "text", null, edit);
  const asked = turns(row.messages, "messages", edit);
  if (row.kind === "preference") {
    return html`${asked}<div class="ft-pair">
      <div class="side" role="group" aria-label="Better answer"><h3>Better</h3>${turns(row.chosen, "chosen", edit)}</div>
      <div class="side" role="group" aria-label="Worse answer"><h3>Worse</h3>${turns(row.rejected, "rejected", edit)}</div></div>`;
  }
  if (row.kind === "label") return html`${asked}${edit && labels.length ? choice(row.label, labels) : turn({ role: "assistant", content: row.label }, "Label", "label", null, edit)}`;
  if (row.kind === "feedback") {
    const good = row.label === "true";
    return html`${asked}<div class="ft-turn"><span class="who">Judged</span><div class="said">${edit
      ? html`<select class="ft-select" data-of="label" aria-label="Judged"><option value="true" ${good ? html`selected` : ""}>Good</option>
          <option value="false" ${good ? "" : html`selected`}>Bad</option></select>`
      : html`<span class="chip ${good ? "good" : "bad"}">${good ? "Good" : "Bad"}</span>`}</div></div>`;
  }
  return asked;
}

// Of a row in a list: that it goes on.
export function moreTurns(row) {
  return row.more ? html`<p class="soft small">${row.more === 1 ? "and one more turn" : `and ${row.more} more turns`}</p>` : html``;
}

export function turns(list, of = "messages", edit = false) {
  return html`${(list ?? []).map((one, at) => turn(one, NAMES[one.role] ?? one.role, of, at, edit))}`;
}

function turn(one, name, of, at, edit) {
  const thoughts = one.reasoning_content;
  const text = edit
    ? html`<textarea data-of="${of}" ${at === null ? "" : html`data-at="${at}"`} aria-label="${name}${at === null ? "" : ` (turn ${at + 1})`}"
        rows="${Math.min(16, Math.max(2, Math.ceil((one.content ?? "").length / 80) + (one.content ?? "").split("\n").length - 1))}"
        dir="auto">${"\n"}${one.content}</textarea>`
    : one.content ? html`<div class="words" dir="auto" data-said="${of}:${at ?? ""}">${one.content}</div>` : "";
  return html`<div class="ft-turn ${one.role}"><span class="who">${name}${one.name ? html` <span class="soft">${one.name}</span>` : ""}</span>
    <div class="said">${thoughts ? html`<div class="thoughts" dir="auto">${thoughts}</div>` : ""}${text}${(one.calls ?? []).map((call) =>
      html`<pre class="call"><b>${call.name}</b> ${call.arguments}</pre>`)}</div></div>`;
}

const OFFERED = 24; // labels shown as buttons; the others are offered as one types
function choice(label, labels) {
  return html`<div class="ft-turn assistant"><span class="who">Label</span><div class="said stack tight-stack"><input class="ft-input" data-of="label" value="${label}" list="ft-labels" aria-label="Label" autocomplete="off" dir="auto">
    <datalist id="ft-labels">${labels.map((each) => html`<option value="${each}"></option>`)}</datalist>
    <div class="row tight-row" role="group" aria-label="Labels of this dataset">${labels.slice(0, OFFERED).map((each) => html`<button type="button" class="chip" data-label="${each}" dir="auto">${each}</button>`)}
      <span class="soft small">or write a new one</span></div></div></div>`;
}

// What the tools of a row are, as the model reads it.
export function tools(row) {
  if (!row.definitions) return html``;
  return html`<details class="fold ft-definitions"><summary>${row.tools.length === 1 ? "1 tool the model may call" : `${row.tools.length} tools the model may call`}</summary>
    <div class="ft-turn"><span></span><div class="said">${row.definitions.map((one) => html`<pre class="call">${one}</pre>`)}</div></div></details>`;
}

// What a row says where a text of it stands; null where it has no such place.
export function textOf(row, { of, at }) {
  const one = Array.isArray(row[of]) ? row[of][at] : of in row && { content: row[of] };
  return one ? one.content ?? "" : null;
}

// The texts that were changed.
export function texts(place) {
  return [...place.querySelectorAll("[data-of]")]
    .filter((field) => (field.matches("select") ? !field.selectedOptions[0].defaultSelected : field.value !== field.defaultValue))
    .map((field) => ({ of: field.dataset.of, at: field.dataset.at === undefined ? null : Number(field.dataset.at), text: field.value }));
}

export function chips(row) {
  return html`<span class="chip">${SIDES[row.split] ?? row.split}</span>${row.excluded ? html`<span class="chip excluded">Left out</span>` : ""}${row.edited
    ? html`<span class="chip edited">Edited</span>` : ""}${Object.entries(row.tags ?? {}).map(([name, value]) =>
      html`<span class="chip tag" title="${name}">${value}</span>`)}${row.tools?.length ? html`<span class="chip" title="${row.tools.join(", ")}">${row.tools.length} tool${row.tools.length > 1 ? "s" : ""}</span>` : ""}`;
}
