// The Runs tab: the list, one run (?run=ID), several overlaid (?runs=A,B), or the deleted ones (?deleted=1).

import { Part, address, ask, go, html, notice, when } from "./base.js";
import "./endings.js";
import "./run-list.js";
import "./run-page.js";
import "./run-overlay.js";
import { lineage, nameOf, restore } from "./run-words.js";

class Runs extends Part {
  every = 60000;

  start() { this.addressChanged(); }
  addressChanged() {
    const here = address();
    if ((here.tab ?? "home") !== "runs") return;
    const wanted = here.run ? ["ft-run", here.run] : here.runs ? ["ft-overlay", here.runs] : here.deleted ? ["ft-deleted-runs", ""] : ["ft-run-list", ""];
    if (this.shown === wanted.join(" ")) return;
    this.shown = wanted.join(" ");
    const part = document.createElement(wanted[0]);
    part.dataset.id = wanted[1];
    this.replaceChildren(part);
  }
}
customElements.define("ft-runs", Runs);

class DeletedRuns extends Part {
  every = 3000;

  start() {
    this.draw(null, html`<div class="stack">
      <a class="back" href="?tab=runs" data-go="tab=runs&deleted=">‹ All runs</a>
      <div><h1>Deleted runs</h1><p class="soft">They take room on the disk until the trash is emptied, on the
        <a href="?tab=settings" data-go="tab=settings&deleted=">Settings</a> page.</p></div>
      <div class="trouble"></div><div class="list"></div></div>`);
    this.onclick = async (event) => {
      const button = event.target.closest("[data-restore]");
      if (!button) return;
      button.disabled = true;
      try {
        await restore(button.dataset.restore);
        this.draw(".trouble", "");
      } catch (error) {
        button.disabled = false;
        this.draw(".trouble", notice(error));
      }
      this.loop();
    };
    this.loop();
  }
  async tick() {
    const { runs } = await ask("/studio/deleted-runs");
    this.draw(".list", runs.length ? html`<div class="card flush"><table><thead><tr><th scope="col">Run</th>
      <th scope="col">Deleted</th><th scope="col"><span class="unseen">Restore</span></th></tr></thead>
      <tbody>${runs.map((run) => html`<tr><td><div class="clip"><bdi>${nameOf(run)}</bdi></div><div class="soft small">${lineage(run)}</div></td>
        <td class="num">${when(run.deleted)}</td>
        <td class="ends"><button type="button" class="ft-button" data-restore="${run.id}" aria-label="Restore ${nameOf(run)}">Restore</button></td></tr>`)}
      </tbody></table></div>` : html`<div class="card empty"><h2>Nothing here</h2><p>Runs that you delete wait here, and can be restored.</p></div>`);
  }
}
customElements.define("ft-deleted-runs", DeletedRuns);

