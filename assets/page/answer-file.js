// “Apply to a file”: the tuned model answers each row of a file, in a job; the answers are then downloaded.

import { Part, Told, ask, html, notice, number, tell, when } from "./base.js";

const LIVE = ["queued", "running", "stopping"];
const SAID = { finished: "Done", stopped: "Stopped", failed: "Failed", interrupted: "Interrupted", broken: "Broken" };

class AnswerFile extends Part {
  every = 5000;

  start() {
    this.path = `/studio/answers/${encodeURIComponent(this.dataset.run)}`;
    this.draw(null, html`<form class="stack">
      <p class="soft">The tuned model of <bdi>${this.dataset.name}</bdi> answers every row; the file keeps its columns and gets one with the answer.
        <span data-columns></span></p>
      <div class="answer-file-fields">
        <label class="field"><span>File from your computer</span><input type="file" name="file" accept=".csv,.tsv,.json,.jsonl,.parquet,.xlsx,.txt"></label>
        <label class="field"><span>or a path on the machine the studio runs on</span><input name="path" placeholder="/home/me/mails.csv" autocomplete="off"></label>
        <label class="field"><span>Answers as</span><select name="form"><option value="csv">CSV</option><option value="xlsx">Excel (xlsx)</option><option value="jsonl">JSONL</option></select></label>
        <label class="field"><span>Longest answer</span><input type="number" name="longest" min="1" max="32768" placeholder="512" title="Tokens after which an answer is cut off"></label></div>
      <div><button type="submit" class="ft-button" data-apply>Apply</button></div>
      <div class="trouble"></div></form><div class="done"></div>`);
    this.querySelector("form").addEventListener("submit", (event) => { event.preventDefault(); this.apply(event.target); });
    this.addEventListener("ft-job-done", () => this.loop());
    this.onclick = (event) => this.clicked(event);
    this.loop();
  }
  async tick() {
    const { files, columns } = await ask(`${this.path}/files`);
    this.draw("[data-columns]", columns.length ? html`It needs ${columns.length > 1 ? "the columns" : "the column"} ${columns.map((name, at) => html`${at ? ", " : ""}<b>${name}</b>`)}, as the data it learned from.` : "");
    this.draw(".done", files.length ? html`<ul class="plain files">${files.map((one) => this.line(one))}</ul>` : "");
  }
  line(one) {
    if (LIVE.includes(one.status)) {
      return html`<li><ft-job data-kind="jobs" data-id="${one.id}" data-title="Answering ${one.file}" data-stopped="What was answered is kept."></ft-job></li>`;
    }
    const rows = one.status === "finished" ? `${number(one.answered)} of ${number(one.rows)} rows answered` : SAID[one.status] ?? one.status;
    const resume = ["stopped", "interrupted", "failed"].includes(one.status);
    return html`<li class="spread"><div><strong><bdi>${one.file ?? "A file"}</bdi></strong> <span class="soft small num">${when(one.created)} · ${rows}</span>
        ${(one.messages ?? []).map((text) => html`<div class="soft small">${text}</div>`)}
        ${one.error ? notice(one.error) : ""}</div>
      <span class="row">${resume ? html`<button type="button" class="ft-button small" data-resume="${one.id}">${one.status === "failed" ? "Try again" : "Go on"}</button>` : ""}
        ${one.status === "finished" ? html`<a class="ft-button small" download href="/studio/answers/files/${encodeURIComponent(one.id)}/download">Download ${one.output}</a>` : ""}</span></li>`;
  }
  async apply(form) {
    const file = form.file.files[0], path = form.path.value.trim();
    const button = form.querySelector("[data-apply]");
    const query = new URLSearchParams({ form: form.form.value, ...(form.longest.value ? { longest: form.longest.value } : {}) });
    button.disabled = true;
    button.textContent = file ? "Uploading…" : "Starting…";
    try {
      if (!file && !path) throw new Told({ what: "No file is named.", why: "", next: "Choose a file, or write its path." });
      if (file) await ask(`${this.path}/file?${query}&name=${encodeURIComponent(file.name)}`, { method: "POST", body: file });
      else await tell(`${this.path}/file?${query}`, { path });
      this.draw(".trouble", "");
      form.file.value = "";
    } catch (error) {
      this.draw(".trouble", notice(error));
    }
    button.disabled = false;
    button.textContent = "Apply";
    this.loop();
  }
  async clicked(event) {
    const id = event.target.closest("[data-resume]")?.dataset.resume;
    if (!id) return;
    try {
      await tell(`${this.path}/files/${encodeURIComponent(id)}/resume`);
      this.draw(".trouble", "");
    } catch (error) {
      this.draw(".trouble", notice(error));
    }
    this.loop();
  }
}
customElements.define("ft-answer-file", AnswerFile);
