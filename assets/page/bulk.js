// Above the list of rows: one thing done to all rows that match its search and filters, taken back by one Undo.

import { Part, address, ask, go, html, notice, number, tell } from "./base.js";
import { reviewer } from "./remember.js";
import { toast } from "./toast.js";
import { SIDES } from "./turns.js";

// The words of the list's address that choose rows.
const FILTERS = ["find", "side", "label", "tags", "file"];
const rows = (count) => (count === 1 ? "1 row" : `${number(count)} rows`);

class Bulk extends Part {
  start() {
    this.name = address().dataset;
    this.draw(null, html`<details class="fold bk-fold"><summary>Move, tag or leave out many rows</summary><div class="stack"><p class="soft small words" role="status">Counting…</p><div class="bk"></div><div class="bk-told"></div></div></details>`);
    this.fold = this.querySelector("details");
    this.fold.ontoggle = () => this.count();
    this.onclick = (event) => this.clicked(event);
    this.onsubmit = (event) => { event.preventDefault(); this.tag(event.target.elements, event.submitter?.dataset.take); };
    this.draw(".bk", html`${Object.entries(SIDES).map(([side, words]) => html`<button type="button" class="ft-button small" data-move="${side}">To ${words.toLowerCase()}</button>`)}<span class="bk-line"></span>
      <form><label class="unseen" for="bk-tag">Tag</label><input id="bk-tag" name="tag" class="ft-input" placeholder="tag, as domain" data-most="200" list="bk-tags" autocomplete="off">
        <datalist id="bk-tags"><option value="domain"></option><option value="tone"></option><option value="task"></option></datalist>
        <label class="unseen" for="bk-value">Value of the tag</label><input id="bk-value" name="value" class="ft-input" placeholder="value, as billing" data-most="200" autocomplete="off">
        <button class="ft-button small">Tag</button><button class="ft-button small" data-take="1">Take the tag away</button></form><span class="bk-line"></span>
      <button type="button" class="ft-button small" data-do="exclude">Leave out</button><button type="button" class="ft-button small" data-do="include">Take in again</button>`);
  }
  // Bulk deeds are for the latest version; older ones never change.
  show(info) {
    this.hidden = info.version.version !== info.latest;
    if (this.state !== info.reviews) this.count();
    this.state = info.reviews;
  }
  addressChanged() {
    const now = address();
    if (now.tab === "data" && now.dataset === this.name && !now.row && !now.part) this.count();
  }
  get route() {
    const now = address();
    const query = new URLSearchParams(FILTERS.filter((key) => now[key]).map((key) => [key, now[key]]));
    return `/studio/datasets-tags/${encodeURIComponent(this.name)}/bulk?${query}`;
  }
  async count() {
    if (!this.fold.open) return;
    const mine = (this.asked = (this.asked ?? 0) + 1);
    const route = this.route;
    try {
      const { count } = await ask(route);
      if (mine !== this.asked) return;
      this.counted = count;
      const chosen = FILTERS.some((key) => address()[key]);
      this.draw(".words", count ? html`${chosen ? html`What you do here is done to the <strong class="num">${rows(count)}</strong> that match.`
        : html`What you do here is done to <strong class="num">all ${rows(count)}</strong>. Search or filter first to choose some.`}` : html`No row matches.`);
      for (const button of this.querySelectorAll(".bk button")) button.disabled = !count;
    } catch (error) {
      if (mine === this.asked) this.draw(".words", html`${error.what} ${error.why}`);
    }
  }
  clicked(event) {
    const button = event.target.closest("[data-move], [data-do]");
    if (!button) return;
    const { move } = button.dataset;
    if (move) this.deed({ type: "move", split: move }, (done) => `${rows(done)} moved to ${SIDES[move].toLowerCase()}.`);
    else this.deed({ type: button.dataset.do }, (done) => `${rows(done)} ${button.dataset.do === "exclude" ? "left out" : "taken in again"}.`);
  }
  tag({ tag, value }, take) {
    if (!tag.value.trim() || (!take && !value.value.trim())) {
      this.draw(".bk-told", notice(take ? { what: "No tag is named.", why: "", next: "Type the name of the tag to take away, such as domain." }
        : { what: "The tag is not complete.", why: "It needs a name, such as domain, and a value, such as billing.", next: "" }, "warning"));
      (tag.value.trim() ? value : tag).focus();
      return;
    }
    this.deed({ type: "tag", tag: tag.value, value: take ? null : value.value }, (done) => (take ? `“${tag.value}” taken from ${rows(done)}.` : `${rows(done)} tagged.`));
  }
  async deed(body, words) {
    this.draw(".bk-told", html``);
    try {
      const { changed, kept, number: made } = await tell(this.route, { ...body, by: reviewer() });
      const beside = kept ? ` ${rows(kept)} that a model wrote stay in training.` : "";
      toast(words(changed) + beside, { run: () => this.undo(made) });
      this.changed();
    } catch (error) {
      this.draw(".bk-told", notice(error));
    }
  }
  async undo(made) {
    try {
      await tell(`/studio/datasets/${encodeURIComponent(this.name)}/undo`, { number: made });
    } catch (error) {
      this.draw(".bk-told", notice(error));
    }
    this.changed();
  }
  changed() {
    this.dispatchEvent(new CustomEvent("ft-changed", { bubbles: true }));
    this.count();
    if (address().side === "changed") go({ from: null }, { replace: true });
  }
}
customElements.define("ft-bulk", Bulk);
