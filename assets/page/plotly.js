// Plotly, fetched from the studio when the first chart asks for it, and the colours of the style sheet for charts.
//
//   const Plotly = await plotly();

let loading;

export function plotly() {
  loading ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = "/studio/plotly.js";
    script.onload = () => done(window.Plotly);
    script.onerror = () => {
      loading = null; // the studio was away: the next chart asks again
      script.remove();
      failed(new Error("The charts could not be loaded."));
    };
    document.head.append(script);
  });
  return loading;
}

// A colour by its name in the style sheet (`--tuned`), as it is in the theme of this moment.
export const colour = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

// Calls back when the theme changes; returns the function that ends it.
export function onTheme(changed) {
  let dark = document.body.classList.contains("dark");
  const watcher = new MutationObserver(() => {
    const now = document.body.classList.contains("dark");
    if (now !== dark) { dark = now; changed(); }
  });
  watcher.observe(document.body, { attributes: true, attributeFilter: ["class"] });
  return () => watcher.disconnect();
}

// The layout that all charts share; `more` goes over it, axes included.
export function layout({ xaxis = {}, yaxis = {}, ...more } = {}) {
  const axis = { gridcolor: colour("--line"), zerolinecolor: colour("--line"), linecolor: colour("--line"), automargin: true };
  return {
    margin: { l: 50, r: 12, t: 8, b: 34 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.querySelector(".gradio-container") ?? document.body).fontFamily, size: 12, color: colour("--soft") },
    hoverlabel: { bgcolor: colour("--card"), bordercolor: colour("--line"), font: { color: colour("--ink") } },
    showlegend: false,
    ...more,
    xaxis: { ...axis, ...xaxis },
    yaxis: { ...axis, ...yaxis },
  };
}
export const CONFIG = { displayModeBar: false, responsive: true, showTips: false, doubleClick: "reset" };
