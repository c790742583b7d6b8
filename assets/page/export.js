// The Export tab: a run's tuned model as a folder for other programs (?run=ID chooses it, ?export=ID shows one).

import { Part, address, ask, go, html, notice, number, size, tell, when } from "./base.js";
import { copy } from "./copy.js";
import { menu } from "./menus.js";
import { missing } from "./missing.js";
import { nameOf } from "./run-words.js";
import { called } from "./title.js";
import { toast } from "./toast.js";
import { untrained } from "./untrained.js";

const LIVE = ["queued", "running", "stopping"];
const FORMS = {
  merged: ["Complete model", "One folder that loads by itself, in Transformers, vLLM and most other programs."],
  adapter: ["Adapter only", "Only what was learned: a small folder, used together with its base model."],
};
const RESULTS = { equal: ["✓ the same", "good"], tie: ["≈ the same but for two tokens equally likely", "good"], different: ["✗ different", "bad"] };

class Export extends Part {
  every = 1400;

  start() {
    this.draw(null, html`<div class="stack export"><div class="trouble"></div><div class="body"></div></div>`);
    this.onclick = (event) => this.clicked(event);
    this.addEventListener("change", (event) => {
      if (event.target.name === "run") { this.chosen = event.target.value; go({ run: this.chosen }, { replace: true }); this.loop(); }
      if (event.target.name === "to") this.form = event.target.value;
    });
    this.addEventListener("submit", (event) => { event.preventDefault(); this.begin(event.target); });
    this.addEventListener("ft-job-done", () => this.loop());
    this.addEventListener("ft-restored", () => this.addressChanged());
    this.loop();
  }
  addressChanged() {
    if (address().tab !== "export") return;
    this.draw(".trouble", "");
    this.lost = null;
    this.loop();
  }
  async tick() {
    const here = address();
    if ((here.tab ?? "home") !== "export" || this.lost === location.search) return;
    return here.export ? this.showOne(here.export) : this.showAll();
  }

  // ---- All ----

  async showAll() {
    const { exports, runs } = await ask("/studio/exports");
    if (address().export) return;
    const wanted = address().run;
    const run = runs.find((one) => one.id === wanted) ?? runs[0];
    const lost = wanted && !runs.some((one) => one.id === wanted)
      ? html`${notice({ what: "The run of this address can’t be exported.", why: "It was deleted, or has no trained weights yet.", next: "Choose another one below." }, "warning")}
        <p><a class="ft-button" href="?tab=runs&run=${wanted}" data-go="tab=runs&run=${encodeURIComponent(wanted)}">See what became of it</a></p>` : "";
    this.draw(".body", html`<div class="stack"><div><h1>Export</h1><p class="soft">Take a tuned model anywhere. Before an export is called done it is loaded afresh and must answer held-out prompts exactly as the tuned model does.</p></div>
      ${runs.length ? html`${lost}${this.startCard(runs, run)}` : ""}
      ${exports.length ? html`<div class="stack list">${exports.map((one) => this.card(one))}</div>`
        : runs.length ? "" : untrained("Nothing to export yet", "When a training has ended, its model can be taken away here.", wanted)}</div>`);
  }
  startCard(runs, run) {
    const form = run.sizes[this.form] !== undefined ? this.form : "merged";
    return html`<form class="card stack"><label class="field run-field"><span>Run</span><select name="run">${runs.map((one) => html`<option value="${one.id}" ${one.id === run.id ? html`selected` : ""}>${nameOf(one)}</option>`)}</select></label>
      <fieldset class="forms"><legend class="small soft">Form</legend>${Object.entries(FORMS).map(([key, [title, about]]) => {
        const there = key in run.sizes;
        return html`<label class="choice ${there ? "" : "off"}"><input type="radio" name="to" value="${key}" ${key === form ? html`checked` : ""} ${there ? "" : html`disabled`}>
          <span><strong>${title}</strong> <span class="soft small num">${there ? run.sizes[key] ? `about ${size(run.sizes[key])}` : "" : "not for this run: all weights were trained"}</span><br><span class="soft small">${about}</span></span></label>`;
      })}</fieldset><div><button type="submit" class="ft-button primary">Export</button></div></form>`;
  }
  async begin(form) {
    const button = form.querySelector("[type=submit]");
    button.disabled = true;
    try {
      await tell("/studio/exports", { run: form.run.value, to: form.to.value });
      this.draw(".trouble", "");
    } catch (error) {
      this.draw(".trouble", notice(error));
    }
    button.disabled = false;
    this.loop();
  }
  parity(one) {
    if (one.same === true) return html`<span class="chip finished" title="The exported folder was loaded afresh and asked ${one.replayed} held-out prompts">✓ ${one.agreed} of ${one.replayed} answers the same</span>`;
    if (one.same === false) return html`<span class="chip failed">✗ ${one.agreed} of ${one.replayed} answers the same</span>`;
    return one.status === "finished" ? "" : html`<span class="chip ${one.status}">${one.status}</span>`;
  }
  card(one) {
    if (LIVE.includes(one.status)) {
      return html`<div class="card"><ft-job data-kind="exports" data-id="${one.id}" data-title="Exporting ${one.run_name}: ${FORMS[one.to]?.[0].toLowerCase() ?? ""}" data-stopped="Nothing was kept."></ft-job></div>`;
    }
    const link = html`<a href="?tab=export&export=${one.id}" data-go="tab=export&export=${encodeURIComponent(one.id)}"><bdi>${one.run_name}</bdi></a>`;
    return html`<article class="card stack tight-stack"><div class="spread"><div class="clip"><h2>${link}</h2>
        <span class="soft small num">${FORMS[one.to]?.[0] ?? ""}${one.bytes ? ` · ${size(one.bytes)}` : ""} · ${when(one.created)}</span></div>
      <div class="row">${this.parity(one)}${one.status === "finished" ? html`<a class="ft-button" href="?tab=export&export=${one.id}" data-go="tab=export&export=${encodeURIComponent(one.id)}">Use it</a>
        <a class="ft-button" download href="/studio/exports/${encodeURIComponent(one.id)}/download">Download zip</a>` : ""}
        ${menu(`More for this export of ${one.run_name}`, html`<button type="button" class="danger" data-delete="${one.id}" aria-label="Delete this export of ${one.run_name}">Delete</button>`)}</div></div>
      ${one.error ? notice(one.error) : one.status === "interrupted" ? notice({ what: "This export was interrupted.", why: "Its worker is gone without having said why.", next: "Export the run again." }) : ""}</article>`;
  }

  // ---- One ----

  async showOne(id) {
    let one;
    try {
      one = await ask(`/studio/exports/${encodeURIComponent(id)}`);
    } catch (error) {
      if (!error.what || error.unanswered) throw error;
      if (error.missing) this.lost = location.search; // an address does not come true by waiting
      return this.draw(".body", html`<div class="stack">${this.back()}${error.missing ? missing(error, "tab=export&export=", "See all exports") : notice(error)}</div>`);
    }
    if (address().export !== id) return;
    const live = LIVE.includes(one.status);
    this.one = one;
    called(one.id, one.run_name);
    this.draw(".body", html`<div class="stack">${this.back()}<div class="spread"><div><h1><bdi>${one.run_name}</bdi></h1>
      <p class="soft small num">${FORMS[one.to]?.[0] ?? ""}${one.bytes ? ` · ${size(one.bytes)}` : ""} · ${when(one.created)}</p></div>
      ${one.status === "finished" ? html`<a class="ft-button primary" download href="/studio/exports/${encodeURIComponent(id)}/download">Download zip</a>` : ""}</div>
      ${live ? this.card(one) : ""}${one.error ? notice(one.error) : ""}${one.model ? this.place(one) : ""}${one.parity?.rows.length ? this.replayed(one) : ""}${one.snippet && one.same ? this.code(one) : ""}</div>`);
  }
  back() { return html`<a class="back" href="?tab=export" data-go="tab=export&export=">‹ All exports</a>`; }
  place(one) {
    return html`<div class="card stack tight-stack"><div class="spread"><h2>Where it is</h2><button type="button" class="ft-button small" data-copy="path">Copy</button></div><pre class="command">${one.model}</pre></div>`;
  }
  replayed(one) {
    const { equal, rows } = one.parity;
    const words = equal ? { what: "It answers as the tuned model did.", why: `The exported folder was loaded afresh with plain Transformers and asked ${number(rows.length)} held-out prompts.`, next: "Every token came out the same, or two were equally likely." }
      : { what: "It does not answer as the tuned model did.", why: "The exported folder was put aside under another name, so that nobody takes it for done.", next: "Export the other form, or report this with the rows below." };
    return html`<section class="card flush"><div class="pad stack tight-stack"><h2>Replayed prompts</h2>${equal ? html`<div class="notice good" role="status"><strong>✓ ${words.what}</strong> ${words.why} <span class="soft">${words.next}</span></div>` : notice(words)}</div>
      <div class="scroll"><table class="replays"><thead><tr><th scope="col">Prompt as the model reads it</th><th scope="col">Tuned model</th><th scope="col">Exported model</th><th scope="col">Result</th></tr></thead>
      <tbody>${rows.map((row) => html`<tr><td><pre class="prompt" dir="auto" tabindex="0">${row.prompt}</pre></td><td dir="auto" class="words">${row.expected}</td><td dir="auto" class="words">${row.got}</td>
        <td><span class="${RESULTS[row.result]?.[1]}-ink">${RESULTS[row.result]?.[0] ?? row.result}</span></td></tr>`)}</tbody></table></div></section>`;
  }
  code(one) {
    return html`<section class="card stack tight-stack"><div class="spread"><h2>Use it in Python</h2><button type="button" class="ft-button small" data-copy="snippet">Copy</button></div>
      <pre class="command" tabindex="0">${one.snippet}</pre></section>`;
  }
  async clicked(event) {
    const button = event.target.closest("button");
    if (button?.dataset.copy) return copy(button.dataset.copy === "path" ? this.one.model : this.one.snippet, button);
    const id = button?.dataset.delete;
    if (!id) return;
    try {
      await tell(`/studio/exports/${encodeURIComponent(id)}/delete`);
      toast("The export was deleted.", { run: async () => { await tell(`/studio/exports/${encodeURIComponent(id)}/restore`); this.loop(); } });
      this.draw(".trouble", "");
    } catch (error) {
      this.draw(".trouble", notice(error));
    }
    this.loop();
  }
}
customElements.define("ft-export", Export);
