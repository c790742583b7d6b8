// Written into the page itself: the theme, before anything is painted. theme.js goes on from here.
(() => {
  let chosen = new URLSearchParams(location.search).get("__theme");
  if (chosen === null) {
    try {
      chosen = JSON.parse(localStorage.getItem("flextune-theme"));
    } catch { /* storage is blocked: the system's theme */ }
  }
  const dark = chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
