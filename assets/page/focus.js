// The keyboard's place on the page. What is drawn anew, switched off or hidden while it has the focus would lose it to
// the whole page, and the next Tab would begin anywhere. Then the same thing in its new form gets it, and until there
// is one, what stood around it.

const GONE = ["class", "style", "value", "disabled", "tabindex", "aria-busy", "aria-pressed", "aria-expanded", "aria-disabled", "aria-selected"];
let kept = null; // what had the focus by the person's own doing: {element, around, sign, place}
let standIn = null; // what has it in its place
let soon = false;

const usable = (one) => one.isConnected && !one.disabled && one.checkVisibility({ visibilityProperty: true }) && one.getClientRects().length > 0;
const signOf = (one) => {
  const named = [...one.attributes].filter((attribute) => !GONE.includes(attribute.name)).map(({ name, value }) => `${name}=${value}`);
  return `${one.tagName} ${named.join(" ") || one.textContent.trim()} ${one.matches("button, a, summary") && !named.some((name) => /^(data-|id=|name=|href=)/.test(name)) ? one.className : ""}`;
};
const alike = (root, sign) => [...root.querySelectorAll(sign.split(" ", 1)[0])].filter((one) => signOf(one) === sign);

document.addEventListener("focusin", (event) => {
  const element = event.target;
  if (element === standIn || !element.closest(".ft, dialog")) return;
  standIn = null;
  const around = [];
  for (let one = element.parentElement; one && one !== document.body; one = one.parentElement) around.push(one);
  const sign = signOf(element);
  kept = { element, around, sign, place: alike(element.closest(".ft, dialog"), sign).indexOf(element) };
});
// Whoever clicks beside everything, or leaves for the browser's own bar, means to have no focus.
document.addEventListener("pointerdown", () => { standIn = null; kept = null; }, true);

function look() {
  soon = false;
  if (!kept) return;
  const now = document.activeElement;
  // The browser may take the focus from what is gone only much later.
  const nowhere = !now || now === document.body || now === kept.element;
  if (!nowhere && now !== standIn) return;
  if (usable(kept.element)) {
    if (now === standIn && standIn) kept.element.focus({ preventScroll: true });
    return;
  }
  const twin = again();
  if (twin) { twin.focus({ preventScroll: true }); return; }
  if (nowhere) standFor();
}
// The same thing drawn anew: nearest to where it stood.
function again() {
  for (const root of kept.around) {
    if (!root.isConnected) continue;
    const found = alike(root, kept.sign).filter(usable);
    if (found.length) return found[Math.min(Math.max(0, kept.place), found.length - 1)];
    if (root.matches(".ft, dialog")) return null;
  }
  return null;
}
function standFor() {
  const tab = document.querySelector("#tabs [role=tab][aria-selected=true]");
  const part = kept.around.find((one) => one.matches(".ft, dialog[open]"));
  // A link to another tab hides the one it stands on: the tab it led to has the focus then.
  const place = part && usable(part) ? kept.around.find((one) => usable(one)) : tab;
  if (!place) return;
  if (place !== tab && !place.hasAttribute("tabindex")) place.setAttribute("tabindex", "-1");
  standIn = place;
  place.focus({ preventScroll: true });
}
// What still stands when it loses the focus to nothing was left on purpose, such as a field by Escape.
document.addEventListener("focusout", ({ target, relatedTarget }) => {
  later();
  if (relatedTarget || !document.hasFocus()) return;
  queueMicrotask(() => { if (kept?.element === target && document.activeElement !== target && usable(target)) kept = null; });
});
function later() {
  if (soon || !kept) return;
  soon = true;
  requestAnimationFrame(() => setTimeout(look)); // the browser takes the focus away after it has painted
}
new MutationObserver(later).observe(document.documentElement, {
  subtree: true, childList: true, attributes: true, attributeFilter: ["disabled", "hidden", "class", "style", "open"],
});
