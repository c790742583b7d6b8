// Marked words: drawn into the text, made from what is selected, by mouse or by keys.

const words = (place) => [...place.querySelectorAll(".rv-said [data-said]")];
const letters = (text) => [...text].length; // the studio counts code points, the browser UTF-16
const split = (said) => { const [of, at] = said.split(":"); return { of, at: at === "" ? null : Number(at) }; };

// Draws the marks of a form into the texts below `place`.
export function drawSpans(place, spans, entities) {
  for (const element of words(place)) {
    const { of, at } = split(element.dataset.said);
    const mine = spans.filter((span) => span.of === of && (span.at ?? null) === at).sort((one, other) => one.start - other.start);
    const text = element.textContent;
    if (!mine.length && !element.querySelector("mark")) continue;
    const all = [...text];
    element.replaceChildren();
    let done = 0;
    for (const span of mine) {
      element.append(all.slice(done, span.start).join(""));
      const mark = document.createElement("mark");
      mark.className = `rv-mark rv-colour-${Math.max(0, entities.indexOf(span.label)) % 6}`;
      mark.textContent = all.slice(span.start, span.end).join("");
      mark.dataset.entity = span.label;
      element.append(mark);
      done = span.end;
    }
    element.append(all.slice(done).join(""));
  }
}

// What is selected in one of the texts below `place`, outer white space left out; null for nothing.
export function selected(place) {
  const selection = getSelection();
  if (!selection.rangeCount || selection.isCollapsed) return null;
  const range = selection.getRangeAt(0);
  const element = words(place).find((each) => each.contains(range.startContainer) && each.contains(range.endContainer));
  if (!element) return null;
  const before = document.createRange();
  before.selectNodeContents(element);
  before.setEnd(range.startContainer, range.startOffset);
  const text = range.toString();
  const lead = text.length - text.trimStart().length;
  if (!text.trim()) return null;
  const start = letters(before.toString() + text.slice(0, lead));
  return { ...split(element.dataset.said), start, end: start + letters(text.trim()), text: text.trim() };
}

// The spans with one more; what it overlaps gives way.
export const withSpan = (spans, span) => [...spans.filter((each) => !overlaps(each, span)), span];
export const withoutSpans = (spans, at) => spans.filter((each) => !overlaps(each, at));
const overlaps = (one, other) => one.of === other.of && (one.at ?? null) === (other.at ?? null) && one.start < other.end && other.start < one.end;

// Marking by keys: the arrows move from word to word, with Shift they take more words in.
export class Marker {
  constructor(place) {
    this.place = place;
    this.texts = words(place);
    this.text = this.texts.findLastIndex((each) => each.textContent.trim()) ;
    this.read();
  }
  get there() { return this.text >= 0 && this.parts.length > 0; }
  read() {
    const text = this.texts[this.text]?.textContent ?? "";
    this.parts = [...text.matchAll(/[\p{L}\p{N}\p{M}_]+|[^\s\p{L}\p{N}\p{M}_]/gu)].map((found) => [found.index, found.index + found[0].length]);
    this.from = this.to = 0;
    this.select();
  }
  press(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const other = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      this.to = Math.min(this.parts.length - 1, Math.max(0, this.to + step));
      if (!event.shiftKey) this.from = this.to;
      this.select();
    } else if (other) {
      this.text = Math.min(this.texts.length - 1, Math.max(0, this.text + other));
      this.read();
    }
    return Boolean(step || other);
  }
  select() {
    if (!this.there) return;
    const [one, two] = [Math.min(this.from, this.to), Math.max(this.from, this.to)];
    const start = this.point(this.parts[one][0]);
    const end = this.point(this.parts[two][1]);
    getSelection().setBaseAndExtent(...start, ...end);
    start[0].parentElement.scrollIntoView({ block: "nearest" });
  }
  // The text node and offset of a place in the text.
  point(offset) {
    const walker = document.createTreeWalker(this.texts[this.text], NodeFilter.SHOW_TEXT);
    let node = walker.nextNode();
    let rest = offset;
    while (node && rest > node.length) { rest -= node.length; node = walker.nextNode(); }
    return [node, rest];
  }
  // After the text was drawn anew.
  again(place) {
    this.place = place;
    this.texts = words(place);
    this.select();
  }
}
