// Settings: the workspace and its disk, the trash, the network, the password, the look, the keys, versions, support.

import { Part, address, ask, html, notice, number, size, tell, when } from "./base.js";
import { setShortcuts, shortcuts, table } from "./keys.js";
import { THEMES, choose, theme } from "./theme.js";
import { toast } from "./toast.js";

const PARTS = {
  workspace: "Workspace", trash: "Trash", network: "Network", password: "Password",
  look: "Appearance", keys: "Keyboard", support: "Support", versions: "Versions",
};
const KINDS = {
  models: "Models", runs: "Runs", datasets: "Datasets", evaluations: "Evaluations", exports: "Exports",
  jobs: "Other jobs", sweeps: "Sweeps", trash: "Trash",
};
// All that asks the network: what, where and what is sent, when, and whether “Stay offline” holds it back.
const LEAVES = [
  ["Models", "The Hugging Face hub: the name of the model or the words you search for, and your access token if there is one", "Only when you search for a model or add one", true],
  ["Datasets of the hub", "The Hugging Face hub: the name of the dataset, and your access token if there is one", "Only when you look one up or import it", true],
  ["Publishing a dataset", "The Hugging Face hub: the rows of a version, its card, and your access token", "Only when you press Publish, or give the command “publish”", true],
  ["More rows from another address", "The address you name: example rows, your guidance, and the key from FLEXTUNE_API_KEY if there is one", "Only when you choose “Another address”; one on this machine is asked offline too", true],
  ["Starter model", "The Python package index that pip is set to", "Only when you add the starter, or try the sample", true],
  ["Packages", "The same index", "At the very first start, and when you give the command “setup”", false],
  ["Another trainer, to compare with", "The same index", "Only when you give the command “benchmark” for a comparison that needs one", true],
];
const SLOW = 20000;
const COUNTING = 700;

class Settings extends Part {
  every = SLOW;

  start() {
    this.draw(null, html`<div class="settings">
      <nav aria-label="Settings">${Object.entries(PARTS).map(([key, title]) =>
        html`<a href="?tab=settings&part=${key}" data-go="tab=settings&part=${key}">${title}</a>`)}</nav>
      <div class="stack"><h1 class="unseen">Settings</h1>${Object.entries(PARTS).map(([key, title]) =>
        html`<section class="card" id="settings-${key}" aria-labelledby="settings-${key}-title" tabindex="-1">
          <h2 id="settings-${key}-title">${title}</h2><div data-slot="${key}"></div><div data-told="${key}"></div></section>`)}</div></div>`);
    this.addEventListener("click", (event) => this.clicked(event));
    this.addEventListener("submit", (event) => { event.preventDefault(); this.savePassword(event.target); });
    this.addEventListener("change", (event) => this.changed(event.target));
    this.drawLook();
    this.drawKeys();
    this.loop();
    this.addressChanged();
  }
  addressChanged() {
    const here = address();
    if (here.tab !== "settings") { this.elsewhere = true; return; }
    if (this.elsewhere) { this.elsewhere = false; this.support = null; this.loop(); } // runs may have ended, things been deleted since
    const part = here.part in PARTS ? here.part : null;
    for (const link of this.querySelectorAll("nav a")) {
      if (link.dataset.go.endsWith(`part=${part ?? "workspace"}`)) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    if (part && part !== this.shownPart) this.show(part);
    this.shownPart = part;
  }
  show(part) {
    const section = this.querySelector(`#settings-${part}`);
    const still = !this.support || matchMedia("(prefers-reduced-motion: reduce)").matches;
    section.scrollIntoView({ block: "start", behavior: still ? "auto" : "smooth" });
    section.focus({ preventScroll: true });
  }
  async tick() {
    const [settings, disk, trash] = await Promise.all(["", "/disk", "/trash"].map((path) => ask(`/studio/settings${path}`)));
    this.every = disk.counting || trash.items.some((item) => !(item.key in disk.trashed)) ? COUNTING : SLOW;
    this.settings = settings;
    this.disk = disk;
    this.trash = trash;
    this.drawAll();
    if (this.support) return;
    await this.lookAtSupport();
    if (this.shownPart) this.show(this.shownPart); // everything has its height now
  }
  drawAll() {
    this.drawWorkspace();
    this.drawTrash();
    this.drawNetwork();
    this.drawPassword();
    this.draw("[data-slot=versions]", html`<dl class="facts versions">${this.settings.versions.map((one) =>
      html`<div><dt>${one.name}</dt><dd class="num">${one.version}</dd></div>`)}</dl>`);
  }

  // ---- Workspace ----

  drawWorkspace() {
    const { kinds, counting, part, free, total } = this.disk;
    const shown = Object.keys(KINDS).map((kind) => kinds.find((one) => one.kind === kind)).filter((one) => one && (one.bytes || one.items));
    const things = shown.filter((one) => one.items); // the few bytes of an empty folder fill no bar
    const all = shown.reduce((sum, one) => sum + one.bytes, 0);
    this.draw("[data-slot=workspace]", html`
      <p class="soft">Everything the studio keeps is in this folder, in open formats. A copy of it is a backup.</p>
      <div class="row path"><code><bdi>${this.settings.workspace}</bdi></code><button type="button" class="ft-button small" data-copy="${this.settings.workspace}">Copy</button></div>
      <div class="spread small soft"><span role="status">${counting ? `Counting… ${part} folders so far` : html`<strong class="num">${size(all)}</strong> used`}</span>
        <span class="num">${size(free)} of ${size(total)} free on this disk</span></div>
      <div class="parts" aria-hidden="true">${things.map((one) => html`<i class="kind-${one.kind}" style="flex-grow:${all ? one.bytes / all : 0}"></i>`)}</div>
      <ul class="legend-list">${shown.map((one) => html`<li><i class="dot kind-${one.kind}"></i><span>${KINDS[one.kind]}</span>
        <span class="num soft">${number(one.items)}</span><span class="num">${size(one.bytes)}</span></li>`)}</ul>
      ${things.length || counting ? "" : html`<p class="soft">It is empty so far.</p>`}`);
  }

  // ---- Trash ----

  drawTrash() {
    const { items, unreadable } = this.trash;
    const bytes = items.reduce((sum, item) => sum + (this.disk.trashed[item.key] ?? 0), 0);
    const count = items.length + unreadable;
    this.draw("[data-slot=trash]", count === 0
      ? html`<p class="soft">Empty. What you delete waits here and can be restored until you empty the trash.</p>`
      : html`<div class="spread"><p class="soft">${number(count)} ${count === 1 ? "item" : "items"}${bytes ? html`, ${size(bytes)}` : ""}, restorable until the trash is emptied.
          ${unreadable ? html`${number(unreadable)} of them can’t be read any more.` : ""}</p>
        <button type="button" class="ft-button danger" data-empty="${count}" data-bytes="${bytes}">Empty the trash…</button></div>
        ${items.length ? html`<div class="scroll"><table class="trash"><thead><tr><th scope="col">What</th><th scope="col">Deleted</th><th scope="col" class="right">Size</th>
          <th scope="col"><span class="unseen">Restore</span></th></tr></thead><tbody>${items.map((item) => html`<tr>
          <td><div class="clip" title="${item.name}"><bdi>${item.name}</bdi></div><span class="soft small">${item.kind}</span></td><td class="num">${when(item.deleted)}</td>
          <td class="num right">${item.key in this.disk.trashed ? size(this.disk.trashed[item.key]) : "…"}</td>
          <td class="right"><button type="button" class="ft-button small" data-restore="${item.key}" aria-label="Restore ${item.name}">Restore</button></td></tr>`)}</tbody></table></div>` : ""}`);
  }
  async restore(button) {
    button.disabled = true;
    await this.attempt("trash", async () => {
      const done = await tell("/studio/settings/trash/restore", { key: button.dataset.restore });
      this.trash = done;
      toast(`${done.name} is back.`);
    });
    button.disabled = false;
    this.loop();
  }
  confirmEmpty(count, bytes) {
    const dialog = document.createElement("dialog");
    dialog.className = "ft ft-dialog";
    dialog.setAttribute("aria-labelledby", "empty-title");
    dialog.innerHTML = html`<form method="dialog" class="stack"><h2 id="empty-title">Delete ${count} ${count === "1" ? "item" : "items"} for good?</h2>
      <p>${Number(bytes) ? html`${size(Number(bytes))} come free. ` : ""}This can’t be undone.</p>
      <div class="row ends"><button class="ft-button" value="no" autofocus>Keep them</button><button class="ft-button danger" value="yes">Delete for good</button></div></form>`;
    dialog.addEventListener("close", () => {
      const yes = dialog.returnValue === "yes";
      dialog.remove();
      if (yes) this.empty();
    });
    document.body.append(dialog);
    dialog.showModal();
  }
  async empty() {
    const button = this.querySelector("[data-empty]");
    if (button) { button.disabled = true; button.textContent = "Deleting…"; }
    await this.attempt("trash", async () => {
      this.trash = await tell("/studio/settings/trash/empty");
    });
    this.querySelector("[data-slot=trash]").drawn = null;
    this.loop();
  }

  // ---- Network ----

  drawNetwork() {
    const { offline } = this.settings;
    this.draw("[data-slot=network]", html`
      <div class="spread switch-row"><div><strong id="offline-name">Stay offline</strong>
        <p class="soft small" id="offline-about">Pages and jobs of this workspace then ask nothing of the network. Everything already here goes on working.</p></div>
        <button type="button" role="switch" class="switch" aria-checked="${offline ? "true" : "false"}" aria-labelledby="offline-name" aria-describedby="offline-about" data-offline></button></div>
      <h3>What leaves this machine, and when</h3>
      <div class="scroll"><table><thead><tr><th scope="col">What</th><th scope="col">Where it asks</th><th scope="col">When</th><th scope="col">Now</th></tr></thead><tbody>
${LEAVES.map(([what, where, then, switched]) => html`<tr><td>${what}</td><td>${where}</td><td>${then}</td><td>${switched ? chip(offline) : html`<span class="chip">By command</span>`}</td></tr>`)}
        </tbody></table></div>
      <p class="soft small">Nothing else leaves: rows go out only where you publish them or have another address write more, and runs and answers never do. There is no telemetry, no look for updates, and no font, script or picture from elsewhere.</p>`);
  }
  async switchOffline() {
    const offline = !this.settings.offline;
    await this.attempt("network", async () => {
      this.settings = { ...this.settings, ...(await tell("/studio/settings/network", { offline })) };
    });
    this.drawNetwork();
    this.querySelector("[data-offline]").focus();
  }

  // ---- Password ----

  drawPassword() {
    const { set, from_environment: fixed, variable, shortest, beyond, host } = this.settings.password;
    const state = beyond ? html`The studio is open on <code>${host}</code>: whoever has the password can use it.`
      : "The studio can be reached from this machine only, and asks for no password here.";
    const form = fixed ? html`<p>The password comes from the environment variable <code>${variable}</code>. Change it there.</p>`
      : html`<form class="row password" autocomplete="off"><input type="text" name="username" autocomplete="username" value="studio" hidden><label class="field">${set ? "New password" : "Password"}
          <input type="password" name="password" minlength="${shortest}" required data-needs="Type the password first." autocomplete="new-password" aria-describedby="password-about"></label>
          <button class="ft-button">${set ? "Change" : "Set"}</button>
          ${set && !beyond ? html`<button type="button" class="ft-button danger" data-clear>Remove</button>` : ""}</form>
          <p class="soft small" id="password-about">At least ${shortest} characters. Only a hash of it is kept. It does not encrypt the connection: in a network you do not trust, put the studio behind a server with HTTPS.</p>`;
    this.draw("[data-slot=password]", html`<div class="stack tight-stack"><p class="soft">${state} To open it to other machines, set a password and start it with
      <code>python3 launch.py --host 0.0.0.0</code>.</p><p role="status">${set ? html`<span class="chip finished">A password is set</span>` : html`<span class="chip">No password is set</span>`}</p>${form}</div>`);
  }
  async savePassword(form, password = form.elements.password.value) {
    await this.attempt("password", async () => {
      this.settings.password = await tell("/studio/settings/password", { password });
      this.querySelector("[data-slot=password]").drawn = null;
      this.drawPassword();
      toast(password ? "The password is set." : "The password is removed.");
    });
  }

  // ---- The look and the keys: kept in this browser ----

  drawLook() {
    this.draw("[data-slot=look]", html`<fieldset class="segments"><legend class="soft small">Theme, kept in this browser</legend>${Object.entries(THEMES).map(([key, words]) =>
      html`<label><input type="radio" name="theme" value="${key}" ${theme() === key ? html`checked` : ""}><span>${words}</span></label>`)}</fieldset>`);
  }
  drawKeys() {
    this.draw("[data-slot=keys]", html`<div class="spread switch-row"><div><strong id="keys-name">Single keys</strong>
      <p class="soft small" id="keys-about">They do nothing while you type. Tab and Enter reach everything, with or without them.</p></div>
      <button type="button" role="switch" class="switch" aria-checked="${shortcuts() ? "true" : "false"}" aria-labelledby="keys-name" aria-describedby="keys-about" data-keys></button></div>${table()}`);
  }

  // ---- Support ----

  async lookAtSupport() {
    if (!this.chosen) this.jobs = null; // those that the studio proposes
    const query = this.jobs ? `?${jobQuery(this.jobs)}` : "";
    try {
      this.support = await ask(`/studio/settings/support${query}`);
    } catch (error) {
      this.jobs = null; // one of them was deleted meanwhile
      this.draw("[data-told=support]", notice(error));
      return;
    }
    this.jobs ??= new Set(this.support.files.map((file) => file.name.split("/")).filter((parts) => parts.length > 2).map((parts) => parts.slice(0, 2).join("/")));
    this.drawSupport();
  }
  drawSupport() {
    const { files, jobs } = this.support;
    this.draw("[data-slot=support]", html`<p class="soft">A file for somebody who helps you. It holds no rows, no answers and no password; your folders, your name and what looks like a token are masked. It goes nowhere by itself.</p>
      <div class="grid2 bundle"><div><h3>Include these jobs</h3>${jobs.length ? html`<ul class="plain jobs">${jobs.map((one) => html`<li><label>
          <input type="checkbox" name="job" value="${one.job}" ${this.jobs.has(one.job) ? html`checked` : ""}>
          <span class="clip" title="${one.job}"><bdi>${one.job.split("/")[1]}</bdi></span><span class="soft small">${one.kind}, ${one.status}</span></label></li>`)}</ul>` : html`<p class="soft small">There are none yet.</p>`}</div>
        <div><h3>What will be in it</h3><ul class="plain files" tabindex="0" aria-label="Files of the bundle">${files.map((file) => html`<li><span class="clip" title="${file.name}"><bdi>${file.name}</bdi></span>
          <span class="num soft small">${size(file.bytes)}</span><span class="soft small about">${file.about}</span></li>`)}</ul></div></div>
      <div class="row"><a class="ft-button" href="/studio/settings/support.zip?${jobQuery(this.jobs)}" download>Download the bundle</a>
        <span class="soft small num">${number(files.length)} files, ${size(files.reduce((sum, file) => sum + file.bytes, 0))} before packing. Look through them before you send them.</span></div>`);
  }

  // ---- What is pressed ----

  clicked(event) {
    const on = (name) => event.target.closest(`[data-${name}]`);
    if (on("copy")) this.copy(on("copy"));
    else if (on("restore")) this.restore(on("restore"));
    else if (on("empty")) this.confirmEmpty(on("empty").dataset.empty, on("empty").dataset.bytes);
    else if (on("offline")) this.switchOffline();
    else if (on("clear")) this.savePassword(null, "");
    else if (on("keys")) {
      setShortcuts(!shortcuts());
      this.drawKeys();
      this.querySelector("[data-keys]").focus();
    }
  }
  changed(target) {
    if (target.name === "theme") choose(target.value);
    if (target.name === "job") {
      this.chosen = true;
      if (target.checked) this.jobs.add(target.value);
      else this.jobs.delete(target.value);
      this.lookAtSupport().then(() => this.querySelector(`[name=job][value="${CSS.escape(target.value)}"]`)?.focus());
    }
  }
  async copy(button) {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select it by hand";
      getSelection().selectAllChildren(this.querySelector(".path code"));
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  }
  async attempt(part, deed) {
    try {
      await deed();
      this.draw(`[data-told=${part}]`, "");
    } catch (error) {
      this.draw(`[data-told=${part}]`, notice(error));
    }
  }
}
customElements.define("ft-settings", Settings);

const chip = (offline) => (offline ? html`<span class="chip">Off</span>` : html`<span class="chip finished">Allowed</span>`);
const jobQuery = (jobs) => (jobs.size ? [...jobs].map((job) => `job=${encodeURIComponent(job)}`).join("&") : "job=none");
