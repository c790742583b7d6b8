// The rows of a dataset, twenty a page: searched, filtered, sorted, all of it in the address. Of large sets it says how
// far the index is that makes this quick, and starts it where there is none.

import { Part, address, ask, go, html, notice, number, tell } from "./base.js";
import { at } from "./dataset-links.js";
import { NO_CHOICE, bar, change, chosen, isChosen } from "./row-choice.js";
import { SIDES, chips, moreTurns, rowBody } from "./turns.js";

let lastRow = null; // the row that was looked at, to come back to its place in the list
export function leftRow(id) { lastRow = id; }

class Rows extends Part {
  start() {
    this.name = address().dataset;
    this.draw(null, html`<div class="stack"><div class="ft-tools"><input class="search" type="search" placeholder="Search the rows" aria-label="Search the rows" maxlength="500">
        <div class="sides" role="group" aria-label="Which rows"></div><span class="soft small num count" role="status"></span></div>
      <div class="ft-choices row"></div><div class="index"></div><div class="bar unknown busy" hidden><i></i></div><div class="list stack"></div><nav class="pager" aria-label="Pages"></nav></div>`);
    this.search = this.querySelector(".search");
    this.search.value = address().find ?? "";
    this.search.oninput = () => { clearTimeout(this.typing); this.typing = setTimeout(() => go({ find: this.search.value, from: null }, { replace: true }), 250); };
    this.onclick = (event) => this.clicked(event);
    this.onchange = (event) => event.target.closest(".ft-choices") && go(change(event.target, address()));
    this.addEventListener("ft-job-done", () => { this.indexing = null; this.rows(); });
    this.rows();
  }
  disconnectedCallback() {
    super.disconnectedCallback();
    clearTimeout(this.more);
  }
  addressChanged() {
    const now = address();
    if (now.tab !== "data" || now.dataset !== this.name || now.row || now.part) return;
    if ((now.find ?? "") !== this.search.value && document.activeElement !== this.search) this.search.value = now.find ?? "";
    this.rows();
  }
  // What the studio says of the version; told again when somebody, here or elsewhere, changed rows.
  show(info) {
    const state = `${info.version.version} ${info.reviews}`;
    this.info = info;
    this.name = info.name;
    this.draw(".sides", this.sides());
    if (this.state && this.state !== state) this.rows();
    if (this.state !== state) this.choose();
    this.state = state;
  }
  // What can be filtered and sorted by.
  async choose() {
    const asked = address().version ?? "";
    const choices = await ask(`${at(this.name)}/choices${asked ? `?version=${asked}` : ""}`).catch(() => null);
    if (!choices || asked !== (address().version ?? "")) return;
    this.choices = choices;
    this.bar();
  }
  bar() {
    this.draw(".ft-choices", this.choices?.ready ? bar(this.choices, address(), this.info?.changes) : html``);
  }
  sides() {
    const { counts } = this.info;
    const now = address().side ?? "";
    const all = [["", "All", this.info.version.rows], ...Object.entries(counts).map(([side, count]) => [side, SIDES[side], count])];
    if (this.info.changes) all.push(["changed", "Changed", this.info.changes]);
    if (this.info.leaving) all.push(["excluded", "Left out", this.info.leaving]);
    return html`${all.map(([side, words, count]) => html`<button type="button" data-side="${side}" aria-pressed="${side === now}">${words} <span class="num">${number(count)}</span></button>`)}`;
  }

  async rows(wait = 0) {
    clearTimeout(this.more);
    const now = address();
    const query = chosen(now, { start: now.from, wait: wait || undefined });
    const mine = (this.asked = (this.asked ?? 0) + 1);
    const busy = this.querySelector(".busy");
    const slow = setTimeout(() => { busy.hidden = false; }, 200);
    try {
      const page = await ask(`${at(this.name)}/rows?${query}`);
      if (mine !== this.asked || !this.isConnected) return;
      this.list(page);
      if (!page.exact) this.more = setTimeout(() => this.rows(1), 100); // it looks on where it stopped
    } catch (error) {
      if (mine === this.asked && this.info) this.draw(".list", notice(error));
    } finally {
      clearTimeout(slow);
      if (mine === this.asked) busy.hidden = this.page?.exact ?? true;
    }
  }
  list(page) {
    const now = address();
    this.page = page;
    const nothing = !page.exact ? html`<p class="soft">Looking through the rows…</p>` : isChosen(now)
      ? html`<div class="empty"><h2>No row matches</h2><p>Search for other words, or look at all rows.</p><p><button type="button" class="ft-button" data-do="all">Show all rows</button></p></div>`
      : html`<div class="empty"><h2>This version has no rows</h2></div>`;
    this.draw(".list", page.rows.length ? html`${page.rows.map((row, place) => this.card(row, page.start + place + 1))}` : nothing);
    const about = page.exact ? "" : "about ";
    this.draw(".count", !isChosen(now) ? html`` : html`${about}${page.total === 1 ? "1 row" : `${number(page.total)} rows`}${this.alike(now, page)}`);
    const last = page.exact ? Math.min(page.start + page.page, page.total) : page.start + page.rows.length;
    this.draw(".pager", page.total <= page.page ? html`` : html`<button type="button" class="ft-button" data-from="${page.start - page.page}" ${page.start ? "" : html`disabled`}>Previous</button>
      <span class="num soft">${number(page.start + 1)}–${number(last)} of ${about}${number(page.total)}</span>
      <button type="button" class="ft-button" data-from="${page.start + page.page}" ${page.start + page.page < page.total ? "" : html`disabled`}>Next</button>`);
    this.draw(".sides", this.info ? this.sides() : html``);
    this.bar();
    this.index(page.index);
    if (lastRow) {
      const card = this.querySelector(`[data-row="${CSS.escape(lastRow)}"]`);
      lastRow = null;
      card?.scrollIntoView({ block: "center" });
      card?.querySelector("a").focus({ preventScroll: true });
    }
  }
  // From rows that were sought to more rows like them; only those that are trained on are written after.
  alike(now, page) {
    const none = !page.total || this.info?.version.version !== this.info?.latest || !["", "train", "changed"].includes(now.side ?? "");
    return none ? "" : html` · <a data-go="part=more&from=" href="?tab=data&dataset=${encodeURIComponent(this.name)}&part=more&${chosen(now)}">Write more like these</a>`;
  }
  // How it stands with the index of a large version.
  async index(index) {
    if (index.state === "missing" && !this.indexing) {
      this.indexing = "asked";
      try {
        index = await tell(`${at(this.name)}/index${address().version ? `?version=${address().version}` : ""}`);
      } catch (error) {
        this.indexing = null;
        this.draw(".index", notice(error, "warning"));
        return;
      }
    }
    this.indexing = index.state === "building" ? index.job : null;
    const failed = { what: "Searching and sorting stay slow.", why: "Making them quick was stopped or went wrong.", next: "Try again; the rows are all there." };
    this.draw(".index", index.state === "building"
      ? html`<div class="card"><ft-job data-kind="jobs" data-id="${index.job}" data-title="Making these rows quick to sort and search"></ft-job>
          <p class="soft small">Meanwhile a search reads all of them, which takes some seconds.</p></div>`
      : index.state === "failed" ? html`${notice(failed, "warning")}<p><button type="button" class="ft-button" data-do="index">Try again</button></p>` : html``);
    if (index.columns && this.choices && !this.choices.ready) this.choose();
    clearTimeout(this.sortable);
    if (index.state === "building" && !index.columns) this.sortable = setTimeout(() => this.isConnected && this.rows(), 2000);
  }
  card(row, place) {
    return html`<article class="card ft-rowcard ${row.excluded ? "out" : ""}" data-row="${row.id}"><header>
      <a class="open" data-go="row=${row.id}" href="?tab=data&dataset=${encodeURIComponent(this.name)}&row=${row.id}">Row ${number(place)}</a>${chips(row)}
      <span class="soft small where">${row.file ? `line ${number(row.line)}` : ""}</span></header>${rowBody(row)}${moreTurns(row)}</article>`;
  }

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
    if (target.closest("[data-do=all]")) { this.search.value = ""; go(NO_CHOICE); }
    if (target.closest("[data-do=index]")) this.index({ state: "missing" });
  }
}
customElements.define("ft-rows", Rows);
