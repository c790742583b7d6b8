// Finds what can be pressed on the page, presses it, and measures until something is shown. For test_presses.py.

window.presses = (() => {
  const CHOSEN = ["aria-selected", "aria-pressed", "aria-current"];
  const seen = (one) => one.checkVisibility({ visibilityProperty: true }) && one.getClientRects().length > 0
    && !one.disabled && !one.closest("[inert]") && one.getAttribute("aria-disabled") !== "true";
  // A way to where one is already has nothing to show.
  const here = (one) => (one.matches("a[href]") && new URL(one.href).search === location.search)
    || CHOSEN.some((name) => ["true", "page"].includes(one.getAttribute(name)));
  const words = (one) => (one.getAttribute("aria-label") || one.innerText || one.id || one.className).trim();
  const kind = (one) => (one.closest("#tabs [role=tablist]") ? "tab" : one.closest("tr, li") ? `${one.tagName} in a list` : one.tagName);
  const nameOf = (one) => `${kind(one)} ${words(one).replace(/\s+/g, " ").slice(0, 60)}`;

  function all() {
    const part = document.querySelector("dialog[open]") ?? [...document.querySelectorAll(".tabitem")].find((one) => one.offsetParent);
    return [...document.querySelectorAll("#tabs [role=tab]"), ...part.querySelectorAll("button, summary, a[href]")]
      .filter((one) => seen(one) && !here(one));
  }
  // Each by a name that stays when the page is drawn anew; of many alike in a list the first stands for all.
  const names = () => [...new Set(all().map(nameOf))];

  let elsewhere = () => {};
  // What the browser shows by itself, a chosen file's window or a download, is an answer too, and is not opened here.
  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("input[type=file], a[download], a[href^='/studio/']")) return;
    event.preventDefault();
    elsewhere();
  });
  HTMLAnchorElement.prototype.click = function () {
    if (this.isConnected) HTMLElement.prototype.click.call(this);
    else elsewhere();
  };

  // Milliseconds until the next picture that differs; null when nothing has changed, "gone" when it is not there.
  function press(name, most) {
    const one = all().find((each) => nameOf(each) === name);
    if (!one) return "gone";
    one.scrollIntoView({ block: "center" });
    return new Promise((done) => setTimeout(() => {
      const began = performance.now();
      const end = (ms) => {
        watcher.disconnect();
        clearTimeout(timer);
        elsewhere = () => {};
        for (const type of ["scroll", "focusin"]) document.removeEventListener(type, moved, true);
        done(ms);
      };
      const shown = () => requestAnimationFrame(() => setTimeout(() => end(performance.now() - began)));
      const moved = (event) => event.target !== one && shown();
      // The header looks at the machine by itself.
      const watcher = new MutationObserver((found) => found.some((each) => !each.target.closest?.("ft-header")) && shown());
      watcher.observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
      const timer = setTimeout(() => end(null), most);
      for (const type of ["scroll", "focusin"]) document.addEventListener(type, moved, true);
      elsewhere = shown;
      one.click();
    }, 50));
  }

  // Until the function it returns is called no answer comes; then all are lost, as when the studio has gone away.
  function hold() {
    const real = window.fetch, waiting = [];
    window.fetch = () => new Promise((_, failed) => waiting.push(failed));
    return () => {
      window.fetch = real;
      for (const failed of waiting) failed(new TypeError("held back by the test"));
    };
  }
  async function pressHeld(name, most) {
    const letGo = hold();
    try { return await press(name, most); } finally { letGo(); }
  }
  return { names, press: pressHeld };
})();
