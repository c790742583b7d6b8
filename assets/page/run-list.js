// All runs in one table that lives: only the cells that changed are drawn again, so focus and open menus stay.

import { Part, address, duration, go, html, notice, size, when } from "./base.js";
import { menu } from "./menus.js";
import { editNote } from "./run-note.js";
import { LIVE, refresh, runs } from "./run-store.js";
import * as words from "./run-words.js";

const COLUMNS = [
  { key: "name", title: "Run", of: (run) => words.nameOf(run).toLowerCase() },
  { key: "status", title: "Status", of: (run) => Object.keys(words.STATES).indexOf(run.status) },
  { key: "progress", title: "Progress", of: (run) => words.share(run) },
  { key: "loss", title: "Loss", of: (run) => run.loss, right: true },
  { key: "dataset", title: "Dataset", of: (run) => run.dataset.toLowerCase(), wide: true },
  { key: "model", title: "Model", of: (run) => `${run.model} ${run.method}`.toLowerCase(), wide: true },
  { key: "made", title: "Made", of: (run) => run.created, down: true, wide: true },
  { key: "took", title: "Time", of: (run) => words.took(run), right: true },
  { key: "disk", title: "Disk", of: (run) => run.disk, right: true, wide: true },
];
const MANY = 8;
// A guess needs no seconds beyond the first minute.
const brief = (seconds) => duration(seconds < 60 ? seconds : 60 * Math.round(seconds / 60));

class RunList extends Part {
  start() {
    this.rows = new Map();
    this.chosen = new Set();
    this.busy = new Set();
    this.draw(null, html`<div class="stack">
      <div class="spread"><div><h1>Runs</h1><p class="soft count" role="status"></p></div>
        <div class="row"><a class="ft-button quiet" href="?tab=runs&deleted=1" data-go="tab=runs&deleted=1">Deleted runs</a>
          <a class="ft-button primary" href="?tab=train" data-go="tab=train">New run</a></div></div>
      <div class="trouble"></div>
      <div class="nothing"></div>
      <div class="full stack" hidden>
        <div class="spread"><input class="search" type="search" aria-label="Search runs" placeholder="Search by name, dataset, model, notes…">
          <div class="overlay row"></div></div>
        <div class="card flush scroll"><table class="runs"><thead></thead><tbody></tbody></table></div>
        <p class="soft none" hidden>No run fits this search.</p>
        <ft-endings></ft-endings>
      </div></div>`);
    this.search = this.querySelector(".search");
    this.search.value = address().q ?? "";
    this.search.oninput = () => { go({ q: this.search.value }, { replace: true }); this.show(); };
    this.onclick = (event) => this.clicked(event);
    this.onchange = (event) => this.marked(event);
    this.loop();
  }
  addressChanged() { if (this.rows && address().tab === "runs") this.show(); }
  async tick() {
    await refresh();
    this.show();
  }

  // ---- What is shown ----

  get order() {
    const [key, way] = (address().sort ?? "").split("-");
    return COLUMNS.some((one) => one.key === key) ? { key, down: way === "down" } : { key: "made", down: true };
  }
  found() {
    const wanted = this.search.value.trim().toLowerCase();
    const fits = (run) => [run.name, run.id, run.dataset, run.model, run.method, words.STATES[run.status], run.notes].join("\n").toLowerCase().includes(wanted);
    const { key, down } = this.order;
    const value = COLUMNS.find((one) => one.key === key).of;
    const rank = (a, b) => (a === b ? 0 : a === null || a === undefined ? 1 : b === null || b === undefined ? -1 : (a < b ? -1 : 1) * (down ? -1 : 1));
    return [...runs.values()].filter(fits).sort((a, b) => rank(value(a), value(b)) || (a.id < b.id ? 1 : -1));
  }
  show() {
    const live = [...runs.values()].filter((run) => LIVE.includes(run.status));
    const running = live.filter((run) => run.status !== "queued").length, waiting = live.length - running;
    this.querySelector(".full").hidden = runs.size === 0;
    this.draw(".count", runs.size ? [`${runs.size} ${runs.size === 1 ? "run" : "runs"}`, running && `${running} running`, waiting && `${waiting} waiting`].filter(Boolean).join(" · ") : "");
    this.draw(".nothing", runs.size ? "" : html`<div class="card empty"><h2>No runs yet</h2>
      <p>A run teaches a model from your examples. Choose a dataset and a model, and watch it learn here.</p>
      <p class="after"><a class="ft-button" href="?tab=train" data-go="tab=train">Start the first run</a></p></div>`);
    if (!runs.size) return;
    const found = this.found();
    this.querySelector(".none").hidden = found.length > 0;
    this.head();
    this.body(found);
    this.foot();
  }
  head() {
    const { key, down } = this.order;
    const cells = COLUMNS.map((one) => html`<th scope="col" class="${one.wide && "wide"} ${one.right && "right"}"
      aria-sort="${one.key !== key ? "none" : down ? "descending" : "ascending"}"><button type="button" data-sort="${one.key}"
      >${one.title}<span aria-hidden="true">${one.key !== key ? "" : down ? " ↓" : " ↑"}</span></button></th>`);
    const place = this.querySelector("thead"), text = String(html`<tr><th scope="col" class="tick"><span class="unseen">Select</span></th>${cells}<th scope="col"><span class="unseen">Actions</span></th></tr>`);
    if (place.drawn === text) return;
    const focused = place.contains(document.activeElement) && document.activeElement.dataset.sort;
    place.drawn = text;
    place.innerHTML = text;
    if (focused) place.querySelector(`[data-sort=${focused}]`).focus();
  }
  body(found) {
    const body = this.querySelector("tbody");
    const shown = new Set(found.map((run) => run.id));
    for (const [id, row] of this.rows) if (!shown.has(id)) { row.remove(); this.rows.delete(id); }
    for (const id of this.chosen) if (!runs.has(id)) this.chosen.delete(id);
    found.forEach((run, at) => {
      const row = this.row(run);
      if (body.children[at] !== row) body.insertBefore(row, body.children[at] ?? null);
    });
  }
  row(run) {
    const cells = this.cells(run);
    let row = this.rows.get(run.id);
    if (!row) {
      row = document.createElement("tr");
      row.dataset.run = run.id;
      cells.forEach(([name, kind]) => {
        const cell = document.createElement(name);
        cell.className = kind;
        if (name === "th") cell.scope = "row";
        row.append(cell);
      });
      this.rows.set(run.id, row);
    }
    cells.forEach(([, , markup], at) => {
      const cell = row.children[at], text = String(html`${markup}`);
      if (cell.drawn !== text) { cell.drawn = text; cell.innerHTML = text; }
    });
    return row;
  }
  cells(run) {
    const link = `tab=runs&run=${encodeURIComponent(run.id)}&runs=`;
    const broken = run.status === "broken", under = broken ? run.error?.what : run.notes.split("\n")[0];
    return [
      ["td", "tick", run.status !== "broken" && html`<input type="checkbox" aria-label="Select ${words.nameOf(run)}" ${this.chosen.has(run.id) ? html`checked` : ""}>`],
      ["th", "name", html`<a class="two-lines" href="?${link}" data-go="${link}" title="${words.nameOf(run)} · ${run.id}"><bdi>${words.nameOf(run)}</bdi></a>
        <div class="narrow soft small clip">${[run.dataset, run.model, words.method(run)].filter(Boolean).join(" · ")}</div>
        <div class="soft small ${broken ? "" : "clip"}" title="${broken ? run.error?.why : under}"><bdi>${under}</bdi></div>`],
      ["td", "", html`${words.chip(run)}${run.place && html`<div class="soft small">${words.place(run.place)}</div>`}`],
      ["td", "progress", run.status !== "broken" && html`${words.bar(run)}<div class="soft small num">${words.steps(run)}</div>`],
      ["td", "num right", words.short(run.loss)],
      ["td", "wide", html`<div class="clip" title="${run.dataset}">${run.dataset || "–"}</div>`],
      ["td", "wide", html`<div class="clip" title="${run.model}">${run.model || "–"}</div><div class="soft small">${words.method(run)}</div>`],
      ["td", "wide num", when(run.created)],
      ["td", "num right", html`${words.took(run) ? duration(words.took(run)) : "–"}${words.left(run) !== null && html`<div class="soft small">${brief(words.left(run))} left</div>`}`],
      ["td", "num right wide", size(run.disk)],
      ["td", "acts", this.actions(run)],
    ];
  }
  actions(run) {
    const busy = this.busy.has(run.id) ? html`disabled` : "";
    const quick = words.can.stop(run) ? ["stop", "Stop"] : words.can.resume(run) ? ["resume", "Resume"] : null;
    const items = [
      words.can.note(run) && ["note", "Name and notes…"], words.can.compare(run) && ["compare", "Compare"],
      words.can.evaluate(run) && ["evaluate", "Evaluate"], words.can.again(run) && ["again", "New run from this"],
      words.can.delete(run) && ["remove", "Delete"],
    ].filter(Boolean);
    return html`<div class="row">${quick && html`<button type="button" class="ft-button small" data-act="${quick[0]}" ${busy}
        aria-label="${quick[1]} ${words.nameOf(run)}">${quick[1]}</button>`}
      ${menu(`More for ${words.nameOf(run)}`, items.map(([act, title]) => html`<button type="button" class="${act === "remove" ? "danger" : ""}" data-act="${act}">${title}</button>`))}</div>`;
  }
  foot() {
    const count = this.chosen.size;
    this.draw(".overlay", count === 0 ? html`<span class="soft small">Select runs to compare their curves.</span>`
      : html`<button type="button" class="ft-button quiet" data-none>Clear</button><button type="button" class="ft-button" data-overlay ${count < 2 || count > MANY ? html`disabled` : ""}
        >Compare curves (${count})</button>${count > MANY && html`<span class="soft small">at most ${MANY}</span>`}`);
  }

  // ---- What is done ----

  marked(event) {
    const id = event.target.closest("tr")?.dataset.run;
    if (!id || event.target.type !== "checkbox") return;
    this.chosen[event.target.checked ? "add" : "delete"](id);
    event.target.toggleAttribute("checked", event.target.checked);
    event.target.closest("td").drawn = String(html`${this.cells(runs.get(id))[0][2]}`);
    this.foot();
  }
  clicked(event) {
    const button = event.target.closest("button");
    if (button?.dataset.sort) this.sort(button.dataset.sort);
    else if (button && "overlay" in button.dataset) go({ runs: [...this.chosen].join(","), run: null });
    else if (button && "none" in button.dataset) {
      this.chosen.clear();
      for (const box of this.querySelectorAll("tbody input:checked")) box.checked = false;
      this.show();
    } else if (button?.dataset.act) this.act(button.dataset.act, runs.get(button.closest("tr").dataset.run));
  }
  sort(key) {
    const before = this.order, first = COLUMNS.find((one) => one.key === key).down ?? false;
    const down = before.key === key ? !before.down : first;
    go({ sort: `${key}-${down ? "down" : "up"}` }, { replace: true });
    this.show();
  }
  async act(name, run) {
    if (!run) return;
    if (name === "note") return editNote(run);
    this.busy.add(run.id);
    this.show();
    try {
      await words[name](run, () => this.loop());
      this.draw(".trouble", "");
    } catch (error) {
      this.draw(".trouble", notice(error));
    }
    this.busy.delete(run.id);
    if (this.isConnected) this.loop();
  }
}
customElements.define("ft-run-list", RunList);
