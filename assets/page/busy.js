// A button whose press waits for the studio says so at once, and until the answer is here; nothing has to be done for
// it beyond asking in base.js soon after the press: at once, or when the question under way is answered.

const SOON = 300;
let pressed = null;
let timer;

document.addEventListener("click", (event) => {
  pressed = event.target.closest?.(".ft a, .ft button, .ft summary, .ft tr[tabindex]") ?? null;
  clearTimeout(timer);
  timer = setTimeout(() => { pressed = null; }, SOON); // what is asked later was not asked by this press
}, true);

// Marks what was pressed a moment ago; returns the function that ends it.
export function working() {
  const button = pressed;
  pressed = null;
  if (!button || button.getAttribute("aria-busy") === "true") return () => {};
  button.setAttribute("aria-busy", "true");
  return () => button.removeAttribute("aria-busy");
}
