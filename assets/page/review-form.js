// What a reviewer has said of one row so far. It begins with what stands on the row, or with a suggestion; what was said
// and not sent is kept in this browser, so that a reload loses nothing.

import { keep, recall } from "./remember.js";

const MOST_KEPT = 50;
const EMPTY = { texts: {}, label: null, labelChosen: false, choice: null, ratings: {}, tags: {}, spans: [], note: "", suggested: false };
export const GOOD = { true: "Good", false: "Bad" };

export class Form {
  constructor(name, card) {
    this.name = name;
    this.card = card;
    const said = recall(`review-forms-${name}`, {})[card.id];
    this.said = { ...structuredClone(EMPTY), ...this.standing(), ...(said?.seen === card.seen ? said.said : {}) };
    if (!said) this.suggest();
  }
  // What the last judgement says, where it is the reviewer's to go on with.
  standing() {
    const last = this.card.judgement;
    if (!last || last.status === "pending") return { spans: structuredClone(this.card.marked) };
    const choice = last.choice === "tie" ? "tie" : last.choice ? (last.status === "discarded" ? last.choice : "chosen") : null;
    const tags = last.status === "draft" ? last.tags ?? {} : {};
    return { label: last.label ?? null, choice, ratings: { ...last.ratings }, spans: structuredClone(last.spans ?? this.card.marked), note: last.note ?? "", tags };
  }
  // Labels go into the form at once, where nobody chose one or took one off; an answer stands beside the row until it
  // is taken.
  suggest() {
    const { suggested_label: label, status } = this.card;
    if (label && !this.said.labelChosen && status === "pending" && this.labelled !== label) Object.assign(this.said, { label, suggested: true });
  }
  // The label that the row has by itself.
  get labelled() { return this.card.row.label ?? this.card.row.tags?.label ?? null; }
  get label() { return this.said.label ?? this.labelled; }

  set(changes) {
    Object.assign(this.said, changes);
    this.keep();
  }
  keep() {
    const forms = Object.entries(recall(`review-forms-${this.name}`, {})).filter(([id]) => id !== this.card.id).slice(-MOST_KEPT);
    keep(`review-forms-${this.name}`, Object.fromEntries([...forms, [this.card.id, { seen: this.card.seen, said: this.said }]]));
  }
  forget() {
    const forms = recall(`review-forms-${this.name}`, {});
    if (!(this.card.id in forms)) return;
    delete forms[this.card.id];
    keep(`review-forms-${this.name}`, forms);
  }

  // The text of a turn as it shall be.
  text(of, at, otherwise) { return this.said.texts[`${of}:${at ?? ""}`] ?? otherwise; }
  write(of, at, text, before) {
    const texts = { ...this.said.texts };
    if (text === before) delete texts[`${of}:${at ?? ""}`];
    else texts[`${of}:${at ?? ""}`] = text;
    const letters = [...text];
    const spans = this.said.spans.filter((span) => span.of !== of || (span.at ?? null) !== (at ?? null) || letters.slice(span.start, span.end).join("") === span.text);
    this.set({ texts, spans });
  }
  // The answer suggested, in the place of the row's last one; where that is no answer to be learned, it has no place.
  takeAnswer() {
    const { row, suggestion } = this.card;
    const of = row.kind === "preference" ? "chosen" : "messages";
    const at = (row[of] ?? []).findLastIndex((turn) => turn.role === "assistant");
    if (!["chat", "preference"].includes(row.kind) || at < 0) return false;
    this.write(of, at, suggestion, row[of][at].content);
    this.set({ suggested: true });
    return true;
  }
  // The row as it reads with the texts written here.
  get row() {
    const { row } = this.card;
    const turns = (of) => row[of]?.map((turn, at) => ({ ...turn, content: this.text(of, at, turn.content) }));
    return { ...row, messages: turns("messages"), chosen: turns("chosen"), rejected: turns("rejected"), text: this.text("text", null, row.text) };
  }
  // What goes to the studio.
  item(status) {
    const { texts, label, choice, ratings, tags, spans, note } = this.said;
    const { card } = this;
    const item = { of: [{ row: card.id, seen: card.seen, ...(card.after_key ? { after: card.after_key } : {}) }], status: choice === "tie" && status === "accepted" ? "discarded" : status };
    const changed = Object.entries(texts).map(([place, text]) => {
      const [of, at] = place.split(":");
      return { of, at: at === "" ? null : Number(at), text };
    });
    if (changed.length) item.texts = changed;
    if (label !== null) item.label = label;
    if (choice) item.choice = choice;
    if (Object.keys(ratings).length) item.ratings = ratings;
    if (Object.keys(tags).length) item.tags = tags;
    if (spans.length || this.standing().spans.length) item.spans = spans; // none any more, where there were some
    if (note.trim()) item.note = note.trim();
    return item;
  }
}
