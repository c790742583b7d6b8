// Suggestions that a model writes while somebody looks at the row: the source is `live:RUN:tuned` or `live:RUN:base`.

import { ask, html, notice } from "./base.js";
import { answer, ready } from "./chat.js";

const LOOK_MS = 250; // rows that are passed by more quickly are not asked about
const plain = (text) => text.normalize("NFC").trim().toLowerCase();

export class Live {
  // path: of the dataset's review; labels(): those of the guidelines; changed(): there is something else to be shown.
  constructor(path, labels, changed) {
    Object.assign(this, { path, labels, changed });
  }
  // Asks about a row; what was asked before is given up.
  look(card, source) {
    this.stop();
    const [kind, run, weights] = (source ?? "").split(":");
    if (kind !== "live" || !card || card.status !== "pending" || card.suggestion) return;
    const abort = this.abort = new AbortController();
    this.timer = setTimeout(() => this.write(card, run, weights, abort.signal), LOOK_MS);
  }
  stop() {
    clearTimeout(this.timer);
    this.abort?.abort();
  }
  async write(card, run, weights, signal) {
    const say = (live) => { card.live = live; this.changed(card); };
    try {
      const { messages, tools } = await ask(`${this.path}/rows/${encodeURIComponent(card.id)}/question?run=${encodeURIComponent(run)}`, { signal });
      if (!messages) return;
      say({ words: "The model is read into memory…" });
      await ready([run], signal);
      let text = "";
      say({ words: "Thinking…" });
      const { [weights]: whole } = await answer(run, { messages, tools, weights }, signal, (_, more) => { text += more; say({ text }); });
      card.suggestion = whole.text;
      card.suggested_label = this.labels().find((label) => plain(label) === plain(whole.text)) ?? null;
      say(null);
    } catch (error) {
      card.live = null; // looked at again, it is asked about again
      if (!signal.aborted) say({ error });
    }
  }
}

// What is written so far, or why nothing is.
export function writing(live) {
  if (!live) return html``;
  if (live.error) return notice({ what: live.error.what ?? "The model did not answer.", why: live.error.why ?? "", next: live.error.next ?? "Try another source of suggestions." }, "warning");
  return html`<section class="rv-part rv-suggested" aria-label="Suggested answer"><h3>Suggested answer <span class="chip suggestion">being written</span></h3>
    <div class="words ${live.text ? "" : "soft"}" dir="auto">${live.text || live.words}</div></section>`;
}
