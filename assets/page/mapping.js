// What the columns of a file mean: the guess, and what a person said instead. Knows the fields of the import form.

import { html } from "./base.js";

const FORMATS = [
  ["auto", "Find out by itself"], ["question_answer", "Questions and answers"], ["prompt_completion", "Prompts and completions"], ["alpaca", "Alpaca"],
  ["messages", "OpenAI messages"], ["sharegpt", "ShareGPT"], ["label", "Texts and labels"], ["preference", "Better and worse answers"],
  ["feedback", "Answers judged good or bad"], ["text", "Plain text"],
];
// Of each shape of rows its columns: role, what it is called, whether a template may fill it, whether it may be left out.
const SHAPES = {
  qa: ["Questions and answers", [["user", "What is asked", true], ["assistant", "The answer to learn", true]]],
  label: ["Texts and labels", [["user", "The text", true], ["label", "Its label"]]],
  turns: ["Whole conversations", [["messages", "The conversation"], ["assistant", "The last answer, if it stands apart", false, true]]],
  preference: ["Better and worse answers", [["user", "What is asked", true, true], ["messages", "Or the conversation so far", false, true], ["chosen", "The better answer"], ["rejected", "The worse answer"]]],
  feedback: ["Answers judged good or bad", [["user", "What is asked", true, true], ["messages", "Or the conversation", false, true], ["assistant", "The answer", true, true], ["label", "Good or bad"]]],
  text: ["Plain text", [["text", "The text", true]]],
};
const MORE = [["system", "System prompt, by row"], ["history", "Earlier questions and answers"], ["tools", "Tools"]];
const ENCODINGS = [["auto", "Find out by itself"], ["utf-8", "UTF-8"], ["cp1252", "Windows, Western Europe (cp1252)"], ["cp1250", "Windows, Central Europe (cp1250)"],
  ["cp1251", "Windows, Cyrillic (cp1251)"], ["utf-16", "UTF-16"], ["mac-roman", "Mac (mac-roman)"], ["shift_jis", "Japanese (Shift JIS)"], ["gb18030", "Chinese (GB 18030)"]];
// What a person may choose, as it is while nobody chose.
const BLANK = { read_as: "auto", encoding: "auto", roles: {}, shape: null, system: "", key: "", split: "", group_by: "", stratify: "", entry: "", chunk: 4000, overlap: 200, chunk_by: "characters", append: false, shares: [80, 10, 10], skip_bad: false, name: null };
// What is taken from an import before, as it is called beside what was chosen.
const TAKEN = { key: "key", group_by: "kept on one side", stratify: "in balance", split: "side of each row" };
const SIDES = [["train", "Training"], ["validation", "Validation"], ["test", "Held out"]];
const TEMPLATE = "{…}";

function shapeOf(roles) {
  const has = (role) => role in roles;
  if (has("chosen") || has("rejected")) return "preference";
  if (has("label")) return has("assistant") || has("messages") ? "feedback" : "label";
  return has("text") ? "text" : has("messages") ? "turns" : "qa";
}
const templateOf = (part) => part.template || part.columns.map((name) => `{${name}}`).join("\n");

export class Mapping {
  constructor(choices) {
    // `roles`: what a person set, role -> {column} or {template}; null takes a role away.
    this.choices = choices ?? structuredClone(BLANK);
    this.guess = {};
  }
  take(found) {
    if (found.roles) this.guess = found;
  }

  // ---- The import before ----

  // Goes on as the last import of a dataset did, as far as the file has the columns and nobody chose otherwise here.
  // Whether the form is another one now.
  goOn(name, before, columns) {
    const { choices } = this;
    if (choices.taken?.name === name || !before.version) return false;
    const has = (column) => columns.includes(column);
    const values = choices.shape || this.choices.read_as !== "auto" || Object.keys(choices.roles).length ? {} : this.meant(before, has);
    for (const one of ["key", "group_by", "stratify"]) if (!choices[one] && (has(before[one]) || (one === "stratify" && before[one] === "label"))) values[one] = before[one];
    if (!choices.split && has(before.split) && before.split !== this.guess.split) values.split = before.split;
    if (!choices.system && before.system) values.system = before.system;
    Object.assign(choices, structuredClone(values), { taken: { name, version: before.version, key: before.key, values } });
    this.open = this.open || Boolean(values.key);
    return Object.keys(values).length > 0;
  }
  // How the columns were meant, where the studio takes them for something else now.
  meant(before, has) {
    const parts = Object.entries(before.roles), guessed = this.guess.roles ?? {};
    const told = (part) => JSON.stringify([part?.columns, part?.template]);
    if (parts.length === Object.keys(guessed).length && parts.every(([role, part]) => told(part) === told(guessed[role]))) return {};
    if (!parts.every(([, part]) => part.columns.every(has))) return {};
    if (before.format !== "mapped" && before.format !== this.guess.format) return { read_as: before.format };
    const roles = Object.fromEntries(parts.map(([role, part]) => [role, part.columns.length === 1 && !part.template ? { column: part.columns[0] } : { template: templateOf(part) }]));
    return { shape: shapeOf(before.roles), roles };
  }
  // Under another name what was taken is let go again; whether that was anything.
  letGo(name) {
    const { taken } = this.choices;
    if (taken?.name === name) return false;
    delete this.choices.taken;
    const mine = Object.entries(taken?.values ?? {}).filter(([one, value]) => JSON.stringify(this.choices[one]) === JSON.stringify(value));
    for (const [one] of mine) this.choices[one] = structuredClone(BLANK[one]);
    return mine.length > 0;
  }
  // What was taken, in words; "" for nothing.
  get taken() {
    const { values = {} } = this.choices.taken ?? {};
    const named = Object.entries(TAKEN).filter(([one]) => one in values).map(([one, words]) => `${words}: “${values[one]}”`);
    if (values.roles || values.read_as) named.push("what the columns mean");
    if (values.system) named.push("the system prompt");
    return named.join(", ");
  }
  // The column that named the rows before, where it does not name them now.
  get keyBefore() {
    const { taken, key, append } = this.choices;
    return taken?.key && taken.key !== key && !append ? taken.key : "";
  }

  get shapeNow() { return this.choices.shape ?? shapeOf(this.guess.roles ?? {}); }
  // What fills a role now: {column}, {template} or null.
  part(role) {
    if (role in this.choices.roles) return this.choices.roles[role];
    const guessed = this.guess.roles?.[role];
    if (!guessed || (this.choices.shape && this.choices.shape !== shapeOf(this.guess.roles))) return null;
    return guessed.columns.length === 1 && !guessed.template ? { column: guessed.columns[0] } : { template: templateOf(guessed) };
  }

  // ---- What the studio is asked ----

  asked() {
    const { choices } = this;
    const mapping = Object.entries(this.given()).map(([role, part]) => `${role}=${part.template ?? part.column}`);
    if (choices.system.trim()) mapping.push(`system= ${choices.system.replaceAll("\\", "\\\\")}`);
    if (choices.key) mapping.push(`key=${choices.key}`);
    if (choices.split && choices.split !== "shares") mapping.push(`split=${choices.split}`);
    const { read_as, encoding, entry, chunk, overlap, chunk_by } = choices;
    return { mapping, read_as, encoding, entry, chunk, overlap, chunk_by };
  }
  // The roles to name: of another shape all of them, else those that a person set.
  given() {
    const { shape, roles } = this.choices;
    const names = shape ? [...SHAPES[shape][1], ...MORE].map(([role]) => role) : Object.keys(roles);
    return Object.fromEntries(names.map((role) => [role, this.part(role)]).filter(([, part]) => part && (part.template ?? part.column)));
  }
  more() {
    const { split, shares, skip_bad, group_by, stratify, keep_equal: equal } = this.choices;
    const drawn = this.parts ? { group_by: group_by || null, stratify: stratify || null } : {};
    const own = split === "shares" || (!split && !this.guess.split && shares.join() !== "80,10,10");
    return { ...drawn, skip_bad, append: this.appends, keep_equal: this.appends && Boolean(equal), split: own ? SIDES.map(([side], at) => `${side}=${(shares[at] / 100).toFixed(4)}`).join() : null };
  }
  wrong() {
    const sum = this.choices.shares.reduce((all, share) => all + share, 0);
    if (!this.usesShares || Math.abs(sum - 100) < 0.001) return null;
    return { what: "The shares of the split don’t fit.", why: `They add up to ${sum} %.`, next: "Make them 100 % together." };
  }
  get usesShares() { return this.choices.split === "shares" || (!this.choices.split && !this.guess.split); }
  // Whether rows are added to a dataset, whose own keep the sides they have.
  get appends() { return this.choices.append && Boolean(this.exists); }
  // Whether the draw may heed a column.
  get parts() { return this.usesShares && !this.appends; }

  // ---- The form ----

  // What decides which fields there are; while it stays, the form is not drawn anew.
  shape(found) {
    const parts = [...SHAPES[this.shapeNow][1], ...MORE].map(([role]) => (this.part(role)?.template !== undefined ? TEMPLATE : role in this.choices.roles ? "own" : this.part(role)?.column));
    return JSON.stringify([this.shapeNow, parts, found.columns, found.entries, found.cuts, this.usesShares, this.appends, this.guess.split, this.guess.side_columns, this.offered(found.columns ?? []), Boolean(found.rows || found.first)]);
  }
  form(found) {
    const columns = found.columns ?? [];
    if (!columns.length) return html`${this.entries(found)}${this.encoding()}`;
    const options = (list, now) => html`${list.map(([value, words]) => html`<option value="${value}" ${value === now ? html`selected` : ""}>${words}</option>`)}`;
    return html`${this.entries(found)}${found.cuts ? this.cutting() : ""}<fieldset><legend>Columns</legend>
        <div class="field"><label for="ft-shape">Each row is</label><select id="ft-shape" name="shape">${options(Object.entries(SHAPES).map(([key, [words]]) => [key, words]), this.shapeNow)}</select></div>
        ${SHAPES[this.shapeNow][1].map((field) => this.role(field, columns))}</fieldset>
      <div class="field"><label for="ft-system">System prompt for every row</label><textarea id="ft-system" name="system" rows="2" placeholder="None" dir="auto"></textarea><span class="soft small">An instruction the model reads before each question, such as “You answer the nurses of ward 3.”</span></div>
      <fieldset><legend>Split</legend>${this.divided(options)}
        ${this.usesShares ? html`<div class="ft-percent">${SIDES.map(([side, words], at) => html`<div class="field"><label for="ft-share-${at}">${words}, %</label><input id="ft-share-${at}" name="share-${at}" type="number" min="0" max="100" step="any"></div>`)}</div>${this.parting(columns, options)}` : ""}</fieldset>
      <details class="fold soft" ${this.open ? html`open` : ""}><summary>More choices</summary><div class="stack">
        <div class="field"><label for="ft-read">Format</label><select id="ft-read" name="read_as">${options(FORMATS, this.choices.read_as)}</select></div>${this.encoding()}
        <div class="field"><label for="ft-key">Key: a column that names each row for good</label><select id="ft-key" name="key">${options([["", "None"], ...columns.map((name) => [name, name])], this.choices.key)}</select></div>
        ${MORE.map(([role, words]) => this.role([role, words, false, true], columns))}</div></details>`;
  }
  // What the draw heeds: rows of one patient or customer stand on one side, and labels are in balance.
  parting(columns, options) {
    if (!this.parts) return html`<p class="soft small">To keep rows on one side or labels in balance, add the rows first, then split the dataset anew on its Split page.</p>`;
    const { rest, balance } = this.offered(columns);
    return html`<div class="field"><label for="ft-group">Kept on one side: rows with the same</label><select id="ft-group" name="group_by">${options([["", "None"], ...rest], this.choices.group_by ?? "")}</select></div>
      <div class="field"><label for="ft-stratify">In balance on every side</label><select id="ft-stratify" name="stratify">${options([["", "None"], ...balance], this.choices.stratify ?? "")}</select></div>`;
  }
  // The columns that may be kept together and that may be in balance. What is offered no longer is not chosen any more:
  // nobody sees it, and the import would end with it.
  offered(columns) {
    const { choices } = this, learned = this.learned(columns);
    const rest = columns.filter((name) => !learned.has(name)).slice(0, 300).map((name) => [name, name]);
    const balance = this.part("label") ? [["label", "The label"], ...rest.filter(([name]) => name !== "label")] : rest;
    for (const [name, list] of [["group_by", rest], ["stratify", balance]]) if (!list.some(([value]) => value === choices[name])) choices[name] = "";
    return { rest, balance };
  }
  // The columns that rows are made of; of these nothing else comes along.
  learned(columns) {
    const parts = [...SHAPES[this.shapeNow][1], ...MORE].map(([role]) => this.part(role)).filter(Boolean);
    return new Set(columns.filter((name) => parts.some((part) => part.column === name || part.template?.includes(`{${name}}`))));
  }
  // How rows come to their sides: by chance, or as a column says where there is one whose every value names a side.
  divided(options) {
    const chosen = this.usesShares ? "shares" : this.choices.split || this.guess.split;
    const naming = [...new Set([...(this.guess.side_columns ?? []), ...(chosen === "shares" ? [] : [chosen])])];
    const why = html`<p class="soft small">Most rows are learned from. A few watch over the training; the held-out ones are never shown to the model and make the score.</p>`;
    if (!naming.length) return why;
    return html`${why}<div class="field"><label for="ft-split">Which row goes where</label><select id="ft-split" name="split">
      ${options([["shares", "Drawn by chance, in these shares"], ...naming.map((name) => [name, `The column “${name}” says it for each row`])], chosen)}</select></div>`;
  }
  // Of a file that describes several datasets: which is meant.
  entries(found) {
    if (!found.entries?.length) return "";
    return html`<div class="field"><label for="ft-entry">Which dataset of the file</label><select id="ft-entry" name="entry">${["", ...found.entries].map((name) =>
      html`<option value="${name}" ${name === this.choices.entry ? html`selected` : ""}>${name || "Choose one"}</option>`)}</select></div>`;
  }
  // How long the pieces of documents are.
  cutting() {
    const units = [["characters", "Characters"], ["words", "Words"]];
    return html`<fieldset><legend>Pieces</legend><div class="ft-percent">
      <div class="field"><label for="ft-chunk">At most</label><input id="ft-chunk" name="chunk" type="number" min="50" max="1000000" step="50"></div>
      <div class="field"><label for="ft-overlap">Overlap</label><input id="ft-overlap" name="overlap" type="number" min="0" step="50"></div>
      <div class="field"><label for="ft-chunk-by">Counted in</label><select id="ft-chunk-by" name="chunk_by">${units.map(([value, words]) => html`<option value="${value}" ${value === this.choices.chunk_by ? html`selected` : ""}>${words}</option>`)}</select></div></div></fieldset>`;
  }
  encoding() {
    return html`<div class="field"><label for="ft-encoding">Encoding</label><select id="ft-encoding" name="encoding">${ENCODINGS.map(([value, words]) =>
      html`<option value="${value}" ${value === this.choices.encoding ? html`selected` : ""}>${words}</option>`)}</select></div>`;
  }
  role([role, words, templates, optional], columns) {
    const part = this.part(role);
    const id = `ft-role-${role}`;
    const option = (value, text, on) => html`<option value="${value}" ${on ? html`selected` : ""}>${text}</option>`;
    const template = part?.template !== undefined;
    return html`<div class="field"><label for="${id}">${words}</label><select id="${id}" name="role-${role}">${option("", optional ? "None" : "Choose a column", !part)}${columns.map((name) =>
        option(name, name, part?.column === name))}${templates || template ? option(TEMPLATE, "Several columns, by a template", template) : ""}</select></div>
      ${template ? html`<div class="ft-template"><label class="unseen" for="${id}-text">Template for: ${words}</label><textarea id="${id}-text" name="template-${role}" rows="3" spellcheck="false" dir="auto"></textarea>
        <div class="row tight-row">${columns.slice(0, 12).map((name) => html`<button type="button" class="chip" data-insert="${name}" data-into="${id}-text" title="Put this column in">${name}</button>`)}</div></div>` : ""}`;
  }
  // Texts go in as values, so that a field that is being typed in is no change of the form.
  fill(place) {
    const set = (name, value) => { const field = place.querySelector(`[name="${name}"]`); if (field) field.value = value; };
    set("system", this.choices.system || this.guess.system || "");
    set("chunk", this.choices.chunk);
    set("overlap", this.choices.overlap);
    this.choices.shares.forEach((share, at) => set(`share-${at}`, share));
    for (const [role] of [...SHAPES[this.shapeNow][1], ...MORE]) if (this.part(role)?.template !== undefined) set(`template-${role}`, this.part(role).template);
    const more = place.querySelector("details");
    if (more) more.ontoggle = () => { this.open = more.open; };
  }
  // Takes over what a field says; "form" when other fields are needed now.
  change(field, found) {
    const { choices } = this;
    const { name, value } = field;
    if (["skip_bad", "append", "keep_equal"].includes(name)) choices[name] = field.checked;
    else if (name === "chunk" || name === "overlap") choices[name] = Number(value) || 0;
    else if (name.startsWith("share-")) choices.shares[Number(name.slice(6))] = Number(value) || 0;
    else if (name.startsWith("template-")) choices.roles[name.slice(9)] = { template: value };
    else if (name.startsWith("role-")) this.setRole(name.slice(5), value, found);
    else if (name === "shape") { choices.shape = value; choices.read_as = "auto"; choices.roles = this.kept(value); }
    else if (name === "read_as") { choices.read_as = value; choices.roles = {}; choices.shape = null; }
    else choices[name] = value;
    return field.matches("select") ? "form" : "";
  }
  setRole(role, value, found) {
    const before = this.part(role);
    if (value === TEMPLATE) this.choices.roles[role] = { template: `{${before?.column ?? found.columns[0]}}` };
    else this.choices.roles[role] = value ? { column: value } : null;
    if (!value && !this.choices.shape) this.choices.shape = this.shapeNow; // a role taken away: name all that are left
    if (this.choices.shape) this.choices.roles = { ...this.kept(this.choices.shape), ...this.choices.roles };
  }
  // The columns that another shape can go on with.
  kept(shape) {
    const of = (role) => this.choices.roles[role] ?? (this.guess.roles?.[role] ? this.guessed(role) : null);
    const answer = of("assistant") ?? of("label") ?? of("chosen");
    const asks = of("user") ?? of("text");
    const roles = { user: asks, assistant: answer, label: of("label") ?? of("assistant"), messages: of("messages"), chosen: of("chosen") ?? answer, rejected: of("rejected"), text: asks ?? answer };
    return Object.fromEntries([...SHAPES[shape][1], ...MORE].map(([role]) => [role, role in roles ? roles[role] : of(role)]).filter(([, part]) => part));
  }
  guessed(role) {
    const part = this.guess.roles[role];
    return part.columns.length === 1 && !part.template ? { column: part.columns[0] } : { template: templateOf(part) };
  }
}
