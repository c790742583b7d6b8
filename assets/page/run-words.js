// How runs are told: names, states, progress, time, and what can be done with one.

import { duration, go, html, number, raw, tell } from "./base.js";
import { LIVE, learn, now, refresh, runs } from "./run-store.js";
import { toast } from "./toast.js";

export const STATES = {
  queued: "Queued", running: "Running", stopping: "Stopping", finished: "Finished", stopped: "Stopped",
  interrupted: "Interrupted", failed: "Failed", broken: "Broken",
};
export const METHODS = { lora: "LoRA", dora: "DoRA", qlora: "QLoRA", full: "Full" };

// As RunSummary.title and spoken() of studio/runs.py.
export const nameOf = (run) => run.name || (run.dataset ? `${run.dataset} ${run.id.slice(-4)}` : spoken(run.id));
const spoken = (id) => id.replace(/^\d{8}-\d{6}-(?=.)/, "").replaceAll("-", " ");
export const method = (run) => METHODS[run.method] ?? run.method;
export const short = (value, digits = 4) => (value === null || value === undefined ? "–" : Number(value.toPrecision(digits)).toString());

export function place(count) {
  const tail = count % 100 >= 11 && count % 100 <= 13 ? "th" : { 1: "st", 2: "nd", 3: "rd" }[count % 10] ?? "th";
  return `${count}${tail} in line`;
}
export const chip = (run) => html`<span class="chip ${run.status}">${STATES[run.status] ?? run.status}</span>`;

export function share(run) {
  if (run.status === "finished") return 100;
  return run.total_steps ? Math.min(100, (100 * run.step) / run.total_steps) : 0;
}
export function bar(run) {
  const part = share(run);
  const starting = ["running", "stopping"].includes(run.status) && !run.total_steps; // how far is known once the steps are counted
  return html`<div class="bar ${starting && "unknown"} ${run.status}" role="progressbar" aria-label="Progress of ${nameOf(run)}"
    aria-valuemin="0" aria-valuemax="100" ${starting ? "" : html`aria-valuenow="${Math.round(part)}"`}
    ><i ${starting ? "" : html`style="width:${part.toFixed(1)}%"`}></i></div>`;
}
export const steps = (run) => (run.total_steps ? `${number(run.step)} of ${number(run.total_steps)}` : run.step ? number(run.step) : "–");
// What a resumed run will go on from, until it does.
export const resuming = (run) => (run.resuming ? `Resuming from step ${number(run.resuming)}.` : run.resuming === 0 ? "Resuming from its first step." : "");
// The step whose weights an ended run left behind, and the validation loss that is its own: that of its result, if it has one.
export const resultStep = (run) => run.result?.best_step ?? null;
export const checked = (run) => run.result?.validation_loss ?? run.validation_loss;
export const took = (run) => run.worked + (["running", "stopping"].includes(run.status) && run.started ? Math.max(0, now() - run.started) : 0);
export const left = (run) => (run.pace && run.total_steps ? run.pace * Math.max(0, run.total_steps - run.step) : null);

// How far a run is, in a few words; `starting` is what is said of it before its first step.
export function progress(run, starting = "Starting.") {
  if (run.status === "queued") return `${run.place ? `Waiting: ${place(run.place)}.` : "Waiting for its turn."} ${resuming(run)}`;
  if (run.status === "running" && resuming(run)) return resuming(run);
  return run.status === "running" && !run.step ? starting : `Step ${steps(run)}`;
}

// dataset → model → method, each with its place.
export function lineage(run) {
  const arrow = raw(` <span aria-hidden="true">→</span> `);
  const parts = [
    run.dataset && html`<a href="?tab=data&dataset=${run.dataset}" data-go="tab=data&dataset=${encodeURIComponent(run.dataset)}&run="><bdi>${run.dataset}</bdi></a>`,
    run.model && html`<bdi>${run.model}</bdi>`,
    run.method && method(run),
  ].filter(Boolean);
  return parts.map((part, at) => html`${at ? arrow : ""}${part}`);
}

// ---- What can be done ----

const trained = (run) => ["finished", "stopped"].includes(run.status) && run.step > 0;
export const can = {
  stop: (run) => ["queued", "running"].includes(run.status),
  resume: (run) => ["stopped", "interrupted", "failed"].includes(run.status),
  again: (run) => run.status !== "broken",
  evaluate: trained,
  compare: trained,
  note: (run) => run.status !== "broken",
  delete: (run) => !["running", "stopping"].includes(run.status),
};
const path = (run) => `/studio/runs/${encodeURIComponent(run.id)}`;

export async function stop(run) {
  const { status } = await tell(`${path(run)}/stop`);
  learn({ ...run, status });
}
export async function resume(run) {
  const { status } = await tell(`${path(run)}/resume`);
  learn({ ...run, status });
}
export async function restore(id) {
  await tell(`/studio/runs/${encodeURIComponent(id)}/restore`);
  await refresh();
}
export async function remove(run, undone) {
  await tell(`${path(run)}/delete`);
  runs.delete(run.id);
  toast(`“${nameOf(run)}” was deleted.`, { run: async () => { await restore(run.id); undone?.(); } });
}
export const open = (run) => go({ tab: "runs", run: run.id, runs: null, deleted: null });
export const again = (run) => go({ tab: "train", from: run.id, run: null });
export const evaluate = (run) => go({ tab: "evaluate", run: run.id });
export const compare = (run) => go({ tab: "compare", run: run.id });
export const isLive = (run) => LIVE.includes(run.status);

// ---- Colours that stay with a run ----

export const COLOURS = 10;
export function colourOf(id) {
  let sum = 2166136261;
  for (const letter of id) sum = Math.imul(sum ^ letter.charCodeAt(0), 16777619) >>> 0;
  return (sum % COLOURS) + 1;
}
// A line for each id: its own colour, and another dash where two share one.
export function pens(ids) {
  const used = {};
  return new Map(ids.map((id) => {
    const one = colourOf(id);
    used[one] = (used[one] ?? -1) + 1;
    return [id, { colour: `--run-${one}`, dash: ["solid", "dash", "dot", "dashdot"][used[one] % 4] }];
  }));
}
