// What every part uses: text made safe, requests, polling, the address.

import { working } from "./busy.js";

export function escape(text) {
  return String(text ?? "").replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

// html`…${value}…`: every value is shown as text, never run; what is `raw` or made by html itself goes in as it is.
class Raw {
  constructor(text) { this.text = text; }
  toString() { return this.text; }
}
export const raw = (text) => new Raw(text);
export function html(parts, ...values) {
  const show = (value) =>
    value instanceof Raw ? value.text
      : Array.isArray(value) ? value.map(show).join("")
      : value === null || value === undefined || value === false ? "" : escape(value);
  return new Raw(parts.reduce((text, part, at) => text + show(values[at - 1]) + part));
}

// An error of the studio: what, why, next.
export class Told extends Error {
  constructor(error) {
    super(error.what);
    Object.assign(this, error);
  }
}

// The page's own files, in the edition that this script is of.
export const asset = (name) => new URL(name, import.meta.url).pathname;
// Goes with whatever the page asks for; of a studio that was updated since, the answer is 412.
export const EDITION = { "X-FlexTune-Edition": asset("").split("/").at(-2) };
export function heed(status) {
  if (status === 412) window.dispatchEvent(new CustomEvent("ft-outdated"));
}

// Whether the studio answers, told to the header when it changes; what was said of its silence elsewhere goes with it.
let silent = false;
function heard(error) {
  if (silent === Boolean(error)) return;
  silent = Boolean(error);
  window.dispatchEvent(new CustomEvent("ft-heard", { detail: error }));
  if (silent) return;
  for (const one of document.querySelectorAll(".notice.unanswered")) {
    let place = one.parentElement;
    while (place && place.drawn === undefined) place = place.parentElement;
    one.remove();
    if (place) place.drawn = undefined; // the same words may have to be drawn again
  }
}

// The answer to a request as it begins; throws what the studio says of it, or its silence.
export async function reach(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { cache: "no-store", ...options, headers: { ...options.headers, ...EDITION } });
  } catch {
    const error = new Told({
      what: "The studio does not answer.",
      why: "It was closed, or is being restarted. Runs go on without it.",
      next: "Start it again: python3 launch.py. This page goes on by itself then.",
      unanswered: true,
    });
    if (!options.signal?.aborted) heard(error);
    throw error;
  }
  const refusal = answer.ok ? {} : await answer.json().catch(() => ({}));
  if (answer.status === 503 && !refusal.error) { // the splash: its pages are not loaded yet
    const error = new Told({ what: "The studio is starting.", why: "It takes some seconds.", next: "This page goes on by itself then.", unanswered: true });
    heard(error);
    throw error;
  }
  heard(null);
  heed(answer.status);
  if (!answer.ok) throw new Told({ ...(refusal.error ?? { what: `The studio refused this (${answer.status}).`, why: "", next: "Reload the page." }), outdated: answer.status === 412 });
  return answer;
}
export async function ask(path, options = {}) {
  const done = working();
  const answer = await reach(path, options).finally(done);
  return answer.json().catch(() => ({}));
}
export const tell = (path, body, options = {}) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body ?? {}), ...options });

export function notice(error, level = "error") {
  if (error.unanswered) { // the header says the rest, for the whole page
    return html`<div class="notice ${level} unanswered" role="status"><strong>This did not reach the studio.</strong> Try again when it answers.</div>`;
  }
  return html`<div class="notice ${level}" role="${level === "error" ? "alert" : "status"}">
    <strong>${error.what}</strong> ${error.why} <span class="soft">${error.next}</span>${error.settings ? html` <a href="?tab=settings&part=${error.settings}" data-go="tab=settings&part=${error.settings}">Open Settings</a>` : ""}${error.link ? html` <a href="?${error.link[0]}" data-go="${error.link[0]}">${error.link[1]}</a>` : ""}</div>`;
}

// A part of the page: draws into itself, polls while it can be seen, and goes on after the studio was away.
export class Part extends HTMLElement {
  every = 1000;

  connectedCallback() {
    this.classList.add("ft");
    this.alive = true;
    this.left = new AbortController(); // ends what was asked for the sake of what is shown here
    this.onAddress = () => this.addressChanged();
    window.addEventListener("ft-address", this.onAddress);
    this.start();
  }
  disconnectedCallback() {
    this.alive = false;
    this.left.abort();
    clearTimeout(this.timer);
    window.removeEventListener("ft-address", this.onAddress);
  }
  // Nobody sees it: nothing is asked of the studio.
  get asleep() { return document.hidden || this.offsetParent === null; }
  addressChanged() {}
  start() { this.loop(); }
  async tick() {}
  // One tick at a time: asked for while one is under way, the next follows at once.
  async loop() {
    clearTimeout(this.timer);
    if (!this.alive) return;
    if (this.ticking) { this.hurry = true; return; }
    this.ticking = true;
    const began = performance.now();
    if (!this.asleep) {
      try {
        await this.tick();
        this.away(null);
      } catch (error) {
        this.away(error);
      }
    }
    this.ticking = false;
    const wait = this.hurry ? 0 : Math.max(this.every / 5, this.every - (performance.now() - began));
    this.hurry = false;
    if (this.alive) this.timer = setTimeout(() => this.loop(), wait);
  }
  // Shows or takes away what went wrong in the last look; that the studio does not answer is the header's to say.
  away(error) {
    let place = this.querySelector(":scope > .ft-away");
    if (!error || error.unanswered) { place?.remove(); return; }
    if (!place) {
      place = document.createElement("div");
      place.className = "ft-away";
      this.prepend(place);
    }
    place.innerHTML = notice(error);
  }
  // Puts markup in place only when it changed, so that nothing flickers and selections stay.
  draw(selector, markup) {
    const place = selector ? this.querySelector(selector) : this;
    const text = String(markup);
    if (place && place.drawn !== text) {
      place.drawn = text;
      place.innerHTML = text;
    }
    return place;
  }
}

// ---- The address: ?tab=runs&run=ID ----

export function address() {
  return Object.fromEntries(new URLSearchParams(location.search));
}
// What is looked at goes along from tab to tab; all else belongs to the tab it was said on, and to what was looked at.
const ALONG = ["tab", "dataset", "run", "__theme"];
const places = new Map(); // tab → where one was in it
const of = (tab, query) => query.get(["data", "train"].includes(tab) ? "dataset" : "run") ?? "";

function change(tab, query, back) {
  const before = query.get("tab") ?? "home";
  if (tab === before) return;
  const own = [...query].filter(([key]) => !ALONG.includes(key));
  places.set(before, { own, of: of(before, query) });
  for (const [key] of own) query.delete(key);
  const place = places.get(tab);
  if (back && place?.of === of(tab, query)) for (const [key, value] of place.own) query.set(key, value);
}
// `back`: to the tab as it was left, when nothing else is looked at by now.
export function go(changes, { replace = false, back = false } = {}) {
  const query = new URLSearchParams(location.search);
  change(changes.tab ?? query.get("tab") ?? "home", query, back);
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === "") query.delete(key);
    else query.set(key, value);
  }
  const url = `${location.pathname}?${query}`;
  if (url === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", url);
  window.dispatchEvent(new CustomEvent("ft-address"));
}

// A key that nothing else has; `crypto.randomUUID` is only there under https and on this machine.
export const fresh = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

// ---- Numbers in words, as studio/wording.py says them ----

export const number = (value, digits = 0) =>
  value === null || value === undefined ? "–" : Number(value).toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: digits });
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const whole = Math.round(Math.max(0, seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return whole % 60 ? `${Math.floor(whole / 60)} min ${whole % 60} s` : `${Math.floor(whole / 60)} min`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
export function size(bytes) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let at = 0;
  while (Math.abs(bytes) >= 1000 && at < 4) { bytes /= 1000; at += 1; }
  return `${bytes.toFixed(at < 2 || bytes >= 100 ? 0 : 1)} ${units[at]}`;
}
export function when(seconds) {
  if (!seconds) return "–";
  const date = new Date(seconds * 1000);
  const today = new Date().toDateString() === date.toDateString();
  return date.toLocaleString("en-GB", today ? { hour: "2-digit", minute: "2-digit" } : { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
}
