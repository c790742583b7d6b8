// Tags by rule: the words or the column, then how many rows and which ones, then the tags. In a large dataset jobs look
// for the rows and tag them; the one at work stands in the address (&job=ID).

import "./job.js";

import { Part, address, ask, go, html, notice, number, tell } from "./base.js";
import { link } from "./dataset-links.js";
import { reviewer } from "./remember.js";
import { toast } from "./toast.js";

const rows = (count) => (count === 1 ? "1 row" : `${number(count)} rows`);
const WHERE = [["anywhere", "anywhere in the row"], ["prompt", "in what is asked"], ["answer", "in the answer"], ["column", "in a column"]];

class Tag extends Part {
  every = 5000;

  start() {
    this.name = address().dataset;
    this.choices = { by: "words", tag: "domain", value: "", find: "", pattern: false, where: "anywhere", column: "", from_column: "" };
    this.draw(null, html`<div class="tg stack"><div class="card there" hidden></div><form class="card form" novalidate></form><div class="bar unknown busy" hidden><i></i></div><div class="told"></div><div class="job"></div><div class="found"></div></div>`);
    this.onsubmit = (event) => { event.preventDefault(); this.look(); };
    this.oninput = (event) => this.typed(event.target);
    this.onclick = (event) => event.target.closest("[data-do=apply]") && this.apply();
    this.addEventListener("ft-job-done", (event) => this.done(event.detail));
    this.loop();
    this.addressChanged();
  }
  addressChanged() {
    const { tab, part, dataset, job } = address();
    if (tab !== "data" || part !== "tag" || dataset !== this.name) return;
    this.draw(".job", job ? html`<div class="card"><ft-job data-kind="jobs" data-id="${job}" data-title="Looking through the rows" data-stopped="Nothing was tagged."></ft-job></div>` : html``);
  }
  // What a job found, or did.
  done({ status, result }) {
    if (status !== "finished") return; // its notice stays
    go({ job: null }, { replace: true });
    if (!result.found) { this.tagged(result); return; }
    this.take(result.rule);
    this.showFound(result.found);
  }
  // The form as the rule says: after a reload it is known from the job only.
  take(rule) {
    Object.assign(this.choices, { by: rule.from_column ? "column" : "words", tag: rule.tag, value: rule.value ?? "", find: rule.find.join("\n"), pattern: rule.pattern, where: rule.where, column: rule.column ?? "", from_column: rule.from_column ?? "" });
    if (this.columns) this.form();
  }
  // The tags that rows have: each value opens the rows that have it.
  show(info) {
    const tags = Object.entries(info.groups).filter(([name]) => name !== "label");
    this.querySelector(".there").hidden = !tags.length;
    this.draw(".there", html`<h2>Tags of version ${info.version.version}${info.changes ? ", with your changes" : ""}</h2>${tags.slice(0, 6).map(([name, values]) => html`<p><strong>${name}</strong> ${values.map(([value, count]) =>
      link(`part=&side=&find=&tags=${encodeURIComponent(new URLSearchParams({ [name]: value }))}`, html`${value} <span class="num soft">${number(count)}</span>`, html`class="chip" dir="auto"`)).flatMap((each) => [each, " "])}</p>`)}`);
  }
  async tick() {
    const state = await ask(`/studio/datasets-split/${encodeURIComponent(this.name)}`);
    const key = JSON.stringify(state.columns);
    if (this.drawn === key) return;
    this.drawn = key;
    this.columns = state.columns;
    this.form();
  }
  form() {
    const { by, tag, value, find, pattern, where, column, from_column } = this.choices;
    const columns = (name, chosen, id) => html`<select id="${id}" name="${name}" class="ft-input"><option value="">Choose…</option>${this.columns.map((each) =>
      html`<option value="${each.name}" ${each.name === chosen ? html`selected` : ""}>${each.name} (${each.some.join(", ").slice(0, 60)})</option>`)}</select>`;
    const rule = html`<div class="sp-field"><label for="tg-value">Value</label><input id="tg-value" name="value" class="ft-input" value="${value}" data-most="200" placeholder="billing" autocomplete="off"><p class="form-help">What the rows with these words get.</p></div>
      <div class="sp-field"><label for="tg-find">${pattern ? "Patterns, one a line" : "Words, one a line"}</label><textarea id="tg-find" name="find" class="ft-input" rows="3" placeholder="${pattern ? "^Dear (Sir|Madam)" : "invoice\nrefund"}" spellcheck="false">${find}</textarea>
        <label class="ft-check form-help"><input type="checkbox" name="pattern" ${pattern ? html`checked` : ""}> <span>take them as patterns (regular expressions)</span></label></div>
      <div class="sp-field"><label for="tg-where">Where they must stand</label><select id="tg-where" name="where" class="ft-input">${WHERE.map(([key, words]) => html`<option value="${key}" ${key === where ? html`selected` : ""}>${words}</option>`)}</select>
        ${where === "column" ? html`<label class="unseen" for="tg-column">Column</label>${columns("column", column, "tg-column")}` : ""}</div>`;
    const focused = document.activeElement?.name;
    const place = this.draw(".form", html`<h2>Give tags by rule</h2><p class="soft">A tag sorts rows for you, as “domain: billing”: to filter the list, keep a split in balance or mix by. The model never sees it; a label is another thing, it is the answer to be learned. You see which rows it would be before anything is tagged.</p>
      <div class="form-options" role="group" aria-label="From where">${[["words", "By words"], ["column", "From a column"]].map(([key, words]) => html`<label><input type="radio" name="by" value="${key}" ${key === by ? html`checked` : ""}><span>${words}</span></label>`)}</div>
      <div class="sp-fields"><div class="sp-field"><label for="tg-tag">Name of the tag</label><input id="tg-tag" name="tag" class="ft-input" value="${tag}" data-most="200" list="tg-tags" autocomplete="off"><p class="form-help">What it is about: domain, tone, task or a name of your own.</p>
        <datalist id="tg-tags"><option value="domain"></option><option value="tone"></option><option value="task"></option></datalist></div>${by === "words" ? rule
        : html`<div class="sp-field"><label for="tg-from">Column</label>${columns("from_column", from_column, "tg-from")}<p class="form-help">Each row gets what it has there as its tag.</p></div>`}</div>
      <div class="row"><button class="ft-button primary">Show the rows</button></div>`);
    place.querySelector(`[name="${CSS.escape(focused ?? "")}"]${focused === "by" ? ":checked" : ""}`)?.focus();
  }
  typed(field) {
    this.choices[field.name] = field.type === "checkbox" ? field.checked : field.value;
    if (["by", "pattern", "where"].includes(field.name)) this.form();
    this.draw(".found", html``); // what was found belongs to the rule as it was
  }
  get rule() {
    const { by, tag, value, find, pattern, where, column, from_column } = this.choices;
    return by === "column" ? { tag, from_column: from_column || null } : { tag, value, find: find.split("\n"), pattern, where, column: where === "column" ? column : null };
  }
  async look() {
    const rule = this.rule;
    if (this.choices.by === "column" && !rule.from_column) { this.draw(".told", notice({ what: "No column is chosen.", why: "", next: "Choose the one to take the tag from." }, "warning")); return; }
    const slow = setTimeout(() => { this.querySelector(".busy").hidden = false; }, 200);
    this.draw(".told", html``);
    try {
      const found = await tell(`/studio/datasets-tags/${encodeURIComponent(this.name)}/look`, rule, { signal: this.left.signal });
      if (found.job) { this.draw(".found", html``); go({ job: found.job }); } else this.showFound(found);
    } catch (error) {
      if (!this.isConnected) return;
      this.draw(".found", html``);
      this.draw(".told", notice(error));
    } finally {
      clearTimeout(slow);
      this.querySelector(".busy").hidden = true;
    }
  }
  showFound(found) {
    this.draw(".found", this.found(found));
    this.querySelector(".found").scrollIntoView({ block: "nearest" });
  }
  found({ count, already, values, examples }) {
    const before = already ? html`<p class="soft">${rows(already)} ${already === 1 ? "has" : "have"} the tag already.</p>` : "";
    if (!count) return html`<div class="card empty"><h2>No row to tag</h2><p>${already ? "Every row that matches has the tag already." : "No row matches. Try other words, or look anywhere in the row."}</p></div>`;
    return html`<section class="card tg-found" aria-label="What would be tagged"><h2>${rows(count)} would be tagged</h2>${before}
      ${Object.keys(values).length > 1 ? html`<p>${Object.entries(values).map(([value, each]) => html`<span class="chip" dir="auto">${value} <span class="num">${number(each)}</span></span> `)}</p>` : ""}
      <ul class="tg-examples">${examples.map((each) => html`<li><span class="chip tag" dir="auto">${each.value}</span>${link(`row=${encodeURIComponent(each.id)}`, html`${each.before}<mark>${each.found}</mark>${each.after}`, html`class="clip" dir="auto"`)}</li>`)}</ul>
      <div class="row"><button type="button" class="ft-button primary" data-do="apply">Tag ${rows(count)}</button><span class="soft small">One change, which Undo takes back as a whole.</span></div></section>`;
  }
  async apply() {
    const button = this.querySelector("[data-do=apply]");
    button.disabled = true;
    try {
      const done = await tell(`/studio/datasets-tags/${encodeURIComponent(this.name)}/apply`, { ...this.rule, by: reviewer() });
      this.draw(".found", html``);
      if (!done.job) this.tagged(done);
      else if (this.isConnected) go({ job: done.job });
    } catch (error) {
      button.disabled = false;
      this.draw(".told", notice(error));
    }
  }
  tagged({ tagged, number: made }) {
    this.draw(".told", html`<div class="notice" role="status"><strong>${rows(tagged)} tagged.</strong> The next frozen version has it. ${link("part=&side=changed", "See the rows")}</div>`);
    toast(`${rows(tagged)} tagged.`, { run: () => this.undo(made) });
    this.changed();
  }
  async undo(made) {
    try {
      await tell(`/studio/datasets/${encodeURIComponent(this.name)}/undo`, { number: made });
      this.draw(".told", html``);
    } catch (error) {
      this.draw(".told", notice(error));
    }
    this.changed();
  }
  changed() { this.dispatchEvent(new CustomEvent("ft-changed", { bubbles: true })); }
}
customElements.define("ft-tag", Tag);
