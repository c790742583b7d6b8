// One dataset: its name and what can be done with it as a whole, and below it the part that is open.

import "./dataset-overview.js";
import "./dataset-rows.js";

import { Part, address, ask, go, html, notice, number, tell, when } from "./base.js";
import { OUT, VIEW, at, badRows, link, undoing } from "./dataset-links.js";
import { menu } from "./menus.js";
import { PARTS } from "./parts.js";
import { reviewer } from "./remember.js";
import { toast } from "./toast.js";

const DONE = { edited: "edited", excluded: "left out", moved: "moved", tagged: "tagged", marked: "with words marked", added: "added", orphaned: "left out as written after a held-out row" };
const made = (version) => Object.entries(DONE).filter(([key]) => version[key]).map(([key, words]) => `${number(version[key])} ${words}`).join(", ") || "nothing changed";

class Dataset extends Part {
  every = 5000;

  start() {
    this.name = address().dataset;
    this.draw(null, html`<div class="ft-dataset stack"><div class="head"></div><div class="told"></div><nav class="ft-parts" aria-label="Parts of the dataset"></nav><div class="part stack"></div></div>`);
    this.onclick = (event) => {
      const deed = event.target.closest(".head [data-do], .told [data-do]")?.dataset.do;
      if (deed) this.act(deed);
    };
    this.onsubmit = (event) => {
      if (!event.target.closest(".head")) return;
      event.preventDefault();
      this.rename(event.target.elements.name.value);
    };
    this.onchange = (event) => {
      if (event.target.matches(".head .versions")) go({ version: event.target.value === String(this.info.latest) ? null : event.target.value, from: null, ...this.unchanged() });
    };
    // Its parts have jobs of their own.
    this.addEventListener("ft-job-done", (event) => event.target.closest(".told")?.parentElement === this.firstElementChild && this.frozen(event.detail));
    this.addEventListener("ft-changed", () => this.loop()); // a part changed rows
    this.place();
    this.loop();
  }
  addressChanged() {
    const now = address();
    if (now.tab !== "data" || now.dataset !== this.name || now.row) return;
    if (this.gone) return this.again(); // another version, say, which is there
    this.place();
    this.loop();
  }
  // Puts the part that the address names below the head.
  place() {
    const part = PARTS.find((each) => each.key === (address().part ?? "")) ?? PARTS[0];
    const query = (key) => `tab=data&${VIEW}&part=${key}`;
    this.draw(".ft-parts", PARTS.length > 1 ? html`${PARTS.map((each) => html`<a data-go="${query(each.key)}" href="?tab=data&dataset=${encodeURIComponent(this.name)}&part=${each.key}"
      ${each === part ? html`aria-current="page"` : ""}>${each.title}</a>`)}` : html``);
    if (this.placed === part) return;
    this.placed = part; // not `part`, which every element has as its own
    if (this.info) this.draw(".head", this.head());
    this.querySelector(".part").replaceChildren(...part.elements.map((name) => document.createElement(name)));
    this.show();
  }
  show() {
    if (this.info) for (const element of this.querySelector(".part").children) element.show?.(this.info);
  }

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
    this.show();
  }
  head() {
    const { name, version, latest, versions } = this.info;
    const title = this.renaming
      ? html`<form class="row"><label class="unseen" for="new-name">New name</label><input id="new-name" name="name" class="search" value="${name}" data-most="64" autocomplete="off">
          <button class="ft-button primary">Rename</button><button type="button" class="ft-button" data-do="keep">Cancel</button></form><div class="rename-told"></div>`
      : html`<h1>${name}</h1>`;
    const source = [version.source?.file && `from ${version.source.file}`, `made ${when(version.made)}`, version.bad_rows && badRows(version.bad_rows)];
    const many = versions.length > 1;
    return html`<div class="stack tight-stack">${link(`tab=data&dataset=&${OUT}`, "‹ All datasets", html`class="back"`)}
      <div class="spread top"><div class="title">${title}<p class="soft">${version.kind_words} · ${number(version.rows)} rows · ${source.filter(Boolean).join(" · ")}</p></div>
      <div class="row deeds">${many
        ? html`<select class="versions ft-select" aria-label="Version">${versions.toReversed().map((each) => html`<option value="${each.version}"
            ${each.version === version.version ? html`selected` : ""}>Version ${each.version}${each.version === latest ? " (latest)" : ""}</option>`)}</select>`
        : html`<span class="chip">Version ${version.version}</span>`}
        <details class="menu ft-download"><summary class="ft-button">Download</summary><div>${[["messages", "JSONL, OpenAI messages"], ["csv", "CSV, for a spreadsheet"], ["parquet", "Parquet, as stored"]].map(
          ([form, words]) => html`<a href="${at(name)}/download?form=${form}&version=${version.version}" download>${words}</a>`)}</div></details>
        ${link(`tab=train&dataset=${encodeURIComponent(name)}&take=${version.version === latest ? "newest" : version.version}`, "Train with it", html`class="ft-button ${this.placed?.leads ? "" : "primary"}"`)}
        ${menu(`More for ${name}`, html`<button type="button" data-do="rename">Rename</button><button type="button" class="danger" data-do="delete">Delete</button>`)}</div></div></div>`;
  }
  told() {
    const { version, latest } = this.info;
    const changes = this.info.changes + this.info.added;
    if (this.freezing) return html`<ft-job data-kind="jobs" data-id="${this.freezing}" data-title="Freezing version ${latest + 1}" data-stopped="No version was made; every change is still there."></ft-job>`;
    if (version.version !== latest) {
      return html`<div class="notice" role="status">This is version ${version.version}, which never changes; the latest is ${latest}.
        ${link("version=", "Show the latest")}</div>`;
    }
    const from = version.made_from && !changes ? html`<div class="notice" role="status">Version ${version.version} was made from version ${version.made_from}:
      ${made(version)}.</div>` : "";
    // What became of rows that were written here, and of reviews that fit no row, when the file was imported anew.
    const written = (version.written ?? []).map((note) => html`<p class="small">${note[0].toUpperCase()}${note.slice(1)}.</p>`);
    if (!changes) return html`${from}${written.length ? html`<div class="notice" role="status">${written}</div>` : ""}`;
    return html`<div class="notice warning spread" role="status"><span><strong>${changes === 1 ? "1 change" : `${number(changes)} changes`} not yet in a version.</strong>
      Training reads versions, so it does not see ${changes === 1 ? "it" : "them"} yet.${written}</span><span class="row">${undoing(this.info.last, this.asked, "Undo the last")}
      <button type="button" class="ft-button" data-do="freeze">Freeze version ${latest + 1}</button></span></div>`;
  }

  // ---- Deeds ----

  async act(deed) {
    if (deed === "ask" || deed === "let") {
      this.asked = deed === "ask" ? this.info.last.number : null;
      this.draw(".told", this.told());
      this.querySelector(`.told [data-do="${deed === "ask" ? "let" : "ask"}"]`)?.focus();
      return;
    }
    if (deed === "rename" || deed === "keep") {
      this.renaming = deed === "rename";
      this.draw(".head", this.head());
      this.querySelector(this.renaming ? "#new-name" : ".head details.menu:last-child summary")?.focus();
      return;
    }
    try {
      if (deed === "delete") await this.remove();
      else if (deed === "freeze") await this.freeze();
      else if (deed === "undo") {
        const { count } = await tell(`${at(this.name)}/undo`, { number: this.info.last?.number, by: reviewer() });
        toast(count > 1 ? `The last ${number(count)} changes, made together, are taken back.` : "The last change is taken back.");
        if (this.info.changes <= count) go(this.unchanged());
        this.loop();
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
    this.freezing = (await tell(`${at(this.name)}/freeze`)).job;
    this.draw(".told", this.told());
  }
  frozen({ status, result, late }) {
    if (status !== "finished") return; // its notice stays
    this.freezing = null;
    if (!late) toast(`Version ${result.version} is frozen; training can use it.`);
    go({ version: null, ...this.unchanged() });
    this.loop();
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

  // A link to a dataset that is not there (any more).
  async missing(error) {
    this.gone = true;
    this.alive = false;
    const { deleted } = await ask("/studio/datasets").catch(() => ({ deleted: [] }));
    const there = deleted.some((item) => item.name === this.name);
    this.draw(null, html`<div class="stack">${link(`tab=data&dataset=&${OUT}`, "‹ All datasets", html`class="back"`)}<div class="card empty"><h2 class="anywhere">${there ? `“${this.name}” was deleted` : error.what}</h2>
      <p class="anywhere">${there ? "It lies in the trash with all its versions." : `${error.why} ${error.next}`}</p><p class="row center">${there
        ? html`<button type="button" class="ft-button primary" data-back>Restore it</button>` : error.field === "version" ? link("version=", "The latest version", html`class="ft-button primary"`) : link(`tab=data&dataset=&${OUT}`, "All datasets", html`class="ft-button primary"`)}</p></div></div>`);
    this.querySelector("[data-back]")?.addEventListener("click", async () => {
      await tell(`${at(this.name)}/restore`).catch((failed) => toast(`${failed.what} ${failed.why} ${failed.next}`));
      this.again();
    });
  }
  again() {
    this.gone = false;
    this.alive = true;
    this.placed = null;
    this.start();
  }
}
customElements.define("ft-dataset", Dataset);
