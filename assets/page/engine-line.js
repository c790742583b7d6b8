// What the Compare page says about its engines.

import { html, notice } from "./base.js";

// The line about the engines of a comparison: off, loading, ready or failed, with the button that changes it.
//   states: of each engine, as /studio/answers/RUN/engine tells; loading: this page waits for them.
export function engineWords(states, loading) {
  const failed = states.find((one) => one.phase === "failed");
  if (failed) return html`${notice(failed.error ?? { what: "The models could not be loaded.", why: "", next: "" })}
    <p class="after"><button type="button" class="ft-button" data-load>Try again</button></p>`;
  const line = (chip, words, button) => html`<div class="spread engine-line"><span role="status">${chip}<span class="soft small">${words}</span></span>${button}</div>`;
  const two = states.length > 1 ? " Two runs need an engine each, so twice the memory." : "";
  if (loading || states.some((one) => one.phase === "loading")) {
    return html`${line(html`<span class="chip">Loading</span>`, `Base and tuned model are read into memory: some seconds for a small model.${two}`, html`<button type="button" class="ft-button small" data-unload>Stop</button>`)}
      <div class="bar unknown" role="progressbar" aria-label="Loading the models"><i></i></div>`;
  }
  if (states.length && states.every((one) => one.phase === "ready")) {
    const where = states[0].device === "cpu" ? "the CPU" : "the GPU";
    const why = states.find((one) => one.settled)?.settled ?? `On ${where}.`;
    // What an engine told of another job holds only while that one is at work.
    const words = states.every((one) => one.loaded)
      ? `${why} ${two ? two.trim() : states[0].sharing} They leave the memory when nobody asks for a quarter of an hour.`
      : states.find((one) => one.sharer && one.told.includes(one.sharer.words))?.told ?? "They load again when you ask.";
    return states.every((one) => one.loaded)
      ? line(html`<span class="chip finished">Ready</span>`, words, html`<button type="button" class="ft-button small" data-unload>Free the memory</button>`)
      : line(html`<span class="chip">At rest</span>`, words, "");
  }
  return line(html`<span class="chip">Not loaded</span>`, `The models load when you ask.${two}`, html`<button type="button" class="ft-button small" data-load>Load now</button>`);
}

// The job that has the device now, and what that means for answers.
export function sharerWords(sharer) {
  const means = sharer.device === "cpu"
    ? "Both share the processor: answers take longer meanwhile, and so does that."
    : "It has the GPU: until it ends answers are computed on the CPU, which takes longer.";
  return html`<div class="notice warning after" role="status"><strong>This machine is ${sharer.words} now.</strong> ${means}
    <a href="?tab=runs&run=${sharer.id}" data-go="tab=runs&run=${encodeURIComponent(sharer.id)}" ${sharer.kind === "runs" ? "" : html`hidden`}>See it</a></div>`;
}
