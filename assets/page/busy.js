// A button whose press waits for the studio says so at once, and until the answer is here; nothing has to be done for
// it beyond asking in base.js in the same breath.

let pressed = null;

document.addEventListener("click", (event) => {
  pressed = event.target.closest?.(".ft a, .ft button, .ft summary, .ft tr[tabindex]") ?? null;
  setTimeout(() => { pressed = null; }); // what is asked later was not asked by this press
}, true);

// Marks what was pressed a moment ago; returns the function that ends it.
export function working() {
  const button = pressed;
  if (!button || button.getAttribute("aria-busy") === "true") return () => {};
  button.setAttribute("aria-busy", "true");
  return () => button.removeAttribute("aria-busy");
}
