// The header: what this is, on which machine, and who has the device now.

import { Part, asset, ask, html } from "./base.js";

class Header extends Part {
  every = 5000;

  start() {
    this.draw(null, html`<div class="ft-head"><img src="${asset("logo.svg")}" alt=""><strong>FlexTune Studio</strong>
      <span class="where" role="status"></span></div>`);
    this.loop();
  }
  async tick() {
    const here = await ask("/studio/machine");
    this.draw(".where", html`${here.summary}${here.holder ? html` · <a data-go="tab=runs&run=${here.holder}"
      href="?tab=runs&run=${here.holder}">training</a>` : ""}`);
  }
}
customElements.define("ft-header", Header);
