// One dataset: what it holds, how long its rows are, and its rows, twenty a page, searched and filtered.

import { Part, Told, address, ask, go, html, notice, number, tell, when } from "./base.js";
import { CONFIG, colour, layout, onTheme, plotly } from "./plotly.js";
import { toast } from "./toast.js";
import { SIDES, chips, rowBody } from "./turns.js";

// For links: what of the address belongs to a view inside the Data tab.
export const OUT = "row=&version=&find=&side=&from=&view=";
const link = (query, text, extra = "") => html`<a data-go="${query}" href="?${query}" ${extra}>${text}</a>`;
const at = (name) => `/studio/datasets/${encodeURIComponent(name)}`;

// A bar in three shades: rows of each side.
export function shares(counts) {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0) || 1;
  return html`<div class="ft-shares" aria-hidden="true">${Object.entries(counts).map(([side, count]) =>
    html`<i class="${side}" style="width:${((100 * count) / total).toFixed(2)}%"></i>`)}</div>`;
}

let lastRow = null; // the row that was looked at, to come back to its place in the list
export function leftRow(id) { lastRow = id; }

class Dataset extends Part {
  every = 5000;

  start() {
    this.name = address().dataset;
    this.draw(null, html`<div class="ft-dataset stack"><div class="head"></div><div class="told"></div>
      <div class="grid3 figures"><div class="card split"></div><div class="card groups" hidden></div><div class="card lengths"><div class="spread">
        <h2>Length of rows</h2><span class="model"></span></div><div class="chart"></div><p class="soft small words" role="status"></p></div></div>
      <div class="ft-tools"><input class="search" type="search" placeholder="Search the rows" aria-label="Search the rows" maxlength="500">
        <div class="sides" role="group" aria-label="Which rows"></div><span class="soft small num count" role="status"></span></div>
      <div class="bar unknown busy" hidden><i></i></div><div class="list stack"></div><nav class="pager" aria-label="Pages"></nav></div>`);
    this.search = this.querySelector(".search");
    this.search.value = address().find ?? "";
    this.search.oninput = () => { clearTimeout(this.typing); this.typing = setTimeout(() => this.find(), 250); };
    this.onclick = (event) => this.clicked(event);
    this.onsubmit = (event) => { event.preventDefault(); this.rename(event.target.elements.name.value); };
    this.onchange = (event) => {
      if (event.target.matches(".versions")) go({ version: event.target.value === String(this.info.latest) ? null : event.target.value, from: null, ...this.unchanged() });
      if (event.target.matches(".lengths select")) go({ model: event.target.value }, { replace: true });
    };
    this.unwatch = onTheme(() => this.histogram());
    this.outside ??= (event) => {
      for (const menu of this.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target) || event.target.closest("a")) menu.open = false;
    };
    document.addEventListener("click", this.outside);
    this.loop();
    this.rows();
  }
  disconnectedCallback() {
    super.disconnectedCallback();
    this.unwatch?.();
    document.removeEventListener("click", this.outside);
    if (this.plotted) window.Plotly.purge(this.querySelector(".chart"));
  }
  addressChanged() {
    const now = address();
    if (now.tab !== "data" || now.dataset !== this.name || now.row) return;
    if ((now.find ?? "") !== this.search.value && document.activeElement !== this.search) this.search.value = now.find ?? "";
    this.rows();
    this.loop();
  }
  find() { go({ find: this.search.value, from: null }, { replace: true }); }

  async tick() {
    const { version } = address();
    try {
      this.info = await ask(`${at(this.name)}${version ? `?version=${encodeURIComponent(version)}` : ""}`);
    } catch (error) {
      if (error.why && !this.info) { await this.missing(error); return; }
      throw error;
    }
    if (!this.isConnected || this.gone) return;
    this.draw(".head", this.head());
    this.draw(".told", this.told());
    this.draw(".split", this.split());
    this.querySelector(".groups").hidden = !Object.keys(this.info.groups).length;
    this.draw(".groups", this.groups());
    this.draw(".sides", this.sides());
    this.lengths();
    const state = `${this.info.latest} ${this.info.changes}`;
    if (this.state && this.state !== state) this.rows(); // somebody, here or elsewhere, changed rows
    this.state = state;
  }
  head() {
    const { name, version, latest, versions } = this.info;
    const title = this.renaming
      ? html`<form class="row"><label class="unseen" for="new-name">New name</label><input id="new-name" name="name" class="search" value="${name}" maxlength="64" autocomplete="off">
          <button class="ft-button primary">Rename</button><button type="button" class="ft-button" data-do="keep">Cancel</button></form><div class="rename-told"></div>`
      : html`<h1>${name}</h1>`;
    const source = [version.source?.file && `from ${version.source.file}`, `made ${when(version.made)}`, version.bad_rows && `${number(version.bad_rows)} bad rows left out`];
    const many = versions.length > 1;
    return html`<div class="stack tight-stack">${link(`tab=data&dataset=&${OUT}`, "‹ All datasets", html`class="back"`)}
      <div class="spread top"><div class="title">${title}<p class="soft">${version.kind_words} · ${number(version.rows)} rows · ${source.filter(Boolean).join(" · ")}</p></div>
      <div class="row deeds">${many
        ? html`<select class="versions ft-select" aria-label="Version">${versions.toReversed().map((each) => html`<option value="${each.version}"
            ${each.version === version.version ? html`selected` : ""}>Version ${each.version}${each.version === latest ? " (latest)" : ""}</option>`)}</select>`
        : html`<span class="chip">Version ${version.version}</span>`}
        <details class="menu ft-download"><summary class="ft-button">Download</summary><div>${[["jsonl", "JSONL, messages"], ["csv", "CSV, for a spreadsheet"], ["parquet", "Parquet, as stored"]].map(
          ([form, words]) => html`<a href="${at(name)}/download?form=${form}&version=${version.version}" download>${words}</a>`)}</div></details>
        <button type="button" class="ft-button" data-do="rename">Rename</button><button type="button" class="ft-button danger" data-do="delete">Delete</button>
        ${link(`tab=train&dataset=${encodeURIComponent(name)}&${OUT}`, "Train with it", html`class="ft-button primary"`)}</div></div></div>`;
  }
  told() {
    const { version, latest, changes } = this.info;
    if (version.version !== latest) {
      return html`<div class="notice" role="status">This is version ${version.version}, which never changes; the latest is ${latest}.
        ${link("version=", "Show the latest")}</div>`;
    }
    const made = version.made_from && !changes ? html`<div class="notice" role="status">Version ${version.version} was made from version ${version.made_from}:
      ${number(version.edited)} edited, ${number(version.excluded)} excluded.</div>` : "";
    if (!changes) return made;
    return html`<div class="notice warning spread" role="status"><span><strong>${changes === 1 ? "1 change" : `${number(changes)} changes`} not yet in a version.</strong>
      Training reads versions, so it does not see ${changes === 1 ? "it" : "them"} yet.</span><span class="row"><button type="button" class="ft-button" data-do="undo">Undo the last</button>
      <button type="button" class="ft-button" data-do="freeze">Freeze version ${latest + 1}</button></span></div>`;
  }
  split() {
    const { counts } = this.info.version;
    const use = { train: "to learn from", validation: "to watch the training", test: "kept for the score" };
    return html`<h2>Split</h2>${shares(counts)}<dl class="ft-legend">${Object.entries(counts).map(([side, count]) =>
      html`<div><dt><i class="${side}"></i>${SIDES[side]}</dt><dd class="num">${number(count)}</dd><dd class="soft small">${use[side]}</dd></div>`)}</dl>`;
  }
  groups() {
    return html`${Object.entries(this.info.groups).slice(0, 3).map(([name, values]) => {
      const most = Math.max(...values.map(([, count]) => count));
      return html`<h2>By ${name}</h2><ul class="ft-bars">${values.slice(0, 8).map(([value, count]) => html`<li><span class="clip" title="${value}" dir="auto">${value}</span>
        <i style="--share:${((100 * count) / most).toFixed(1)}%"></i><span class="num">${number(count)}</span></li>`)}</ul>${values.length > 8
        ? html`<p class="soft small">and more</p>` : ""}`;
    })}`;
  }
  sides() {
    const { counts } = this.info.version;
    const now = address().side ?? "";
    const all = [["", "All", this.info.version.rows], ...Object.entries(counts).map(([side, count]) => [side, SIDES[side], count])];
    if (this.info.changes) all.push(["changed", "Changed", this.info.changes]);
    return html`${all.map(([side, words, count]) => html`<button type="button" data-side="${side}" aria-pressed="${side === now}">${words} <span class="num">${number(count)}</span></button>`)}`;
  }

  // ---- Lengths ----

  async lengths() {
    const { models, version, name } = this.info;
    if (!models.length) {
      this.draw(".lengths .words", html`Rows are measured in the tokens of a model, and there is none yet. ${link(`tab=train&dataset=${encodeURIComponent(name)}&${OUT}`, "Choose one")}`);
      return;
    }
    const model = models.includes(address().model) ? address().model : models[0];
    const key = `${version.version} ${model}`;
    if (this.measured === key) return;
    this.measured = key;
    this.draw(".lengths .model", html`<select class="ft-select" aria-label="Tokens of the model">${models.map((each) => html`<option ${each === model ? html`selected` : ""}>${each}</option>`)}</select>`);
    this.draw(".lengths .words", html`Counting tokens…`);
    try {
      const found = await ask(`${at(name)}/lengths?version=${version.version}&model=${encodeURIComponent(model)}`);
      if (this.measured !== key) return;
      this.tokens = found.error ? null : found;
      if (found.error) this.draw(".lengths .words", notice(found.error, "warning"));
      await this.histogram();
    } catch (error) {
      this.measured = null;
      if (!(error instanceof Told)) throw error;
    }
  }
  async histogram() {
    if (!this.tokens?.tokens.length) {
      if (this.tokens) this.draw(".lengths .words", html`No row can be put into this model’s tokens.`);
      return;
    }
    const { tokens, rows, left_out } = this.tokens;
    const Plotly = await plotly();
    const chart = this.querySelector(".chart");
    if (!chart?.isConnected) return;
    const sorted = tokens.toSorted((a, b) => a - b);
    const [least, half, most] = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)];
    const size = Math.max(1, Math.ceil((most - least + 1) / 30));
    await Plotly.react(chart, [{
      type: "histogram", x: tokens, xbins: { start: least, end: most + size, size }, marker: { color: colour("--soft"), line: { width: 0 } },
      hovertemplate: "%{x} tokens<br>%{y} rows<extra></extra>",
    }], layout({ height: 150, bargap: 0.08, margin: { l: 30, r: 4, t: 4, b: 28 }, xaxis: { title: { text: "tokens", standoff: 4 }, nticks: 6, showgrid: false }, yaxis: { nticks: 4 } }), CONFIG);
    this.plotted = true;
    const seen = tokens.length + left_out;
    this.draw(".lengths .words", html`Half of the rows have at most <b class="num">${number(half)}</b> tokens, the longest <b class="num">${number(most)}</b>.${seen < rows
      ? ` Measured on ${number(seen)} of ${number(rows)} rows.` : ""}${left_out ? ` ${number(left_out)} can’t be put into this model’s tokens.` : ""}`);
  }

  // ---- Rows ----

  async rows() {
    const now = address();
    const query = new URLSearchParams({ version: now.version ?? "", start: now.from ?? "0", find: now.find ?? "", side: now.side ?? "" });
    for (const [key, value] of [...query]) if (!value) query.delete(key);
    const mine = (this.asked = (this.asked ?? 0) + 1);
    const busy = this.querySelector(".busy");
    const slow = setTimeout(() => { busy.hidden = false; }, 200);
    try {
      const page = await ask(`${at(this.name)}/rows?${query}`);
      if (mine === this.asked && !this.gone) this.show(page);
    } catch (error) {
      if (mine === this.asked && this.info) this.draw(".list", notice(error));
    } finally {
      clearTimeout(slow);
      if (mine === this.asked) busy.hidden = true;
    }
  }
  show(page) {
    const now = address();
    this.page = page;
    const nothing = now.find || now.side
      ? html`<div class="empty"><h2>No row matches</h2><p>Search for other words, or look at all rows.</p><p><button type="button" class="ft-button" data-do="all">Show all rows</button></p></div>`
      : html`<div class="empty"><h2>This version has no rows</h2></div>`;
    this.draw(".list", page.rows.length ? html`${page.rows.map((row, place) => this.card(row, page.start + place + 1))}` : nothing);
    this.draw(".count", !now.find ? html`` : html`${page.total === 1 ? "1 row" : `${number(page.total)} rows`}`);
    const last = Math.min(page.start + page.page, page.total);
    this.draw(".pager", page.total <= page.page ? html`` : html`<button type="button" class="ft-button" data-from="${page.start - page.page}" ${page.start ? "" : html`disabled`}>Previous</button>
      <span class="num soft">${number(page.start + 1)}–${number(last)} of ${number(page.total)}</span>
      <button type="button" class="ft-button" data-from="${page.start + page.page}" ${last < page.total ? "" : html`disabled`}>Next</button>`);
    this.draw(".sides", this.info ? this.sides() : html``);
    if (lastRow) {
      const card = this.querySelector(`[data-row="${CSS.escape(lastRow)}"]`);
      lastRow = null;
      card?.scrollIntoView({ block: "center" });
      card?.querySelector("a").focus({ preventScroll: true });
    }
  }
  card(row, place) {
    const cut = row.more ? html`<p class="soft small">${row.more === 1 ? "and one more turn" : `and ${row.more} more turns`}</p>` : "";
    return html`<article class="card ft-rowcard ${row.excluded ? "out" : ""}" data-row="${row.id}"><header>
      <a class="open" data-go="row=${row.id}" href="?tab=data&dataset=${encodeURIComponent(this.name)}&row=${row.id}">Row ${number(place)}</a>${chips(row)}
      <span class="soft small where">${row.file ? `line ${number(row.line)}` : ""}</span></header>${rowBody(row)}${cut}</article>`;
  }

  // ---- Deeds ----

  clicked(event) {
    const target = event.target;
    const side = target.closest("[data-side]");
    if (side) { go({ side: side.dataset.side, from: null }); return; }
    const page = target.closest("[data-from]");
    if (page) {
      go({ from: Number(page.dataset.from) > 0 ? page.dataset.from : null });
      this.querySelector(".ft-tools").scrollIntoView();
      return;
    }
    const card = target.closest("[data-row]");
    if (card && !target.closest("a, button, textarea, select") && !String(getSelection())) { go({ row: card.dataset.row }); return; }
    const deed = target.closest("[data-do]")?.dataset.do;
    if (deed) this.act(deed);
  }
  async act(deed) {
    if (deed === "all") { this.search.value = ""; go({ find: null, side: null, from: null }); return; }
    if (deed === "rename" || deed === "keep") {
      this.renaming = deed === "rename";
      this.draw(".head", this.head());
      this.querySelector(this.renaming ? "#new-name" : "[data-do=rename]")?.focus();
      return;
    }
    try {
      if (deed === "delete") await this.remove();
      else if (deed === "freeze") await this.freeze();
      else if (deed === "undo") {
        await tell(`${at(this.name)}/undo`);
        toast("The last change is taken back.");
        if (this.info.changes === 1) go(this.unchanged());
        this.refresh();
      }
    } catch (error) {
      this.draw(".told", notice(error));
    }
  }
  async remove() {
    const name = this.name;
    await tell(`${at(name)}/delete`);
    go({ ...Object.fromEntries(new URLSearchParams(OUT)), dataset: null });
    toast(`“${name}” is deleted.`, { run: async () => {
      await tell(`${at(name)}/restore`);
      go({ tab: "data", dataset: name });
    } });
  }
  async freeze() {
    this.draw(".told", html`<div class="notice" role="status">Freezing version ${this.info.latest + 1}…<div class="bar unknown"><i></i></div></div>`);
    const { version } = await tell(`${at(this.name)}/freeze`);
    toast(`Version ${version} is frozen; training can use it.`);
    go({ version: null, ...this.unchanged() });
    this.refresh();
  }
  // Where nothing is pending, there are no changed rows to look at.
  unchanged() { return address().side === "changed" ? { side: null } : {}; }
  async rename(name) {
    try {
      const made = await tell(`${at(this.name)}/rename`, { name });
      this.renaming = false;
      this.name = made.name;
      go({ dataset: made.name }, { replace: true });
      toast(`It is called “${made.name}” now.`);
    } catch (error) {
      this.querySelector(".rename-told").innerHTML = notice(error);
    }
  }
  refresh() { this.rows(); this.loop(); }

  // A link to a dataset that is not there (any more).
  async missing(error) {
    this.gone = true;
    this.alive = false;
    const { deleted } = await ask("/studio/datasets").catch(() => ({ deleted: [] }));
    const there = deleted.some((item) => item.name === this.name);
    this.draw(null, html`<div class="stack">${link(`tab=data&dataset=&${OUT}`, "‹ All datasets", html`class="back"`)}<div class="card empty"><h2 class="anywhere">${there ? `“${this.name}” was deleted` : error.what}</h2>
      <p class="anywhere">${there ? "It lies in the trash with all its versions." : `${error.why} ${error.next}`}</p><p class="row center">${there
        ? html`<button type="button" class="ft-button primary" data-back>Restore it</button>` : link(`tab=data&dataset=&${OUT}`, "All datasets", html`class="ft-button primary"`)}</p></div></div>`);
    this.querySelector("[data-back]")?.addEventListener("click", async () => {
      await tell(`${at(this.name)}/restore`).catch((failed) => toast(`${failed.what} ${failed.why} ${failed.next}`));
      this.gone = false;
      this.alive = true;
      this.start();
    });
  }
}
customElements.define("ft-dataset", Dataset);
