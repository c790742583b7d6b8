"""One training run: load, prepare, train, save.

    python -m backend.train FOLDER

FOLDER is runs/ID of a workspace, with TrainSettings in its settings.json. What it does is told in events.jsonl and
metrics.jsonl there. Asked to stop, it saves a resume point and a usable adapter; killed, it goes on from its newest
resume point when it is run again. This process only keeps watch (backend/keeper.py); `main` runs in one of its own, or
in several that train together.
"""

from __future__ import annotations

import os
from typing import Any

from backend.job import Concluded, Job, StopRequested, run_job
from backend.keeper import keep
from backend.training import launching
from backend.training.settings import settings_of, tell_chosen_gpu, tell_missing_gpu, tell_recomputation, write_down
from studio import events, measurement
from studio.libraries import heavy_imports
from studio.machine import machine

# Before any of these libraries is imported: nothing is asked of the network.
os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "TOKENIZERS_PARALLELISM": "false"}
if "RANK" not in os.environ and __name__ != "__main__":  # not for the keeper, whose processes may share several
    os.environ |= launching.one_gpu()
# Threads that wait sleep: spinning for one another on a machine that does other things too costs two to five times.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def main(job: Job) -> dict[str, Any]:
    """Trains; the fields of the `finished` event are those of the `train` command's JSON."""
    job.event("loading", item="the libraries")
    with heavy_imports():
        import torch
        import transformers

        from backend.training import calibrate, checkpoints, load, prepare, ranks, report, result, trainer, watching
        from studio.models import Model

    # Load
    settings = settings_of(job)
    device = load.choose_device(settings.device)
    among = ranks.Ranks(settings.spread, device)
    if among.first:
        tell_missing_gpu(job, settings.device, device)
    torch.set_num_threads(max(1, (settings.threads or 1) // among.count))
    with among.first_goes_ahead():
        settings, onednn = calibrate.suited(job.workspace, settings, device)
        write_down(job, settings)
    transformers.set_seed(settings.seed)
    transformers.logging.disable_progress_bar()
    model = Model.open(job.workspace, settings.model)
    tokenizer = prepare.tokenizer_of(job, settings, model)
    job.event("loading", item=f"the model {model.name}", bytes=model.size)
    loaded = load.load(settings, model, onednn)

    # Prepare
    if among.first:
        checkpoints.clear_partials(job.folder)
    way = loaded.forward.attention
    identity = checkpoints.Identity.of(job.folder.name, settings, loaded.device, onednn, way)
    kept = checkpoints.Checkpoints(job.folder, identity, settings.keep_checkpoints)
    resume = kept.newest(job.message)
    with among.first_goes_ahead():
        updates = prepare.prepare(job, settings, tokenizer, loaded.packs, among)
    held_out = prepare.validation(job, settings, tokenizer, loaded.packs)
    watch = (
        watching.Watch(job, loaded.forward, tokenizer, held_out, settings.sample_tokens, among) if held_out else None
    )

    # Train
    loop = trainer.RunTrainer(job, settings, loaded, updates, watch, kept, resume, among)
    if resume:
        checkpoints.announce(job, resume, identity)
    else:
        if events.read_state(job.folder).resuming is not None:
            job.resumed(0)  # an earlier life trained, and left nothing to go on from
        tell_recomputation(job, settings)
    job.event(
        "training",
        total_steps=len(updates),
        rows=len(updates.rows),
        tokens_per_epoch=int(updates.rows.lengths.sum()),
        validation_rows=held_out.rows if held_out else 0,
    )
    loop.run(resume)
    if loop.figures.step == 0:
        raise StopRequested(step=0)

    # Save
    if not among.first:
        raise Concluded(0)
    chosen = result.choose(job, kept, loop.figures, settings)
    warnings = result.warn(job, loop.figures, settings, model.parameters)
    result.write_result(job.folder, chosen, model, settings, tokenizer)
    report.merge_rows(job.folder)
    if loop.stopped:
        raise StopRequested(step=loop.figures.step)
    result.tidy(job.folder)
    where = measurement.place(machine(job.workspace.root), loaded.device, settings)
    return loop.figures.result(chosen.step) | {"place": where, "attention": way, "warnings": warnings}


def kept(job: Job) -> dict[str, Any]:
    """Has the run trained by processes of their own, and waits for their end."""
    settings = settings_of(job)
    tell_chosen_gpu(job, settings)
    command, environments = launching.of(job.folder, settings.spread)
    return keep(job, command, [launching.allocation(settings) | given for given in environments])


if __name__ == "__main__":
    run_job(kept)
