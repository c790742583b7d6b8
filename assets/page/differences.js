// The words that stand in one of two texts only, by the longest common sequence of words.

import { html } from "./base.js";

const PIECES = /\s+|[\p{L}\p{M}\p{N}_]+|[^\s\p{L}\p{M}\p{N}_]/gu;
// Scripts without spaces between words: there each character counts as one.
const UNSPACED = /[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]/u;
// A table of so many cells takes some tens of milliseconds; beyond it all that lies between equal ends counts as different.
const LARGEST = 4_000_000;

export function pieces(text) {
  return (text.match(PIECES) ?? []).flatMap((piece) => (UNSPACED.test(piece) ? [...piece] : [piece]));
}

// Two lists of [text, whether only this side has it].
export function differences(one, other) {
  const sides = [pieces(one), pieces(other)];
  const words = sides.map((side) => side.filter((piece) => piece.trim()));
  const kept = common(words[0], words[1]);
  return sides.map((side, at) => {
    let place = 0;
    return side.map((piece) => [piece, piece.trim() ? !kept[at].has(place++) : false]);
  });
}

// The places of the words that both have, in this order, as two sets.
function common(a, b) {
  const kept = [new Set(), new Set()];
  let start = 0, ends = [a.length, b.length];
  while (start < ends[0] && start < ends[1] && a[start] === b[start]) { kept[0].add(start); kept[1].add(start); start += 1; }
  while (ends[0] > start && ends[1] > start && a[ends[0] - 1] === b[ends[1] - 1]) { ends = ends.map((end) => end - 1); kept.forEach((set, at) => set.add(ends[at])); }
  const [rows, columns] = ends.map((end) => end - start);
  if (!rows || !columns || rows * columns > LARGEST) return kept;
  const width = columns + 1, table = new Uint32Array((rows + 1) * width);
  for (let row = rows - 1; row >= 0; row -= 1) {
    for (let column = columns - 1; column >= 0; column -= 1) {
      table[row * width + column] = a[start + row] === b[start + column]
        ? table[(row + 1) * width + column + 1] + 1
        : Math.max(table[(row + 1) * width + column], table[row * width + column + 1]);
    }
  }
  let row = 0, column = 0;
  while (row < rows && column < columns) {
    if (a[start + row] === b[start + column]) { kept[0].add(start + row++); kept[1].add(start + column++); }
    else if (table[(row + 1) * width + column] >= table[row * width + column + 1]) row += 1;
    else column += 1;
  }
  return kept;
}

// One side's text with its own words marked; neighbours share one mark, the blanks between them included.
export function marked(list) {
  const runs = [];
  list.forEach(([piece, own], at) => {
    const last = runs.at(-1);
    const joins = !piece.trim() && last?.own && list[at + 1]?.[1];
    if (last && last.own === (own || joins)) last.text += piece;
    else runs.push({ own, text: piece });
  });
  return html`${runs.map((run) => (run.own ? html`<mark>${run.text}</mark>` : run.text))}`;
}
