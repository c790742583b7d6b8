"""A training without torch: it speaks every event of a run, keeps a resume point and stops when asked.

    python -m backend.rehearsal FOLDER

With it the queue, the locks, the pages and kill -9 are tried in milliseconds. Its settings: `steps`, `seconds` a step,
and optionally `fail_at`, a step at which it fails.
"""

from __future__ import annotations

import math
import time
from typing import Any

from backend.job import Job, StopRequested, run_job
from studio import events
from studio.errors import StudioError
from studio.files import read_json, write_json

CHECK_EVERY = 10


def main(job: Job) -> dict[str, Any]:
    """Goes through the steps; the losses follow a curve of the step alone, so a resumed run repeats them."""
    steps, seconds = int(job.settings["steps"]), float(job.settings.get("seconds", 0.0))
    point = job.folder / "checkpoints" / "rehearsal.json"
    first = read_json(point)["step"] if point.exists() else 0
    if events.read_state(job.folder).resuming is not None:
        job.resumed(first)
    job.event("training", total_steps=steps)
    began = time.monotonic()
    for step in range(first + 1, steps + 1):
        if job.should_stop():
            write_json(point, {"step": step - 1})
            job.event("checkpoint", step=step - 1)
            raise StopRequested(step=step - 1)
        if step == job.settings.get("fail_at"):
            raise StudioError(f"Step {step} failed.", "It was asked to.", "Start again without it.")
        time.sleep(seconds)
        loss = 3 * math.exp(-step / steps) + 0.1
        job.metrics.append("step", step=step, loss=loss, learning_rate=1e-3, tokens_per_second=100.0)
        if step % CHECK_EVERY == 0:
            write_json(point, {"step": step})
            job.event("checkpoint", step=step)
            job.event("eval", step=step, loss=loss + 0.1, rows=1)
    return {"steps": steps, "train_seconds": round(time.monotonic() - began, 3)}


if __name__ == "__main__":
    run_job(main)
