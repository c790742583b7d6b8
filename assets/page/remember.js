// Choices of taste (smoothing, sound) kept in this browser; where storage is blocked they last as long as the page.

const here = new Map();

export function recall(key, otherwise) {
  try {
    const kept = localStorage.getItem(`flextune-${key}`);
    return kept === null ? here.get(key) ?? otherwise : JSON.parse(kept);
  } catch {
    return here.get(key) ?? otherwise;
  }
}
// The name of who reviews in this browser, "" for nobody; it goes with everything they do to rows.
export const reviewer = () => recall("reviewer", null)?.by ?? "";
export function keep(key, value) {
  here.set(key, value);
  try {
    localStorage.setItem(`flextune-${key}`, JSON.stringify(value));
  } catch {
    return; // storage is blocked or full
  }
}
