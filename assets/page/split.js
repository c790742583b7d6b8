// The split of a dataset: how it stands, a new one planned, shown, and made. A plan stands in the address (&plan=JOB).

import "./job.js";

import { Part, address, ask, go, html, notice, number, tell } from "./base.js";
import { link, shares } from "./dataset-links.js";
import { SEED } from "./glossary.js";
import { missing } from "./missing.js";
import { planned, verdict } from "./split-plan.js";
import { reviewer } from "./remember.js";
import { toast } from "./toast.js";
import { SIDES } from "./turns.js";

const WAYS = [
  ["random", "By chance", "Rows are drawn by chance; what belongs together stays together."],
  ["group", "By a column", "All rows with the same value, such as one patient or one customer, stay on one side."],
  ["date", "By date", "The newest rows are held out: the model is tried on what came after it learned."],
  ["column", "As a column says", "A column names the side of each row: train, validation or test."],
];
const TIES = [
  ["questions", "the same question", "whatever they answer"],
  ["near", "nearly the same text", "80 % of it or more in common"],
  ["documents", "the same source document", "named in the column “document”"],
  ["conversations", "the same conversation", "by its number, or where one goes on from another"],
];
const FRACTIONS = [["train", 80], ["validation", 10], ["test", 10]];
const FEW = 50; // a column with more values is not offered to be kept in balance

class Split extends Part {
  every = 4000;

  start() {
    this.name = address().dataset;
    this.choices = { by: "random", column: "", stratify: null, keep: "", seed: 0, shares: Object.fromEntries(FRACTIONS), ties: Object.fromEntries(TIES.map(([key]) => [key, true])) };
    this.draw(null, html`<div class="sp stack"><div class="card now"></div><form class="card form" novalidate></form><div class="told"></div><div class="job"></div><div class="plan stack"></div></div>`);
    this.onclick = (event) => this.clicked(event);
    this.onsubmit = (event) => { event.preventDefault(); this.plan(false); };
    this.oninput = (event) => this.typed(event.target);
    this.addEventListener("ft-job-done", (event) => this.done(event));
    this.shown = null;
    this.loop();
    this.addressChanged();
  }
  addressChanged() {
    const now = address();
    if (now.tab !== "data" || now.part !== "split" || now.dataset !== this.name || now.row) return;
    if (now.plan !== this.shown) this.open(now.plan);
  }
  async tick() {
    this.state = await ask(`/studio/datasets-split/${encodeURIComponent(this.name)}`);
    this.draw(".now", this.now());
    if (this.moved && this.moved !== this.stamp()) this.forget();
    const key = JSON.stringify(this.state.columns);
    if (this.drawn !== key) {
      this.drawn = key;
      this.choices.stratify ??= this.labelled() ? "label" : "";
      this.form();
    }
  }
  // Of rows with a few labels every side should have each: by chance a rare one may be missing where the score is made.
  labelled() { return this.few().some((each) => each.name === "label"); }
  few() { return this.state.columns.filter((each) => each.values > 1 && each.values <= FEW); }
  stamp() { return `${this.state.version} ${this.state.reviews}`; }
  // That rows have moved is said until they are frozen, taken back or changed further.
  forget() {
    this.moved = null;
    this.draw(".told", html``);
  }
  now() {
    const { counts, version } = this.state;
    const checked = this.found ?? this.state.checked; // a check that is shown below is the newest word
    const words = !checked ? html`<span class="chip">Not checked</span> <span class="soft">Whether rows that belong together stand on two sides is not known yet.</span>`
      : html`<span class="chip ${checked.clean ? "finished" : "broken"}">${checked.clean ? "Clean" : "Not clean"}</span> <span class="soft">${verdict(checked)}</span>`;
    return html`<div class="spread"><h2>The split of version ${version}</h2><button type="button" class="ft-button" data-do="check">${checked ? "Check again" : "Check it"}</button></div>
      ${shares(counts)}<dl class="ft-legend">${Object.entries(counts).map(([side, count]) => html`<div><dt><i class="${side}"></i>${SIDES[side]}</dt><dd class="num">${number(count)}</dd></div>`)}</dl><p>${words}</p>`;
  }

  // ---- The form ----

  form() {
    const { by, column, stratify, keep, seed, ties } = this.choices;
    const columns = this.state.columns;
    const option = (each, chosen, more = "") => html`<option value="${each.name}" ${each.name === chosen ? html`selected` : ""}>${each.name}${more}</option>`;
    const values = (each) => (each.values >= each.sample ? " (all different)" : ` (${each.values} values)`);
    const few = this.few();
    const about = { group: "Which column makes a group", date: "Which column has the date", column: "Which column names the side" }[by];
    const picked = columns.find((each) => each.name === column);
    const markup = html`<h2>Plan a new split</h2><p class="soft">Training rows are learned from, validation rows watch over the training, held-out rows make the score: the model must never have seen them. Nothing moves before you have seen what comes of it.</p>
      <fieldset class="sp-field"><legend>How</legend><div class="form-options">${WAYS.map(([key, words]) => html`<label><input type="radio" name="by" value="${key}" ${key === by ? html`checked` : ""}><span>${words}</span></label>`)}</div>
        <p class="form-help">${WAYS.find(([key]) => key === by)[2]}</p></fieldset>
      <div class="sp-fields">${about ? html`<div class="sp-field"><label for="sp-column">${about}</label>${columns.length
        ? html`<select id="sp-column" name="column" class="ft-input"><option value="">Choose…</option>${columns.map((each) => option(each, column, by === "group" ? values(each) : ""))}</select>
          <p class="form-help">${picked ? html`for example <span dir="auto">${picked.some.join(", ")}</span>` : ""}</p>`
        : html`<p class="form-help">The rows have no columns beside what is learned. Import the file again with them, or give tags.</p>`}</div>` : ""}
        ${by === "column" ? "" : html`<div class="sp-field"><span class="form-label" id="sp-shares">Shares</span><div class="sp-shares" role="group" aria-labelledby="sp-shares">${FRACTIONS.map(([side]) =>
          html`<label>${SIDES[side]}<span><input name="share-${side}" class="ft-input num" inputmode="decimal" value="${this.choices.shares[side]}" maxlength="6" autocomplete="off"> %</span></label>`)}</div></div>`}
        ${["column", "date"].includes(by) ? "" : html`<div class="sp-field"><label for="sp-stratify">Keep in balance</label><select id="sp-stratify" name="stratify" class="ft-input"><option value="">nothing in particular</option>${few.map((each) => option(each, stratify, values(each)))}</select>
          <p class="form-help">Every side gets the same shares of each of its values.</p></div>
        <div class="sp-field"><label for="sp-seed">Number for chance (seed)</label><input id="sp-seed" name="seed" class="ft-input num" inputmode="numeric" value="${seed}" maxlength="12" autocomplete="off"><p class="form-help">${SEED}</p></div>`}</div>
      <fieldset class="sp-field"><legend>Stay on one side, because they have</legend><div class="sp-ties">${TIES.map(([key, words, how]) =>
        html`<label class="ft-check"><input type="checkbox" name="tie-${key}" ${ties[key] ? html`checked` : ""}> <span>${words} <span class="soft small">${how}</span></span></label>`)}
        ${columns.length ? html`<label class="ft-check sp-keep" for="sp-keep"><span>the same value of</span> <select id="sp-keep" name="keep" class="ft-select"><option value="">no further column</option>${columns.map((each) => option(each, keep))}</select></label>` : ""}</div></fieldset>
      <div class="row"><button class="ft-button primary">Plan the split</button></div>`;
    const focused = document.activeElement?.name;
    const place = this.draw(".form", markup);
    const again = focused && place.querySelector(`[name="${CSS.escape(focused)}"]${focused === "by" ? ":checked" : ""}`);
    if (again && document.activeElement !== again) again.focus();
  }
  typed(field) {
    const { name, value } = field;
    if (name.startsWith("share-")) this.choices.shares[name.slice(6)] = value;
    else if (name.startsWith("tie-")) this.choices.ties[name.slice(4)] = field.checked;
    else this.choices[name] = value;
    if (["by", "column"].includes(name)) this.form();
  }
  settings(check) {
    const { by, column, stratify, keep, seed, ties } = this.choices;
    const part = (side) => Number(String(this.choices.shares[side]).replace(",", ".")) / 100;
    return {
      by, column: by === "random" ? null : column, stratify: ["random", "group"].includes(by) ? stratify : null, seed: Number(seed),
      shares: FRACTIONS.map(([side]) => `${side}=${Number(part(side).toFixed(6))}`).join(","), keep: keep ? [keep] : [], check, ...ties,
    };
  }

  // ---- Planning ----

  clicked(event) {
    const deed = event.target.closest("[data-do]")?.dataset.do;
    if (deed === "check") this.plan(true);
    if (deed === "apply") this.apply();
    if (deed === "forget") go({ plan: null });
  }
  async plan(check) {
    this.draw(".told", html``);
    try {
      const { job } = await tell(`/studio/datasets-split/${encodeURIComponent(this.name)}/plan`, this.settings(check));
      go({ plan: job });
    } catch (error) {
      this.draw(".told", notice(error));
    }
  }
  // Shows a plan that is there; one that is being made shows its progress.
  async open(job) {
    this.shown = job;
    this.found = null;
    this.draw(".told", html``);
    this.draw(".plan", html``);
    this.draw(".job", html``);
    if (!job) return;
    let plan;
    try {
      plan = await ask(`/studio/datasets-split/${encodeURIComponent(this.name)}/plans/${encodeURIComponent(job)}`);
    } catch (error) {
      const back = `tab=data&dataset=${encodeURIComponent(this.name)}&part=split&plan=`;
      if (this.shown === job) this.draw(".told", error.missing ? missing({ missing: { ...error.missing, noun: "plan" } }, back, "Show the split as it is") : notice(error));
      return;
    }
    if (this.shown !== job) return;
    if (plan.making) {
      this.draw(".job", html`<div class="card"><ft-job data-kind="jobs" data-id="${job}" data-title="Looking through the rows" data-stopped="Nothing was changed."></ft-job></div>`);
      this.querySelector(".job").scrollIntoView({ block: "nearest" });
      return;
    }
    if (plan.settings.check) this.found = plan.leaks;
    this.draw(".plan", planned(plan));
    this.querySelector(".plan .card")?.scrollIntoView({ block: "start" });
    this.loop();
  }
  done(event) {
    if (!event.target.closest(".job")) return;
    if (event.detail.status === "finished") this.open(this.shown);
  }
  async apply() {
    const button = this.querySelector("[data-do=apply]");
    button.disabled = true;
    try {
      const { moved, number: made } = await tell(`/studio/datasets-split/${encodeURIComponent(this.name)}/plans/${encodeURIComponent(this.shown)}`, { by: reviewer() });
      go({ plan: null });
      this.draw(".told", html`<div class="notice" role="status"><strong>${moved === 1 ? "1 row has" : `${number(moved)} rows have`} moved.</strong> Training sees it once a version is frozen. ${link("part=&side=changed", "See the rows that moved")}</div>`);
      await this.tick();
      this.moved = this.stamp();
      toast(`${number(moved)} rows moved.`, { run: async () => {
        try {
          await tell(`/studio/datasets/${encodeURIComponent(this.name)}/undo`, { number: made });
          this.forget();
        } catch (error) {
          this.draw(".told", notice(error));
        }
        this.changed();
      } });
      this.changed();
    } catch (error) {
      button.disabled = false;
      this.draw(".told", notice(error));
    }
  }
  changed() {
    this.dispatchEvent(new CustomEvent("ft-changed", { bubbles: true }));
    this.loop();
  }
}
customElements.define("ft-split", Split);
