// A word when a run ends: in the page's title, and if wished with a sound and a notification of the system.
//
//   <ft-endings></ft-endings> is the choice of the two.

import { Part, address, asset, go, html } from "./base.js";
import { keep, recall } from "./remember.js";
import { LIVE, lastAsked, refresh, runs } from "./run-store.js";
import { STATES, nameOf } from "./run-words.js";
import { announce, quiet, show } from "./title.js";
import { toast } from "./toast.js";

const SIGNS = { finished: "✓", stopped: "■", failed: "✕", interrupted: "✕" };
const BUSY = 1400; // as on every page: what happens is told within a second and a half
const IDLE = 12000;
let audio;

window.addEventListener("ft-run-ended", ({ detail: { run } }) => {
  const words = `${SIGNS[run.status] ?? "•"} ${STATES[run.status].toLowerCase()} – ${nameOf(run)}`;
  announce(run, words);
  if (recall("sound", false)) beep(run.status === "finished");
  if (recall("notify", false) && globalThis.Notification?.permission === "granted") {
    const told = new Notification(words, { body: "FlexTune Studio", tag: run.id, icon: asset("logo.svg") });
    told.onclick = () => { window.focus(); go({ tab: "runs", run: run.id }); };
  }
  const here = address();
  if (here.tab !== "runs" || (here.run && here.run !== run.id)) {
    toast(`${nameOf(run)}: ${STATES[run.status].toLowerCase()}.`, { button: "Open", run: () => go({ tab: "runs", run: run.id, runs: null }) });
  }
});
// The title goes back once somebody is here again.
for (const kind of ["pointerdown", "keydown"]) {
  window.addEventListener(kind, quiet);
}

// Two notes upwards for a good end, downwards for another.
export function beep(good = true) {
  try {
    audio ??= new AudioContext();
    audio.resume();
    (good ? [660, 880] : [440, 330]).forEach((pitch, at) => {
      const note = audio.createOscillator(), loud = audio.createGain(), start = audio.currentTime + 0.16 * at;
      note.frequency.value = pitch;
      loud.gain.setValueAtTime(0.0001, start);
      loud.gain.exponentialRampToValueAtTime(0.2, start + 0.02);
      loud.gain.exponentialRampToValueAtTime(0.0001, start + 0.28);
      note.connect(loud).connect(audio.destination);
      note.start(start);
      note.stop(start + 0.3);
    });
  } catch {
    return; // a machine without sound
  }
}

// Looks on from every tab, and while the page is hidden: often while a run is live, seldom otherwise.
async function watch() {
  const live = [...runs.values()].some((run) => LIVE.includes(run.status));
  if (Date.now() - lastAsked() >= (live ? BUSY : IDLE)) await refresh().catch(() => {});
  show();
  setTimeout(watch, 1000);
}
watch();

class Endings extends Part {
  start() {
    this.draw(null, html`<div class="row small soft ft-endings"><span>When a run ends:</span>
      <label><input type="checkbox" name="sound"> play a sound</label>
      <label><input type="checkbox" name="notify"> show a notification</label><span class="refused" role="status"></span></div>`);
    for (const box of this.querySelectorAll("input")) {
      box.checked = recall(box.name, false);
      box.onchange = () => this.choose(box);
    }
  }
  async choose(box) {
    if (box.name === "sound" && box.checked) beep();
    if (box.name === "notify" && box.checked) {
      const answer = await globalThis.Notification?.requestPermission?.().catch(() => "denied");
      if (answer !== "granted") {
        box.checked = false;
        this.querySelector(".refused").textContent = "This browser does not allow notifications from here; allow them in its settings for this page.";
      }
    }
    keep(box.name, box.checked);
  }
}
customElements.define("ft-endings", Endings);
