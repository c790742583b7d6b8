// The versions of a dataset: what each was made of and who used it, what differs between two, a way back.
//
//   ?tab=data&dataset=NAME&part=versions&old=1&new=2&what=changed&from=10

import { Part, address, ask, go, html, notice, number, tell, when } from "./base.js";
import { at, badRows, link, shares } from "./dataset-links.js";
import { differences, marked } from "./differences.js";
import { toast } from "./toast.js";
import { SIDES, chips, rowBody } from "./turns.js";

const DONE = [["edited", "edited"], ["excluded", "left out"], ["moved", "moved"], ["tagged", "tagged"], ["marked", "with words marked"], ["added", "added"], ["orphaned", "left out as written after a held-out row"]];
const WHATS = { changed: "Changed", added: "Added", removed: "Gone" };
const FIELDS = { messages: "the turns", chosen: "the better answer", rejected: "the worse answer", label: "the label", text: "the text", split: "its side", tags: "its tags", tools: "its tools", kind: "its kind" };
const FORMS = [["messages", "JSONL, OpenAI messages"], ["alpaca", "JSONL, Alpaca"], ["sharegpt", "JSONL, ShareGPT"], ["csv", "CSV, for a spreadsheet"], ["parquet", "Parquet, as stored"]];

class Versions extends Part {
  every = 5000;

  start() {
    this.name = address().dataset;
    this.path = `/studio/datasets-versions/${encodeURIComponent(this.name)}`;
    this.draw(null, html`<div class="stack"><div class="list"></div><div class="told"></div><div class="compared stack"></div><div class="taken"></div></div>`);
    this.onclick = (event) => this.clicked(event);
    this.onsubmit = (event) => { event.preventDefault(); this.submitted(event.target); };
    this.onchange = (event) => {
      if (event.target.matches(".choose select")) go({ [event.target.name]: event.target.value, from: null, what: null });
    };
    this.loop();
    this.compare();
  }
  addressChanged() {
    const now = address();
    if (now.tab === "data" && now.dataset === this.name && now.part === "versions" && !now.row) this.compare();
  }
  async tick() {
    this.found = await ask(this.path);
    this.draw(".list", this.list());
    this.draw(".taken", this.taken());
    if (this.among !== this.found.versions.length) { this.among = this.found.versions.length; this.compare(); }
  }

  list() {
    const { versions, latest } = this.found;
    return html`<div class="card flush scroll"><table class="ft-table"><thead><tr><th scope="col">Version</th><th scope="col">What is in it</th><th scope="col" class="right">Rows</th>
      <th scope="col">Training · validation · held out</th><th scope="col">Used by</th><th scope="col" class="right">Made</th><th scope="col"><span class="unseen">Deeds</span></th></tr></thead>
      <tbody>${versions.toReversed().map((each) => this.line(each, latest))}</tbody></table></div>`;
  }
  line(each, latest) {
    const { version, title } = each;
    const name = this.naming === version
      ? html`<form class="row" data-name="${version}"><label class="unseen" for="version-name">Name of version ${version}</label>
          <input id="version-name" name="title" class="search" value="${title ?? ""}" data-most="80" autocomplete="off" placeholder="As it came, Cleaned by Ada …">
          <button class="ft-button small primary">Save</button><button type="button" class="ft-button small" data-do="keep">Cancel</button></form>`
      : html`<strong>${version}</strong>${title ? html` <span dir="auto" class="anywhere">${title}</span>` : ""}${version === latest ? html` <span class="chip good">latest</span>` : ""}`;
    return html`<tr><th scope="row">${name}</th><td class="soft small">${this.origin(each)}</td><td class="right num">${number(each.rows)}</td>
      <td>${shares(each.counts)}<div class="soft small num">${["train", "validation", "test"].map((side) => number(each.counts[side] ?? 0)).join(" · ")}</div></td>
      <td class="small">${each.runs.length ? each.runs.slice(-2).map((run) => html`<a class="anywhere" dir="auto" title="${run.name.slice(0, 200)}" data-go="tab=runs&run=${run.id}" href="?tab=runs&run=${run.id}">${run.name.slice(0, 40)}</a> `) : html`<span class="soft">no run</span>`}${each.runs.length > 2
        ? html`<span class="soft">and ${each.runs.length - 2} more</span>` : ""}</td><td class="right soft num">${when(each.made)}</td>
      <td class="right"><span class="row nowrap"><button type="button" class="ft-button small" data-do="name" data-version="${version}" aria-label="Name version ${version}">Name it</button>
        ${version === latest ? "" : html`<button type="button" class="ft-button small" data-do="back" data-version="${version}">Go back to it</button>`}</span></td></tr>`;
  }
  origin(each) {
    if (each.back) return `the rows of version ${each.made_from} again`;
    if (!each.made_from) return html`<span class="anywhere">${each.source?.file ? `from ${each.source.file}` : "imported"}${each.bad_rows ? `, ${badRows(each.bad_rows)}` : ""}</span>`;
    const done = DONE.filter(([key]) => each[key]).map(([key, words]) => `${number(each[key])} ${words}`).join(", ");
    return `version ${each.made_from} with ${done || "no change"}`;
  }

  // ---- Two versions beside each other ----

  pair() {
    const { versions, latest } = this.found;
    const now = address(), numbers = versions.map((each) => String(each.version));
    const newer = numbers.includes(now.new) ? now.new : String(latest);
    const older = numbers.includes(now.old) ? now.old : numbers.findLast((each) => Number(each) < Number(newer)) ?? numbers[0];
    return [older, newer];
  }
  async compare() {
    if (!this.found) return;
    if (this.found.versions.length < 2) {
      this.draw(".compared", html`<div class="card empty"><h2>One version so far</h2><p>Change a row, under Rows or Review, and freeze the change with the button that then stands above; or import the file again after it changed. This page shows what differs between two versions.</p></div>`);
      return;
    }
    const [old, newer] = this.pair(), now = address();
    const query = new URLSearchParams({ old, new: newer, start: now.from ?? "0", ...(now.what ? { what: now.what } : {}) });
    const mine = (this.asked = (this.asked ?? 0) + 1);
    const slow = setTimeout(() => this.draw(".told", html`<div class="bar unknown" role="progressbar" aria-label="Comparing"><i></i></div>`), 250);
    try {
      const answer = await ask(`${this.path}/compare?${query}`);
      if (mine === this.asked) this.draw(".compared", this.compared(answer, old, newer));
      this.draw(".told", html``);
    } catch (error) {
      if (mine === this.asked) this.draw(".told", notice(error));
    } finally {
      clearTimeout(slow);
    }
  }
  compared(answer, old, newer) {
    const choose = (name, chosen) => html`<select class="ft-select" name="${name}" aria-label="${name === "old" ? "Older" : "Newer"} version">${this.found.versions.map((each) =>
      html`<option value="${each.version}" ${String(each.version) === chosen ? html`selected` : ""}>Version ${each.version}${each.title ? `: ${each.title.slice(0, 40)}` : ""}</option>`)}</select>`;
    const what = address().what ?? "";
    const all = Object.values(answer.counts).reduce((sum, count) => sum + count, 0);
    const kinds = [["", "All", all], ...Object.entries(WHATS).map(([key, words]) => [key, words, answer.counts[key]])];
    const last = Math.min(answer.start + answer.page, answer.total);
    return html`<div class="spread"><h2 class="row choose">From ${choose("old", old)} to ${choose("new", newer)}</h2>
        <div class="sides" role="group" aria-label="Which rows">${kinds.map(([key, words, count]) => html`<button type="button" data-what="${key}" aria-pressed="${key === what}">${words} <span class="num">${number(count)}</span></button>`)}</div></div>
      ${answer.pairs.length ? answer.pairs.map((pair) => this.card(pair, newer)) : html`<div class="card empty"><h2>${old === newer ? "One and the same version" : "No row differs"}</h2><p>Rows are compared by what is learned from them, their side and their tags.</p></div>`}
      ${answer.total <= answer.page ? "" : html`<nav class="pager" aria-label="Pages"><button type="button" class="ft-button" data-from="${answer.start - answer.page}" ${answer.start ? "" : html`disabled`}>Previous</button>
        <span class="num soft">${number(answer.start + 1)}–${number(last)} of ${number(answer.total)}</span>
        <button type="button" class="ft-button" data-from="${answer.start + answer.page}" ${last < answer.total ? "" : html`disabled`}>Next</button></nav>`}`;
  }
  card({ row, what, changed, old, new: newer }, version) {
    const latest = Number(version) === this.found.latest;
    const { file, line } = newer ?? old;
    const words = file ? `Row of line ${number(line)}` : "Row added here";
    const title = newer && latest ? html`<a data-go="row=${row}&from=" href="?tab=data&dataset=${encodeURIComponent(this.name)}&row=${row}">${words}</a>` : html`<span class="soft">${words}</span>`;
    if (what !== "changed") {
      return html`<article class="card ft-rowcard"><header>${title}<span class="chip ${what === "added" ? "good" : "bad"}">${WHATS[what]}</span>${chips(newer ?? old)}</header>${rowBody(newer ?? old)}</article>`;
    }
    const [before, after] = sides(old, newer);
    const fields = changed.map((field) => FIELDS[field] ?? field).join(", ");
    return html`<article class="card ft-rowcard"><header>${title}<span class="chip edited">Changed: ${fields}</span></header><div class="ft-pair">
      <div class="side" role="group" aria-label="As it was"><h3>As it was</h3>${before}</div><div class="side" role="group" aria-label="As it is"><h3>As it is</h3>${after}</div></div></article>`;
  }

  // ---- Taking it elsewhere ----

  taken() {
    return html`<div class="card stack"><h2>Take it elsewhere</h2><p class="soft">The latest version as a file, or on the Hugging Face hub. Row ids, sides and tags travel with the rows.</p>
      <div class="row">${FORMS.map(([form, words]) => html`<button type="button" class="ft-button" data-form="${form}">${words}</button>`)}</div><div class="save-told"></div>
      <details class="fold"><summary>Publish on the Hugging Face hub</summary><form class="stack publish">
        <p class="soft small">It goes to the hub when you press the button, and not before. A new repository is private unless you say otherwise; one with files of others is left alone unless you say otherwise. The studio takes the access token from the environment (HF_TOKEN) and keeps it nowhere.</p>
        <div class="row"><label>Repository <input class="search" name="repo" placeholder="your-name/${this.name}" autocomplete="off" required data-needs="Give the repository it goes to, as your-name/its-name." data-most="193"></label>
          <label>Licence <input class="search" name="licence" placeholder="cc-by-4.0" autocomplete="off" data-most="60"></label>
          <label class="row tight-row"><input type="checkbox" name="public"> Everybody may see it</label>
          <label class="row tight-row"><input type="checkbox" name="replace"> Replace what is there</label><button class="ft-button">Publish</button></div></form><div class="publish-told"></div></details></div>`;
  }
  async save(form) {
    const there = `${at(this.name)}/download?form=${form}`;
    if (["alpaca", "sharegpt", "csv"].includes(form)) {
      this.draw(".save-told", html`<p class="soft small" role="status">${form === "csv" ? "Looking for cells that look like formulas…" : "Looking whether every row fits…"}</p>`);
      const { rows, left_out, why, notes, formulas } = await ask(`${this.path}/fits?form=${form}`);
      if (left_out === rows) {
        this.draw(".save-told", notice({ what: "No row fits this form.", why: `The first one: ${why}.`, next: "Take OpenAI messages instead." }, "warning"));
        return;
      }
      if (form === "csv") this.draw(".save-told", formulas ? notice({ what: "Some cells look like formulas.", why: notes.join(" "), next: "" }, "warning") : html`<p class="soft small" role="status">${notes.join(" ")}</p>`);
      else this.draw(".save-told", notes.length ? notice({ what: left_out ? `${number(left_out)} of ${number(rows)} rows are left out.` : "Some marked words stay behind.", why: notes.join(" "), next: "OpenAI messages hold every row." }, "warning") : html``);
    } else this.draw(".save-told", html``);
    const away = document.createElement("a");
    away.href = there;
    away.download = "";
    away.click();
  }
  async publish(form) {
    const { repo, licence, public: open, replace } = form.elements;
    const { job } = await tell(`${this.path}/publish`, { repo: repo.value, licence: licence.value, public: open.checked, replace: replace.checked });
    this.draw(".publish-told", html`<ft-job data-kind="jobs" data-id="${job}" data-title="Publishing ${repo.value}" data-stopped="Nothing was published."></ft-job>`);
  }

  // ---- Deeds ----

  clicked(event) {
    const button = event.target.closest("button");
    if (!button) return;
    const { what, from, form, do: deed, version } = button.dataset;
    if (what !== undefined) go({ what, from: null });
    else if (from !== undefined) { go({ from: Number(from) > 0 ? from : null }); this.querySelector(".compared").scrollIntoView(); }
    else if (form) this.trying(".save-told", () => this.save(form));
    else if (deed === "back") this.trying(".told", () => this.back(Number(version)));
    else if (deed === "name" || deed === "keep") {
      this.naming = deed === "name" ? Number(version) : null;
      this.draw(".list", this.list());
      this.querySelector("#version-name")?.focus();
    }
  }
  submitted(form) {
    if (form.matches(".publish")) { this.trying(".publish-told", () => this.publish(form)); return; }
    this.trying(".told", async () => {
      await tell(`${this.path}/title`, { version: Number(form.dataset.name), title: form.elements.title.value });
      this.naming = null;
      this.loop();
    });
  }
  async back(version) {
    const { version: made } = await tell(`${this.path}/back`, { version });
    toast(`Version ${made} has the rows of version ${version}.`);
    this.dispatchEvent(new CustomEvent("ft-changed", { bubbles: true }));
    this.loop();
  }
  async trying(place, deed) {
    try {
      await deed();
    } catch (error) {
      this.draw(place, notice(error));
    }
  }
}
customElements.define("ft-versions", Versions);

// A changed row as it was and as it is, with the words marked that only one of them has.
function sides(old, newer) {
  const texts = (row) => [...["messages", "chosen", "rejected"].flatMap((name) => (row[name] ?? []).map((turn, at) => [`${name} ${at}`, turn.role, turn.content])),
    ...["label", "text"].filter((name) => row[name]).map((name) => [name, name, row[name]]), ["split", "side", SIDES[row.split] ?? row.split],
    ...Object.entries(row.tags ?? {}).map(([name, value]) => [`tag ${name}`, name, value])];
  const lists = [texts(old), texts(newer)], at = lists.map((list) => new Map(list.map(([key, , text]) => [key, text])));
  return lists.map((list, side) => html`${list.filter(([key, , text]) => !key.startsWith("tag") && key !== "split" || at[1 - side].get(key) !== text).map(([key, name, text]) => {
    const pair = side === 0 ? differences(text, at[1].get(key) ?? "") : differences(at[0].get(key) ?? "", text);
    return html`<div class="ft-turn ${name}"><span class="who">${name[0].toUpperCase()}${name.slice(1)}</span><div class="said"><div class="words" dir="auto">${marked(pair[side])}</div></div></div>`;
  })}`);
}
