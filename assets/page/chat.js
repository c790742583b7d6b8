// A conversation with two sides: what each is asked, and its answer as it is written. Kept in this window's storage.

import { Told, ask, reach, tell } from "./base.js";

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

const answered = ({ text, finish }) => text || !["error", "stopped"].includes(finish);

// What a side is asked at a turn: its instructions, what was given, its own answers so far, the question. A question
// that got no answer is left out: an empty one would be taken for how to answer.
export function messages(talk, turn, side) {
  const until = talk.turns.indexOf(turn);
  const given = talk.turns[0]?.given ?? [];
  const system = talk.system && given[0]?.role !== "system" ? [{ role: "system", content: talk.system }] : [];
  const before = talk.turns.slice(0, until).filter((one) => answered(one.answers[side])).flatMap((one) => [
    { role: "user", content: one.prompt },
    { role: "assistant", content: one.answers[side].text },
  ]);
  return [...system, ...given, ...before, { role: "user", content: turn.prompt }];
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

// Asks; calls `said(key, text)` for every piece, where key is base or tuned, and `said(key, "", weights)` when a side has
// ended, with the stamp of what made it; returns the whole answers by key.
export async function answer(run, body, signal, said) {
  const response = await reach(path(run), { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal });
  try {
    for await (const line of lines(response.body)) {
      if (line.error) throw new Told(line.error);
      if (line.answers) return line.answers;
      said(line.side, line.text, line.ended && line.weights);
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
