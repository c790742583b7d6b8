"""The settings a run is trained with: nothing in them is left to choose."""

from __future__ import annotations

from pathlib import Path

from backend.job import Job
from studio import events, logs, migrate, runs
from studio.errors import StudioError
from studio.jobs import folder as job_folder
from studio.jobs.folder import SETTINGS
from studio.settings.base import check
from studio.settings.train import TrainSettings

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
    return found.settings


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
