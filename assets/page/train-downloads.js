// Downloads of models on the Train page, and the run that waits for one of them.

import { tell } from "./base.js";
import "./job.js";

export class Downloads {
  // `train` is the Train page; `place` where their progress is shown.
  constructor(train, place) {
    this.train = train;
    this.place = place;
    this.jobs = [];
    this.after = ""; // the download behind which the run starts by itself
  }
  // What is under way, here or elsewhere, is followed; one that ended while no page was open starts nothing.
  follow(list) {
    for (const job of list) this.show(job);
    if (!this.jobs.includes(this.after)) this.after = "";
  }
  show(job) {
    if (this.jobs.includes(job.id)) return;
    this.jobs.push(job.id);
    const shown = document.createElement("ft-job");
    Object.assign(shown.dataset, { kind: "jobs", id: job.id, title: `Adding ${job.source}`, stopped: "Nothing was added." });
    if (job.id === this.after) shown.dataset.awake = ""; // a run waits for it
    this.place.append(shown);
  }
  // One that was just begun: its model is the chosen one from now on.
  begun(job, source) {
    const one = { id: job.id, source, name: job.name };
    this.show(one);
    this.train.choices.adding.push(one);
    this.train.choose("model", job.name);
    this.train.models.draw();
  }
  // Fetches a model and starts the run when it is here.
  async first(model) {
    const job = this.train.choices.adding.find((item) => item.source === model.id) ?? await tell("/studio/models/add", { source: model.id });
    this.begun(job, model.id);
    this.after = job.id;
    this.place.querySelector(`ft-job[data-id="${CSS.escape(job.id)}"]`).dataset.awake = "";
    this.train.keep();
  }
  async ended({ target, detail: { status, result } }) {
    const { train } = this, starts = this.after === target.dataset.id;
    if (starts) this.after = "";
    train.drawStart();
    if (status === "finished") {
      target.remove();
      if (result?.name) train.picked.model = result.name;
      train.keep();
    }
    await train.tick();
    await train.look(); // what was asked while the model was missing says so, and knows neither time nor memory
    if (starts && status === "finished") await train.begin(false);
  }
}
