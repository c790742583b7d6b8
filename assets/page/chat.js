// A conversation with two sides: what each is asked, and its answer as it is written. Kept in this window's storage.

import { EDITION, Told, ask, heed, tell } from "./base.js";

const POLL_MS = 400;
const path = (run) => `/studio/answers/${encodeURIComponent(run)}`;
const pause = (ms, signal) => new Promise((done, failed) => {
  const timer = setTimeout(done, ms);
  signal?.addEventListener("abort", () => { clearTimeout(timer); failed(signal.reason); }, { once: true });
});

// The objects of a stream of JSON lines, as they come.
export async function* lines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const whole = (rest + value).split("\n");
    rest = whole.pop();
    for (const line of whole) if (line) yield JSON.parse(line);
  }
  if (rest.trim()) yield JSON.parse(rest);
}

// What a side is asked at a turn: its instructions, what was given, its own answers so far, the question.
export function messages(talk, turn, side) {
  const until = talk.turns.indexOf(turn);
  const given = talk.turns[0]?.given ?? [];
  const system = talk.system && given[0]?.role !== "system" ? [{ role: "system", content: talk.system }] : [];
  const asked = talk.turns.slice(0, until + 1).flatMap((one, at) => [
    { role: "user", content: one.prompt },
    ...(at < until ? [{ role: "assistant", content: one.answers[side].text }] : []),
  ]);
  return [...system, ...given, ...asked];
}

// The engines of these runs are ready, or it says why not. `told` is called while they load.
export async function ready(runs, signal, told) {
  await Promise.all(runs.map(async (run) => {
    let engine = await tell(`${path(run)}/engine/start`, { beside: runs.find((other) => other !== run) });
    while (engine.phase !== "ready") {
      if (engine.phase === "failed") throw new Told(engine.error ?? { what: "The models could not be loaded.", why: "", next: "Try again." });
      if (engine.phase === "off") throw new Told({ what: "The engine ended before it was ready.", why: "Somebody stopped it, or the machine ran out of memory.", next: "Ask again." });
      told?.(run, engine);
      await pause(POLL_MS, signal);
      engine = await ask(`${path(run)}/engine`);
    }
    told?.(run, engine);
  }));
}

// Asks; calls `said(key, text, ended)` for every piece and when a side has ended, where key is base or tuned; returns the
// whole answers by key.
export async function answer(run, body, signal, said) {
  const response = await fetch(path(run), {
    method: "POST", headers: { "Content-Type": "application/json", ...EDITION }, body: JSON.stringify(body), signal,
  }).catch((error) => {
    if (signal.aborted) throw error;
    throw new Told({ what: "The studio does not answer.", why: "It was closed, or is being restarted.", next: "Start it again, then ask again." });
  });
  heed(response.status);
  if (!response.ok) {
    const { error } = await response.json().catch(() => ({}));
    throw new Told(error ?? { what: `The studio refused this (${response.status}).`, why: "", next: "Reload the page." });
  }
  try {
    for await (const line of lines(response.body)) {
      if (line.error) throw new Told(line.error);
      if (line.answers) return line.answers;
      said(line.side, line.text, line.ended);
    }
  } catch (error) {
    if (signal.aborted || error instanceof Told) throw error;
  }
  throw new Told({ what: "The answer broke off.", why: "The studio or its engine ended while it was written.", next: "Ask again." });
}

// ---- Kept over a reload; where storage is blocked, as long as the page ----

const here = new Map();
const key = (sides) => `flextune-talk-${sides}`;

export function recallTalk(sides) {
  try {
    return JSON.parse(sessionStorage.getItem(key(sides))) ?? here.get(sides) ?? null;
  } catch {
    return here.get(sides) ?? null;
  }
}
export function keepTalk(sides, talk) {
  here.set(sides, talk);
  try {
    sessionStorage.setItem(key(sides), JSON.stringify(talk));
  } catch {
    return; // blocked or full: it lasts as long as the page
  }
}
