// The title of the window: the studio, or for a while that a run has ended.

import { LIVE, runs } from "./run-store.js";

const STUDIO = "FlexTune Studio";
let news = null; // {run, words}: what is told until somebody is here, or until the run goes on

export function show() {
  if (LIVE.includes(runs.get(news?.run)?.status)) news = null; // resumed, perhaps in another window
  const words = news?.words ?? STUDIO;
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
