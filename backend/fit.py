"""Measures whether a run fits: updates of usual size and one of its longest pass, in a throw-away process.

    python -m backend.fit FOLDER          watches
      python -m backend.training.trial    loads the model, learns from three updates, and is gone; once for each way

Settings: `settings`, those of the run, and `limit_gb`, memory it may take (None: what is free). The process is ended
before it takes what other programs need; that it did not fit is then the result, not a failure.
"""

from __future__ import annotations

import shutil
import signal
import sys
import time
from typing import Any

import psutil

from backend.job import Job, StopRequested, run_job
from backend.leash import leashed
from backend.training import launching
from studio import costs, events, logs, measurement, migrate, recomputation
from studio.errors import StudioError
from studio.jobs import local
from studio.jobs.folder import SETTINGS
from studio.machine import machine, memory_kills
from studio.measurement import Measured, with_free
from studio.preflight import preflight
from studio.settings.base import check
from studio.settings.train import Ddp, TrainSettings

GB = 1e9
POLL_SECONDS = 0.02
# Of the machine's free memory this much is left to others.
SPARE = 0.03


def main(job: Job) -> dict[str, Any]:
    """The measurement beside the estimate, the settings it holds for, and the ladder.

    Where only a measurement can tell whether parts have to be computed twice, both ways are measured: `ways` has what
    each took, `settings` the one that is taken, and `why` says why.
    """
    settings = check(TrainSettings, job.settings["settings"], "This run can't be measured.")
    here, limit = machine(job.workspace.root), job.settings.get("limit_gb")
    found = preflight(job.workspace, settings, with_free(here, limit) if limit else here)
    found.refuse_errors()
    device = found.facts["device"]
    if limit:
        job.message(f"It may take {limit:.1f} GB.")
    limit = limit or costs.free_gb(here, device, found.settings.spread)
    given = {"job": "fit", "settings": found.to_measure.plain(), "limit_gb": limit}
    migrate.save(job.folder / SETTINGS, "settings", given)
    where, ways = measurement.place(here, device, found.settings), []
    for way in recomputation.both(found.settings) if found.doubtful else [found.settings]:
        measured = measure(job, way, limit, device)
        measurement.remember(job.workspace, way, where, measured)
        ways.append({"recompute": way.recompute, **measured.as_dict()})
    shutil.rmtree(job.folder / "checkpoints", ignore_errors=True)
    after = preflight(job.workspace, found.to_measure, with_free(here, limit))
    taken = next(way for way in ways if way["recompute"] == after.settings.recompute)
    return {
        **taken,
        "ways": ways,
        "why": after.reasons["recompute"] if found.doubtful else "",
        "settings": after.settings.plain(),
        "estimated_gb": after.facts["memory_gb"],
        "steps": found.steps,
        "seconds": after.facts["seconds"] if taken["fits"] else None,
        "ladder": [] if taken["fits"] else [rung.as_dict() for rung in after.ladder],
    }


def measure(job: Job, settings: TrainSettings, limit: float, device: str) -> Measured:
    """Runs the trial and watches its memory.

    Args:
        settings: without an open choice.
        limit: GB it may take.

    Raises:
        StudioError: it failed for another reason than memory, in its own words where it had any.
        StopRequested: somebody asked to stop.
    """
    path = job.folder / events.METRICS
    (_, before), kills = logs.read(path), memory_kills()
    spread, on_cpu = settings.spread, device == "cpu"
    # Processes on one CPU share its memory; each GPU has its own.
    times = (spread.processes or 1) if isinstance(spread, Ddp) and on_cpu else 1
    room = limit / times * (1 - SPARE) * GB if on_cpu else None
    reached, code = _watch(job, room, settings)
    lines, _ = logs.read(path, before)
    told = [line for line in lines if line.get("type") == "trial"]
    failed = next((line for line in told if "what" in line), None)
    if failed and not measurement.ran_out(failed):
        raise StudioError(failed["what"], failed["why"], failed["next"])
    # The trial tells the memory of the GPU where it trains on one.
    peak = max([reached if on_cpu else 0, *(line.get("memory", 0) for line in told)]) / GB * times
    steps = [line for line in lines if line.get("type") == "step"]
    if code == 0 and len(steps) == 3:
        # A measured peak above the limit was held only because others gave way meanwhile.
        return Measured(peak <= limit, round(peak, 3), round(limit, 2), steps[-1]["seconds"], time.time())
    if not failed and memory_kills() == kills and (room is None or reached <= room):
        raise StudioError(
            "The measurement broke off without a word.",
            f"Its process ended with {signal.Signals(-code).name if code < 0 else f'code {code}'}.",
            "Look into its log, then measure again.",
        )
    return Measured(False, round(peak, 3), round(limit, 2), None, time.time())


def _watch(job: Job, room: float | None, settings: TrainSettings) -> tuple[int, int]:
    """Runs the trial to its end, or ends it when it takes more than `room` bytes; its highest memory and exit code."""
    given = {"HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE"} | launching.allocation(settings)
    environment = launching.environment(given) | launching.one_gpu()
    computed = "twice" if settings.recompute else "once"
    command = [sys.executable, "-m", "backend.training.trial", str(job.folder), computed]
    child = leashed(command, cwd=local.ROOT, env=environment)
    process, reached = psutil.Process(child.pid), 0
    try:
        while child.poll() is None:
            if job.should_stop():
                raise StopRequested
            try:
                reached = max(reached, int(process.memory_info().rss))
            except psutil.Error:
                break  # it has just ended
            if room is not None and reached > room:
                child.kill()
            time.sleep(POLL_SECONDS)
    finally:
        if child.poll() is None:
            child.kill()
        code = child.wait()
    return reached, code


if __name__ == "__main__":
    run_job(main)
