// How far reviewers agree, and the rows on which they do not.

import { Part, ask, html, notice, number } from "./base.js";

const figure = (value) => (value === null || value === undefined ? "–" : value.toFixed(2));
const share = (value) => `${Math.round(100 * value)} %`;

class ReviewAgreement extends Part {
  start() {
    this.draw(null, html`<div class="stack rv-agreement"><p class="soft" role="status">Comparing…</p></div>`);
    this.fetch();
  }
  async fetch() {
    try {
      const found = await ask(`/studio/datasets-review/${encodeURIComponent(this.review.name)}/agreement`);
      if (this.isConnected) this.draw(".rv-agreement", this.report(found));
    } catch (error) {
      this.draw(".rv-agreement", notice(error));
    }
  }
  answered() { this.fetch(); }
  report({ reviewers, questions, conflicts }) {
    if (this.review.as.blind) {
      return html`<div class="card empty"><h2>Not while you work blind</h2><p>How far you agree with others would tell what they judged. Change how you review, at the top right, once you are through.</p></div>`;
    }
    const file = `/studio/datasets-review/${encodeURIComponent(this.review.name)}/judgements.jsonl`;
    const download = reviewers.length ? html`<div><a class="ft-button" href="${file}" download>Download all judgements</a></div>` : "";
    if (reviewers.length < 2 || !questions.length) {
      return html`${download}<div class="card empty"><h2>Nothing to compare yet</h2><p>${reviewers.length < 2 ? html`Agreement takes two reviewers who judge the same rows without seeing each other’s judgements. Let a second person open this page, give another name and tick “Work blind”.`
        : html`${reviewers.map((each) => each.by || "somebody").join(" and ")} have judged no row in common yet.`}</p></div>`;
    }
    return html`${conflicts ? html`<div class="notice warning spread"><span><strong>${number(conflicts)} ${conflicts === 1 ? "row is" : "rows are"} in conflict.</strong> Until somebody decides, the last judgement holds.</span>
        <button type="button" class="ft-button" data-show="conflict">Resolve them</button></div>` : html`<div class="notice" role="status">No row is in conflict.</div>`}
      <div class="card flush scroll"><table class="rv-table"><thead><tr><th scope="col">Question</th><th scope="col" class="right">Rows in common</th><th scope="col" class="right">The same</th><th scope="col" class="right">Cohen’s κ</th>
        <th scope="col" class="right">Krippendorff’s α</th><th scope="col">What it means</th></tr></thead><tbody>${questions.map((each) => this.line(each))}</tbody></table></div>
      <p class="soft small">Judged without knowing of each other: ${reviewers.map((each, at) => html`${at ? ", " : ""}${each.by || "somebody"} ${number(each.rows)}`)}. κ and α are 1 where all agree and 0 where they agree as by chance; α of 0.8 and more is called good, of 0.67 fair.</p>${download}`;
  }
  line(each) {
    const many = each.pairs.length > 1;
    const value = (pair) => (pair.f1 === undefined ? `κ ${figure(pair.kappa)}` : `F1 ${figure(pair.f1)}`);
    return html`<tr><th scope="row" dir="auto">${each.name}${many ? html`<details class="soft small"><summary>Two by two</summary>${each.pairs.map((pair) => html`<div>${pair.by.map((by) => by || "somebody").join(" and ")}: ${number(pair.rows)} rows, ${share(pair.same)}, ${value(pair)}</div>`)}</details>` : ""}</th>
      <td class="right num">${number(each.rows)}</td><td class="right num">${share(each.same)}</td><td class="right num">${each.level === "spans" ? "–" : figure(each.kappa)}</td><td class="right num">${figure(each.alpha)}</td>
      <td class="small">${each.level === "spans" ? `F1 of the marked spans ${figure(each.f1)}` : each.words}</td></tr>`;
  }
}
customElements.define("ft-review-agreement", ReviewAgreement);
