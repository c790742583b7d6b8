// The header: what this is, on which machine, who has the device now, and whether the studio answers.

import { Part, asset, ask, html, notice } from "./base.js";

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
    this.draw(".where", html`${here.summary}${here.holder ? html` · <a data-go="tab=runs&run=${here.holder}"
      href="?tab=runs&run=${here.holder}">training</a>` : ""}`);
  }
}
customElements.define("ft-header", Header);
