// The title of the window, so that windows and the browser's history can be told apart: what is open, or for a while
// that a run has ended.

import { address } from "./base.js";
import { PARTS } from "./parts.js";
import { LIVE, runs } from "./run-store.js";
import { nameOf } from "./run-words.js";

const STUDIO = "FlexTune Studio";
const TABS = { home: "Home", data: "Data", train: "Train", runs: "Runs", compare: "Compare", evaluate: "Evaluate", export: "Export", settings: "Settings" };
const LONGEST = 80;
const results = new Map(); // what evaluations and exports are called, by their ids
let news = null; // {run, words}: what is told until somebody is here, or until the run goes on

const run = (id) => (runs.has(id) ? nameOf(runs.get(id)) : "");
// What is looked at on each tab, the smallest thing first.
const SUBJECTS = {
  data: (at) => (at.import ? ["Import"] : at.mix ? ["Mix"] : at.dataset ? [at.row ? "A row" : PARTS.find((one) => one.key && one.key === at.part)?.title, at.dataset] : []),
  train: (at) => [at.dataset],
  runs: (at) => [at.run ? run(at.run) : at.runs ? "Several runs" : at.deleted ? "Deleted runs" : ""],
  compare: (at) => [at.left && at.right ? [at.left, at.right].map(run).filter(Boolean).join(" and ") : run(at.run ?? at.left)],
  evaluate: (at) => [results.get(at.evaluation) ?? run(at.run)],
  export: (at) => [results.get(at.export) ?? run(at.run)],
};
function place() {
  const at = address(), tab = at.tab in TABS ? at.tab : "home";
  const subject = (SUBJECTS[tab]?.(at) ?? []).filter(Boolean).map((name) => (name.length > LONGEST ? `${name.slice(0, LONGEST - 1)}…` : name));
  return [...subject, TABS[tab], STUDIO].join(" – ");
}

export function show() {
  if (LIVE.includes(runs.get(news?.run)?.status)) news = null; // resumed, perhaps in another window
  const words = news?.words ?? place();
  if (document.title !== words) document.title = words;
}
export function announce(run, words) {
  news = { run: run.id, words };
  show();
}
export function quiet() {
  news = null;
  show();
}
// What an evaluation or an export is called, told by the page that has asked for it.
export function called(id, name) {
  results.set(id, name);
  show();
}
window.addEventListener("ft-address", show);
