"""What was measured of a run before it was started: its peak memory and the time of an update, kept for the next look.

jobs/measured.jsonl     one line a measurement, by what it depends on
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from studio import calibration, logs, migrate
from studio.errors import MEMORY, Refused, StudioError
from studio.jobs import folder as job_folder
from studio.jobs import queue
from studio.logs import Log
from studio.machine import Machine
from studio.settings.train import Sharded, TrainSettings, processes
from studio.workspace import Workspace

FILE = "measured.jsonl"
# To be raised when the trainer takes other memory or time than before: what was measured until then holds no longer.
TRAINER = 3
PACKAGES = ("transformers", "peft", "bitsandbytes")  # PyTorch is in the `place`
# An estimate this near to what is free, on either side, is not good enough to start by.
NEAR = 0.3
# Settings that change neither the memory nor the time of an update.
INDIFFERENT = {
    "name", "learning_rate", "schedule", "warmup", "weight_decay", "max_grad_norm", "seed", "epochs", "max_steps",
    "eval_steps", "eval_rows", "patience", "keep_best", "samples", "sample_tokens", "save_steps", "keep_checkpoints",
    "memory", "device",
}  # fmt: skip
# What is free never stays the same to the byte: what did not fit then does not fit into a fiftieth more.
SLACK = 0.98


@dataclass(frozen=True)
class Measured:
    """One measurement.

    Attributes:
        fits: whether an update of the longest batch went through with the memory that was free.
        memory_gb: the highest memory, of the GPU where one trains; what was reached, if it did not fit.
        free_gb: what was free before.
        step_seconds: a usual update; None if it did not fit.
        time: when, in seconds since 1970.
    """

    fits: bool
    memory_gb: float
    free_gb: float
    step_seconds: float | None
    time: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def near(estimated: float, free: float) -> bool:
    """Whether only a measurement can tell if a run fits."""
    return abs(estimated - free) <= NEAR * free


def start(workspace: Workspace, settings: TrainSettings, limit_gb: float | None = None) -> Path:
    """Puts the measurement of a run with these settings into the queue, before everything that waits there.

    Args:
        limit_gb: memory it may take; None for what is free.

    Raises:
        Refused: only the run itself can tell.
    """
    if not possible(settings):
        raise Refused(
            "Whether this run fits can't be measured beforehand.",
            "It divides the model over several GPUs, and the measurement trains on one.",
            "Start it without measuring (--no-measure); what it saved is kept if the memory runs out.",
            field="spread",
        )
    given = {"settings": settings.plain(), "limit_gb": limit_gb}
    folder = job_folder.create(workspace, "fit", given, settings.dataset[:24])
    queue.advance(workspace)
    return folder


def possible(settings: TrainSettings) -> bool:
    """Whether one process can try what the run does: not where several share one model."""
    return not isinstance(settings.spread, Sharded)


def with_free(here: Machine, gb: float) -> Machine:
    """This machine, as if so many GB were free for a run, wherever it trains."""
    room = int(gb * 1e9)
    gpus = tuple(replace(gpu, memory_used=gpu.memory - room) for gpu in here.gpus)
    return replace(here, memory_available=room, gpus=gpus)


def place(here: Machine, device: str, settings: TrainSettings) -> str:
    """The device and the machine that a measurement holds for: a workspace may move, or be opened by several.

    Of the GPUs it names those that the run takes: a process that trains alone sees no other.
    """
    gpus = ", ".join(gpu.name for gpu in here.gpus[: processes(settings.spread)]) if device == "cuda" else "no GPU"
    return f"{device}, {gpus}, {calibration.machine_key(settings.threads or here.cores)}"


def remember(workspace: Workspace, settings: TrainSettings, where: str, found: Measured) -> None:
    """Keeps what was measured at the `place` it was measured at."""
    with Log(workspace.jobs / FILE) as log:
        figures = {name: value for name, value in found.as_dict().items() if name != "time"}
        log.append("measured", key=key(workspace, settings, where), **figures)


def known(workspace: Workspace, settings: TrainSettings, where: str, free_gb: float) -> Measured | None:
    """The latest measurement of such a run on this machine; None when there is none.

    Args:
        where: the `place` it would run at.
        free_gb: what is free now; that it did not fit into less says nothing.
    """
    path = workspace.jobs / FILE
    if not path.exists():
        return None
    mark = key(workspace, settings, where)
    for line in reversed(logs.read(path)[0]):
        if line.get("key") == mark and (line["fits"] or line["free_gb"] >= SLACK * free_gb):
            return Measured(**{name: line[name] for name in Measured.__dataclass_fields__})
    return None


def key(workspace: Workspace, settings: TrainSettings, where: str) -> str:
    """A hash of what memory and time depend on: the settings, what the names in them mean, the device and the code."""
    kept = {name: value for name, value in settings.plain().items() if name not in INDIFFERENT}
    files = (workspace.models / settings.model / "config.json", workspace.datasets / settings.dataset / "dataset.json")
    made = [_content(files[0]), _made(files[1], settings.version)]
    depends = [where, kept, made, TRAINER, [_release(name) for name in PACKAGES]]
    return hashlib.blake2b(json.dumps(depends, sort_keys=True).encode(), digest_size=12).hexdigest()


@functools.cache
def _release(package: str) -> str:
    """As it is installed, without importing it."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _content(path: Path) -> str:
    """The model's shape; another one may have been added under its name."""
    return hashlib.blake2b(path.read_bytes(), digest_size=12).hexdigest() if path.is_file() else ""


def _made(path: Path, version: int | None) -> Any:
    """When this version was frozen: one of the same number may be of a dataset that was imported anew."""
    versions = migrate.load(path, "dataset").get("versions", []) if path.is_file() else []
    return next((one.get("made") for one in versions if one.get("version") == version), None)


def ran_out(error: dict[str, Any] | StudioError | None) -> bool:
    """Whether a failure is one of memory, beside which the ladder stands."""
    words = error.as_dict() if isinstance(error, StudioError) else error or {}
    return words.get("cause") == MEMORY
