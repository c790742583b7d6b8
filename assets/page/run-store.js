// The runs as this page knows them, kept up to date by asking only for what changed.
//
// A run that ends while the page looks on fires `ft-run-ended` on the window, with {run, before}.

import { ask } from "./base.js";

export const LIVE = ["queued", "running", "stopping"];
export const runs = new Map();
let mark = "";
let ahead = 0; // the studio's clock against this browser's
let asked = 0;
let asking = null;

export const now = () => Date.now() / 1000 + ahead;
export const lastAsked = () => asked;

export function refresh() {
  asking ??= look().finally(() => { asking = null; });
  return asking;
}
async function look() {
  asked = Date.now();
  const news = await ask(`/studio/runs?since=${mark}`);
  mark = news.mark;
  ahead = news.now - Date.now() / 1000;
  if (news.whole) {
    const there = new Set(news.runs.map((run) => run.id));
    for (const id of [...runs.keys()]) if (!there.has(id)) runs.delete(id);
  }
  for (const id of news.gone) runs.delete(id);
  news.runs.forEach(learn);
}
// Takes in what was told of one run, by the list or by its own page.
export function learn(run) {
  const before = runs.get(run.id)?.status;
  runs.set(run.id, run);
  if (LIVE.includes(before) && !LIVE.includes(run.status)) {
    window.dispatchEvent(new CustomEvent("ft-run-ended", { detail: { run, before } }));
  }
}
