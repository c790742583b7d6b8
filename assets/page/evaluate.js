// The Evaluate tab: all evaluations, those of one run (?run=ID), or one with its rows (?evaluation=ID).

import { Part, address, ask, go, html, notice, number, tell, when } from "./base.js";
import { interval } from "./interval.js";
import { menu } from "./menus.js";
import { missing } from "./missing.js";
import { nameOf } from "./run-words.js";
import { called } from "./title.js";
import { toast } from "./toast.js";
import { untrained } from "./untrained.js";
import "./evaluation-rows.js";

const LIVE = ["queued", "running", "stopping"];
const MEASURED_HERE = "When a training has ended, its model can be measured against its base here.";
const WORDS = { better: "Better", worse: "Worse", mixed: "Mixed", "can't tell": "Can’t tell" };
const CHIPS = { better: "finished", worse: "failed", mixed: "interrupted", "can't tell": "" };
const SIDES = { test: "held-out rows", validation: "validation rows", train: "training rows" };
const share = (value) => (value > 0 && value < 0.0005 ? "< 0.1 %" : `${(100 * value).toFixed(value > 0 && value < 0.1 ? 1 : 0)} %`);
const points = (value) => `${value > 0 ? "+" : value < 0 ? "−" : "±"}${Math.abs(100 * value).toFixed(Math.abs(value) < 0.1 ? 1 : 0)}`;
const verdictChip = (one) => html`<span class="chip ${CHIPS[one.verdict.word]}">${WORDS[one.verdict.word]}</span>`;

class Evaluate extends Part {
  every = 1400;

  start() {
    this.draw(null, html`<div class="stack evaluate"><div class="trouble"></div><div class="body"></div></div>`);
    this.onclick = (event) => this.clicked(event);
    this.addEventListener("submit", (event) => { event.preventDefault(); this.begin(event.target); });
    this.addEventListener("ft-job-done", () => this.loop());
    this.addEventListener("ft-restored", () => this.addressChanged());
    this.loop();
  }
  addressChanged() {
    if (address().tab !== "evaluate") return;
    this.draw(".trouble", "");
    this.lost = null;
    this.loop();
  }
  async tick() {
    const here = address();
    if ((here.tab ?? "home") !== "evaluate" || this.lost === location.search) return;
    if (here.evaluation) return this.showOne(here.evaluation);
    if (here.run) return this.showRun(here.run);
    return this.showAll();
  }

  // ---- All ----

  async showAll() {
    const { evaluations, runs } = await ask("/studio/evaluations");
    if (address().evaluation || address().run) return;
    const done = new Set(evaluations.map((one) => one.run));
    const open = runs.filter((run) => !done.has(run.id));
    this.draw(".body", html`<div class="stack"><div><h1>Evaluate</h1>
        <p class="soft">Base and tuned model answer rows that were kept out of the training; the difference is stated with its uncertainty.</p></div>
      ${open.length ? html`<div class="card"><h2>Not evaluated yet</h2><ul class="plain lines">${open.slice(0, 20).map((run) => html`<li class="spread">
        <span class="clip"><a href="?tab=runs&run=${run.id}" data-go="tab=runs&run=${encodeURIComponent(run.id)}"><bdi>${nameOf(run)}</bdi></a>
        <span class="soft small">${run.dataset} → ${run.model}</span></span>
        <a class="ft-button ${evaluations.length ? "" : "primary"}" href="?tab=evaluate&run=${run.id}" data-go="tab=evaluate&run=${encodeURIComponent(run.id)}">Evaluate</a></li>`)}</ul></div>` : ""}
      ${evaluations.length ? html`<div class="card flush scroll"><table class="evaluations"><thead><tr><th scope="col">Run</th><th scope="col">Verdict</th>
        <th scope="col">Exact match</th><th scope="col">Token F1</th><th scope="col">Rows</th><th scope="col">When</th></tr></thead>
        <tbody>${evaluations.map((one) => this.line(one))}</tbody></table></div>` : ""}
      ${runs.length || evaluations.length ? "" : untrained("Nothing to evaluate yet", MEASURED_HERE)}</div>`);
  }
  line(one) {
    const link = html`<a href="?tab=evaluate&evaluation=${one.id}" data-go="tab=evaluate&evaluation=${encodeURIComponent(one.id)}&run="><bdi>${one.run_name || "An evaluation"}</bdi></a>`;
    const pair = (figures) => html`<td class="num"><span class="base-ink">${share(figures.base)}</span> → <strong class="tuned-ink">${share(figures.tuned)}</strong></td>`;
    const state = one.verdict ? verdictChip(one) : html`<span class="chip ${one.status}">${one.status}</span>`;
    return html`<tr><th scope="row"><div class="clip">${link}</div><div class="soft small clip">${one.dataset ? `${one.dataset} → ${one.model}` : one.error?.what ?? "the run was deleted"}</div></th><td>${state}</td>
      ${one.metrics ? html`${pair(one.metrics.exact_match)}${pair(one.metrics.token_f1)}<td class="num">${number(one.rows)} <span class="soft small">${one.split === "test" ? "" : one.split}</span></td>`
        : html`<td class="soft">–</td><td class="soft">–</td><td class="soft">–</td>`}<td class="num soft">${when(one.created)}</td></tr>`;
  }

  // ---- A run ----

  async showRun(id) {
    const { evaluations } = await ask("/studio/evaluations");
    const mine = evaluations.filter((one) => one.run === id || one.run.endsWith(id));
    if (mine.length && !address().again) return this.showOne(mine[0].id, mine[0]);
    let about;
    try {
      about = await ask(`/studio/evaluations/for/${encodeURIComponent(id)}`);
    } catch (error) {
      return this.gone(error);
    }
    if (address().run !== id) return;
    this.draw(".body", html`<div class="stack">${this.back()}<div><h1>Evaluate <bdi>${about.name}</bdi></h1>
      <p class="soft">Both models answer each row; then the answers are compared with the expected ones.</p></div>${this.startCard(about)}</div>`);
  }
  // What is not there is looked for once: an address does not come true by waiting.
  gone(error) {
    if (!error.what || error.unanswered) throw error;
    if (error.missing) this.lost = location.search;
    const all = "tab=evaluate&run=&evaluation=&again=";
    this.draw(".body", html`<div class="stack">${this.back()}${error.missing ? missing(error, all, "See all evaluations") : notice(error)}</div>`);
  }
  back() { return html`<a class="back" href="?tab=evaluate" data-go="tab=evaluate&run=&evaluation=&again=">‹ All evaluations</a>`; }
  startCard(about) {
    if (!about.trained) {
      if (LIVE.includes(about.status)) return untrained("This run has no trained weights", MEASURED_HERE, about.run);
      return notice({ what: "This run has no trained weights yet.", why: `It is ${about.status}.`, next: "Resume it, or evaluate another one." }, "warning");
    }
    const held = about.held_out, sides = Object.keys(SIDES).filter((side) => held[side]);
    if (!sides.length) {
      return notice({ what: "There are no rows to ask.", why: `The dataset “${about.dataset}” is gone or empty.`, next: "Restore it on the Data page." });
    }
    const none = !held.test ? notice({ what: "This dataset keeps no held-out rows.", why: "Without rows that were not trained on, nothing can be said about new questions.",
      next: "Import the file again with some rows for the test and train on that. For a first look the validation rows serve: the training only used them to choose its best step." }, "warning") : "";
    const few = held.test && held.test < about.fewest ? notice({ what: `${held.test === 1 ? "1 held-out row is" : `${number(held.test)} held-out rows are`} too few for a verdict.`, why: `From fewer than ${about.fewest} rows nobody can tell whether the tuned model is better than its base.`,
      next: "The answers can be read all the same. For a verdict, give the test side of the dataset more rows and train again." }, "warning") : "";
    return html`${none}${few}<form class="card stack" data-run="${about.run}">
      <div class="row fields-row"><label class="field"><span>Rows to ask</span><select name="split">${sides.map((side) => html`<option value="${side}">${number(held[side])} ${SIDES[side]}${side === "train" ? " (what it memorised)" : ""}</option>`)}</select></label>
      <label class="field"><span>At most rows</span><input type="number" name="limit" min="1" placeholder="all" title="Asks only the first so many rows, for a quick look"></label>
      <label class="field"><span>Longest answer</span><input type="number" name="longest" min="1" max="32768" placeholder="by itself" title="Tokens after which an answer is cut off; left empty, the longest expected answer and a quarter more, at most 512"></label>
      <button type="submit" class="ft-button primary">Evaluate</button></div>
      <p class="soft small">It runs when no training has the device. A small model on a CPU answers some two or three rows a second.</p></form>`;
  }
  async begin(form) {
    const button = form.querySelector("[type=submit]");
    button.disabled = true;
    try {
      const { evaluation } = await tell("/studio/evaluations", { run: form.dataset.run, split: form.split.value, limit: form.limit.value ? Number(form.limit.value) : null,
        max_new_tokens: form.longest.value ? Number(form.longest.value) : null });
      this.draw(".trouble", "");
      go({ evaluation, run: null, again: null }, { replace: true });
    } catch (error) {
      this.draw(".trouble", notice(error));
    }
    button.disabled = false;
  }

  // ---- One ----

  async showOne(id, known) {
    let one = known;
    try {
      one ??= await ask(`/studio/evaluations/${encodeURIComponent(id)}`);
    } catch (error) {
      return this.gone(error);
    }
    const here = address();
    if (here.evaluation ? here.evaluation !== id : here.run !== one.run && !one.run.endsWith(here.run ?? "-")) return;
    this.one = one;
    called(one.id, one.run_name);
    const title = html`<div class="spread"><div><h1>Evaluation${one.run_name ? html` of <bdi>${one.run_name}</bdi>` : ""}</h1>
      <p class="soft small">${one.dataset ? html`${one.dataset} → ${one.model} · ` : one.run_there ? "" : "The run was deleted · "}${one.rows ? `${number(one.rows)} ${SIDES[one.split]} · ` : ""}${when(one.created)}</p></div>
      <div class="row">${one.run_there ? html`<a class="ft-button" href="?tab=compare&run=${one.run}" data-go="tab=compare&run=${encodeURIComponent(one.run)}&evaluation=">Compare in a chat</a>
        ${LIVE.includes(one.status) ? "" : html`<a class="ft-button" href="?tab=evaluate&run=${one.run}&again=1" data-go="tab=evaluate&run=${encodeURIComponent(one.run)}&again=1&evaluation=">Evaluate again</a>`}` : ""}
        ${LIVE.includes(one.status) ? "" : menu(`More for the evaluation of ${one.run_name || "a run"}`, html`<button type="button" class="danger" data-delete>Delete</button>`)}</div></div>`;
    this.draw(".body", html`<div class="stack">${this.back()}${title}${this.state(one)}</div>`);
  }
  state(one) {
    if (LIVE.includes(one.status)) {
      return html`<div class="card"><ft-job data-kind="evaluations" data-id="${one.id}" data-title="Asking both models" data-stopped="The answers so far are kept."></ft-job></div>`;
    }
    if (one.metrics) return html`${this.verdict(one)}${this.figures(one)}<ft-evaluation-rows data-id="${one.id}"></ft-evaluation-rows>`;
    const told = one.error ?? (one.status === "stopped"
      ? { what: "This evaluation was stopped.", why: "The answers so far are kept.", next: "Go on with it whenever you like." }
      : { what: "This evaluation was interrupted.", why: "Its worker is gone without having said why. The answers so far are kept.", next: "Go on with it." });
    return html`${notice(told, one.status === "stopped" ? "warning" : "error")}${["stopped", "interrupted", "failed"].includes(one.status)
      ? html`<p><button type="button" class="ft-button primary" data-resume>${one.status === "failed" ? "Try again" : "Go on"}</button></p>` : ""}`;
  }
  verdict(one) {
    return html`<div class="card verdict ${CHIPS[one.verdict.word]}"><div class="word">${WORDS[one.verdict.word]}</div>
      <div><p class="sentence">${one.verdict.sentence}</p>${[one.verdict.caution, one.verdict.base].filter(Boolean).map((text) => html`<p class="soft">${text}</p>`)}
      ${one.messages.map((text) => html`<p class="soft small">${text}</p>`)}</div></div>`;
  }
  figures(one) {
    const card = (name, title, means) => {
      const figures = one.metrics[name];
      return html`<section class="card figure"><h2>${title}</h2><p class="soft small">${means}</p>
        <div class="bars">${["base", "tuned"].map((side) => html`<div class="bar-line"><span class="${side}-ink">${side === "base" ? "Base" : "Tuned"}</span>
          <span class="track">${figures[side] > 0 ? html`<i style="width:${(100 * figures[side]).toFixed(2)}%;background:var(--${side})"></i>` : ""}</span><strong class="num" data-figure="${name}-${side}">${share(figures[side])}</strong></div>`)}</div>
        <div class="spread difference"><span>Difference <strong class="num" data-figure="${name}-difference">${points(figures.difference)}</strong> <span class="soft small">percentage points</span></span>
          <span class="soft small num" data-figure="${name}-interval">${figures.no_interval || `95 % interval ${points(figures.low)} to ${points(figures.high)}`}</span></div>
        ${figures.no_interval ? "" : interval(figures)}<p class="small">${figures.sentence}</p></section>`;
    };
    return html`<div class="grid2">${card("exact_match", "Exact match", "How many answers are the expected one, word for word.")}
      ${card("token_f1", "Token F1", "How many words an answer shares with the expected one, on average; 100 % is all of them and no other.")}</div>
      <details class="card fold"><summary><h2>What these numbers mean</h2></summary><div class="stack narrow-text">
        <p><strong>The rows.</strong> ${one.split === "train" ? "These rows were trained on, so the figures say what was memorised." : "None of these rows was trained on, so the figures say how the model does on questions that are new to it."} Base and tuned model got the same prompts and settings.</p>
        <p><strong>The difference</strong> is tuned minus base over the same rows. With other rows of the same kind it would come out a little different: in 19 of 20 cases the true difference lies within the interval that is drawn. Where the interval leaves out zero, the difference is unlikely to be chance.</p>
        <p><strong>Can’t tell</strong> means that the interval holds zero, or that there are fewer than ten rows, too few for an interval. More held-out rows make it narrower: four times as many halve it.</p>
        <p><strong>Which one counts?</strong> For labels and fixed forms, exact match. For free text, token F1 says more, and reading the rows below says most.</p></div></details>`;
  }

  async clicked(event) {
    const data = event.target.closest("button")?.dataset;
    if (!data || !this.one) return;
    const one = this.one, path = `/studio/evaluations/${encodeURIComponent(one.id)}`;
    try {
      if ("resume" in data) await tell(`${path}/resume`);
      else if ("delete" in data) {
        await tell(`${path}/delete`);
        toast("The evaluation was deleted.", { run: async () => { await tell(`${path}/restore`); go({ evaluation: one.id, run: null }); } });
        go({ evaluation: null, run: null });
      } else return;
      this.draw(".trouble", "");
      this.loop();
    } catch (error) {
      this.draw(".trouble", notice(error));
    }
  }
}
customElements.define("ft-evaluate", Evaluate);
