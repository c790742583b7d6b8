"""The settings a run is trained with: nothing in them is left to choose."""

from __future__ import annotations

from pathlib import Path

from backend.job import Job
from studio import events, logs, migrate, runs
from studio.errors import StudioError
from studio.jobs import folder as job_folder
from studio.jobs.folder import SETTINGS
from studio.machine import machine
from studio.settings.base import check
from studio.settings.train import TrainSettings, processes

CHOSEN = (
    "version",
    "objective",
    "learning_rate",
    "batch_size",
    "cutoff",
    "tokens_per_pass",
    "recompute",
    "threads",
    "spread",
    "eval_steps",
    "save_steps",
)


def needs_bitsandbytes(folder: Path) -> bool:
    """Whether a run, or that which a measurement is for, may need it.

    It does for weights in few bits and for the optimizer in 8 bits; it may where the settings can't be read.
    """
    try:
        measured = job_folder.read_settings(folder).get("settings")
        settings = runs.settings_of(folder) if measured is None else check(TrainSettings, measured)
    except StudioError:
        return True
    return settings.method.name == "qlora" or settings.optimizer == "adamw_8bit"


def settings_of(job: Job) -> TrainSettings:
    """The run's settings. What is open is chosen once, as for a new run, and written down for every later life.

    Raises:
        StudioError: they are wrong, or preflight finds that this run can't be.
    """
    settings = runs.settings_of(job.folder)
    length = settings.epochs is None and settings.max_steps is None
    if not length and all(getattr(settings, name) is not None for name in CHOSEN):
        return settings
    from studio.preflight import preflight

    found = preflight(job.workspace, settings)
    found.refuse_errors()
    migrate.save(job.folder / SETTINGS, "settings", {"job": "train", **found.settings.plain()})
    job.event("chosen", reasons=found.reasons)
    return found.settings


def tell_missing_gpu(job: Job, asked: str, device: str) -> None:
    """That a run which was to take the best there is goes without the GPU that it was planned for.

    Args:
        asked: the setting; who chose the CPU knows.
        device: where the run trains.
    """
    if asked != "auto" or device == "cuda":
        return
    here = machine(job.workspace.root)
    if here.device == "cuda":
        job.message(
            f"PyTorch finds no GPU, so this run trains on the CPU, which is much slower, though there is a GPU here "
            f"({here.gpus[0].name}). Its driver may be broken, or not be let through to this program. Stop the run and "
            "restart the machine or update NVIDIA's driver, then resume it; or leave it to the CPU."
        )


def tell_chosen_gpu(job: Job, settings: TrainSettings) -> None:
    """Which of several GPUs it is that a run takes alone; said by a process that sees them all."""
    here = machine(job.workspace.root)
    if here.device == "cuda" and settings.device != "cpu" and len(here.gpus) > 1 and processes(settings.spread) == 1:
        job.message(f"This run trains on one of the {len(here.gpus)} GPUs here: {here.gpus[0].name}.")


def tell_recomputation(job: Job, settings: TrainSettings) -> None:
    """Whether parts are computed twice, and why, as it was chosen at first or last taken up again."""
    lines = logs.read(job.folder / events.EVENTS)[0]
    whys = [why for line in lines if (why := (line.get("reasons") or {}).get("recompute"))]
    if whys:
        job.message(f"Recomputation is {'on' if settings.recompute else 'off'}. {whys[-1]}")


def write_down(job: Job, settings: TrainSettings) -> None:
    """What the machine decided, as a later life of the run has to take the same."""
    if settings != runs.settings_of(job.folder):
        migrate.save(job.folder / SETTINGS, "settings", {"job": "train", **settings.plain()})
