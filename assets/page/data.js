// The Data tab: which of its views is open stands in the address.
//
//   ?tab=data                          all datasets
//   ?tab=data&import=1                 importing a file
//   ?tab=data&mix=1                    mixing several datasets
//   ?tab=data&dataset=NAME             one dataset: its rows; &version= &from= and what row-choice.js names
//   ?tab=data&dataset=NAME&part=PART   another part of it (parts.js)
//   ?tab=data&dataset=NAME&row=ID      one row; &view=tokens|stored &model=

import { Part, address, ask, go, html, number, tell, when } from "./base.js";
import { SAMPLES } from "./sources.js";
import "./import.js";
import "./dataset.js";
import { shares } from "./dataset-links.js";
import { toast } from "./toast.js";
import "./row.js";

class Data extends Part {
  start() { this.route(); }
  addressChanged() { this.route(); }
  route() {
    const at = address();
    if (at.tab !== "data") return;
    const view = at.import ? ["ft-import"] : at.mix ? ["ft-mix"] : !at.dataset ? ["ft-datasets"] : at.row ? ["ft-row", at.dataset] : ["ft-dataset", at.dataset];
    if (this.shown === view.join(" ") && this.firstElementChild) return;
    const first = this.shown === undefined;
    this.shown = view.join(" ");
    this.replaceChildren(document.createElement(view[0]));
    if (!first) scrollTo({ top: 0 });
  }
}
customElements.define("ft-data", Data);

class Datasets extends Part {
  every = 5000;

  start() {
    this.draw(null, html`<div class="stack ft-lists"></div>`);
    this.loop();
  }
  async tick() {
    const { datasets, deleted } = await ask("/studio/datasets");
    this.draw(".ft-lists", datasets.length ? this.list(datasets, deleted) : this.empty(deleted));
    this.querySelector(".ft-lists").onclick = (event) => {
      const button = event.target.closest("[data-restore], [data-delete]");
      if (button?.dataset.restore) this.restore(button.dataset.restore);
      else if (button) this.remove(button.dataset.delete);
    };
  }
  list(datasets, deleted) {
    return html`<div class="spread"><div><h1>Data</h1><p class="soft">The examples your models learn from.</p></div>
        <div class="row"><a class="ft-button" data-go="tab=data&mix=1" href="?tab=data&mix=1">Mix datasets</a>
        <a class="ft-button primary" data-go="tab=data&import=1" href="?tab=data&import=1">Import a file</a></div></div>
      <div class="card flush scroll"><table class="ft-table datasets"><thead><tr><th scope="col">Name</th><th scope="col">What it teaches</th>
        <th scope="col" class="right">Rows</th><th scope="col">Training · validation · held out</th><th scope="col" class="right">Version</th>
        <th scope="col" class="right">Made</th></tr></thead><tbody>${datasets.map((item) => this.line(item))}</tbody></table></div>
      ${this.deleted(deleted)}`;
  }
  line(item) {
    const name = html`<th scope="row" class="name"><a data-go="tab=data&dataset=${encodeURIComponent(item.name)}"
      href="?tab=data&dataset=${encodeURIComponent(item.name)}">${parted(item.name)}</a></th>`;
    if (item.error) return html`<tr>${name}<td colspan="5"><span class="chip broken">Broken</span> <span class="small">${item.error.what} ${item.error.why} ${item.error.next}</span>
      <button type="button" class="ft-button small" data-delete="${item.name}" aria-label="Delete ${item.name}">Delete</button></td></tr>`;
    const { train, validation, test } = item.counts;
    return html`<tr>${name}<td>${item.kind_words}${item.format_words === item.kind_words ? "" : html`<div class="soft small">${item.format_words}</div>`}</td><td class="right num">${number(item.rows)}</td>
      <td>${shares(item.counts)}<div class="soft small num">${number(train)} · ${number(validation)} · ${number(test)}</div></td>
      <td class="right num">${item.version}${item.changes ? html`<div class="small"><span class="chip edited">${item.changes} changed</span></div>` : ""}</td>
      <td class="right soft num">${when(item.made)}</td></tr>`;
  }
  deleted(list) {
    if (!list.length) return "";
    return html`<details class="fold soft"><summary>Deleted (${list.length})</summary><ul class="ft-deleted">${list.map((item) => html`<li>
      <span class="clip">${item.name}</span><span class="small num">${when(item.deleted)}</span>
      <button type="button" class="ft-button small" data-restore="${item.name}" aria-label="Restore ${item.name}">Restore</button></li>`)}</ul></details>`;
  }
  empty(deleted) {
    return html`<h1>Data</h1><div class="card ft-welcome"><div><h2>Start with examples</h2>
        <p class="soft">A file in which each row shows what you want: a question and its answer, a message and its label, or whole conversations.
          A table from a spreadsheet will do.</p>
        <p><a class="ft-button primary" data-go="tab=data&import=1" href="?tab=data&import=1">Import a file</a></p></div>
      <div><h3>Or use the sample data</h3>${SAMPLES.map(([key, title, about]) => html`<a class="ft-choice" data-go="tab=data&import=1&sample=${key}"
          href="?tab=data&import=1&sample=${key}"><strong>${title}</strong><span class="soft small">${about}</span></a>`)}</div></div>${this.deleted(deleted)}`;
  }
  async remove(name) {
    try {
      await tell(`/studio/datasets/${encodeURIComponent(name)}/delete`);
      toast(`“${name}” is in the trash.`, { run: () => this.restore(name) });
    } catch (error) {
      toast(`${error.what} ${error.why} ${error.next}`);
    }
    this.loop();
  }
  async restore(name) {
    try {
      await tell(`/studio/datasets/${encodeURIComponent(name)}/restore`);
      toast(`“${name}” is back.`, { button: "Open", run: () => go({ tab: "data", dataset: name }) });
    } catch (error) {
      toast(`${error.what} ${error.why} ${error.next}`);
    }
    this.loop();
  }
}
customElements.define("ft-datasets", Datasets);

// A long name goes on a second line behind one of its signs.
const parted = (name) => name.split(/(?<=[_.-])/).map((part, at) => html`${at ? html`<wbr>` : ""}${part}`);
