// The header: what this is, on which machine, what is at work on it, and whether the studio answers.

import { Part, asset, ask, html, notice } from "./base.js";

// Where a job is shown, by the folder it lies in; the others are shown where they were started.
const PLACES = { runs: "tab=runs&run=", evaluations: "tab=evaluate&evaluation=", exports: "tab=export&export=" };
const SHOWN = 2;

class Header extends Part {
  every = 5000;

  start() {
    this.draw(null, html`<div class="ft-silent"></div><div class="ft-head"><img src="${asset("logo.svg")}" alt=""><strong>FlexTune Studio</strong>
      <span class="where" role="status"></span></div>`);
    this.onHeard = ({ detail }) => this.draw(".ft-silent", detail ? notice({ ...detail, unanswered: false }) : "");
    window.addEventListener("ft-heard", this.onHeard);
    this.loop();
  }
  disconnectedCallback() {
    super.disconnectedCallback();
    window.removeEventListener("ft-heard", this.onHeard);
  }
  async tick() {
    const here = await ask("/studio/machine");
    const more = here.work.length - SHOWN;
    this.draw(".where", html`${here.summary}${here.work.slice(0, SHOWN).map((one) => html` · ${this.work(one)}`)}${more > 0 ? ` · and ${more} more` : ""}`);
  }
  work({ kind, id, words }) {
    const place = PLACES[kind] && PLACES[kind] + encodeURIComponent(id);
    return place ? html`<a class="work" data-go="${place}" href="?${place}"><bdi>${words}</bdi></a>` : html`<bdi class="work">${words}</bdi>`;
  }
}
customElements.define("ft-header", Header);
