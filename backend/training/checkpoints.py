"""Resume points: whole or not at all, checked by hash before they are used, the old ones cleared away.

checkpoints/step-000050/  the weights (safetensors), optimizer, schedule and random states (PyTorch files that are read
                          with weights_only), and checkpoint.json, which names every file with its size and hash
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from backend.job import Job, in_words
from backend.training.report import Figures
from studio import migrate
from studio.errors import NoMemory, NoRoom, StudioError
from studio.files import whole_folder
from studio.machine import cpu_name
from studio.settings.base import Settings
from studio.settings.train import Lora, Qlora, Sft, TrainSettings, processes

FOLDER = "checkpoints"
MANIFEST = "checkpoint.json"
SPARE_BYTES = 64 << 20
# Settings that don't decide what is learned: a run that lacked memory may go on with others.
ALIKE = (
    "name", "threads", "device", "spread", "tokens_per_pass", "recompute", "memory", "keep_checkpoints", "attention",
    "kernels",
)  # fmt: skip
# Settings that every resume point was saved with. One that is not among them came later and counts only where it has
# another value than its default, so that an update of the studio leaves unfinished runs what they have. Nothing is to
# be added here.
FIRST: dict[type, tuple[str, ...]] = {
    TrainSettings: (
        "dataset", "version", "model", "method", "objective", "epochs", "max_steps", "learning_rate", "batch_size",
        "schedule", "warmup", "weight_decay", "max_grad_norm", "optimizer", "seed", "cutoff", "template", "dtype",
        "eval_steps", "eval_rows", "patience", "keep_best", "samples", "sample_tokens", "save_steps",
    ),
    Lora: ("rank", "alpha", "dropout", "targets", "rslora"),
    Qlora: ("bits",),
    Sft: ("loss_on",),
}  # fmt: skip


@dataclass(frozen=True)
class Identity:
    """Which run a checkpoint belongs to, and what it was computed with.

    Attributes:
        run: the run's id.
        settings: hash of its settings; a checkpoint with another one is not used.
        device and all below: with others the result is as good, but not bit for bit alike.
    """

    run: str
    settings: str
    device: str
    threads: int
    processes: int = 1
    passes: str = ""
    dtype: str = ""
    onednn: bool = False
    attention: str = "auto"
    kernels: str = "usual"

    @classmethod
    def of(cls, run: str, settings: TrainSettings, device: str, onednn: bool = False, attention: str = "") -> Identity:
        """Of a run with these settings.

        Args:
            attention: how it is computed, where that is known already: `auto` may be one way here and another there.
        """
        kept = {name: value for name, value in _counting(settings).items() if name not in ALIKE}
        digest = hashlib.blake2b(json.dumps(kept, sort_keys=True).encode(), digest_size=16).hexdigest()
        passes = f"{settings.tokens_per_pass} tokens{', recomputed' if settings.recompute else ''}"
        threads, count = torch.get_num_threads(), processes(settings.spread)
        ways = attention or settings.attention, settings.kernels
        return cls(run, digest, device, threads, count, passes, settings.dtype, onednn, *ways)

    def computed_with(self) -> dict[str, Any]:
        """What bit-for-bit equality depends on."""
        return {
            "torch": torch.__version__,
            "device": self.device,
            "threads": self.threads,
            "processes": self.processes,
            "at once": self.passes,
            "number format": self.dtype,
            "attention": self.attention,
            "kernels": self.kernels,
            "oneDNN": "used" if self.onednn else "not used",
            "processor": cpu_name(),
            "machine": f"{platform.system()} {platform.machine()}",
        }


def _counting(settings: Settings) -> dict[str, Any]:
    """The settings that tell two runs apart, as plain data; the name of a method or a goal is always among them."""
    plain = settings.model_dump(mode="json")
    first = {"name"}.union(*(FIRST.get(kind, ()) for kind in type(settings).__mro__))
    found = {}
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if name in first or value != field.get_default(call_default_factory=True):
            found[name] = _counting(value) if isinstance(value, Settings) else plain[name]
    return found


@dataclass(frozen=True)
class Checkpoint:
    """One that was checked: its folder, and what was summed up until then."""

    path: Path
    figures: Figures
    computed_with: dict[str, Any]

    @property
    def step(self) -> int:
        return self.figures.step


class Checkpoints:
    """The resume points of one run.

    Args:
        folder: the run's.
        identity: what this life of the run is.
        keep: how many of the newest stay, besides the best.

    Attributes:
        unusable: those that `newest` found damaged or not this run's. They count for nothing, and go when a new one is
            whole.
    """

    def __init__(self, folder: Path, identity: Identity, keep: int) -> None:
        self.folder = folder / FOLDER
        self.identity = identity
        self.keep = keep
        self.unusable: set[Path] = set()

    def path(self, step: int) -> Path:
        return self.folder / f"step-{step:06}"

    def save(self, figures: Figures, write: Callable[[Path], None]) -> Path:
        """A new resume point, then the old ones that are no longer needed go.

        Args:
            write: puts the files into the folder it is given.

        Raises:
            NoRoom, StudioError: it could not be written; what was saved before is as it was.
        """
        path = self.path(figures.step)
        if path.exists():  # a damaged one, or of a later life that was not taken up
            shutil.rmtree(path)
            self.unusable.discard(path)
        try:
            with whole_folder(path) as partial:
                write(partial)
                files = {name: _facts(partial / name) for name in sorted(_names(partial))}
                migrate.save(
                    partial / MANIFEST,
                    "checkpoint",
                    {
                        "run": self.identity.run,
                        "settings": self.identity.settings,
                        "step": figures.step,
                        "computed_with": self.identity.computed_with(),
                        "figures": figures.as_dict(),
                        "files": files,
                    },
                )
        except Exception as error:  # each library has its own way to say that the disk is full
            raise self._not_saved(error) from error
        self._prune(figures)
        return path

    def _not_saved(self, error: Exception) -> StudioError:
        known = in_words(error)
        free = shutil.disk_usage(self.folder).free
        newest = next(self._usable(), None)
        kept = f"The run can go on from step {_step(newest)}." if newest else "There is none from before."
        if isinstance(known, NoMemory):
            return NoMemory(known.what, f"{known.why} {kept}", known.next)
        if isinstance(known, NoRoom) or free < SPARE_BYTES:
            return NoRoom(
                "The disk is full, so the resume point could not be saved.",
                f"{free / 1e6:.0f} MB are free. {kept}",
                "Free some space (empty the trash, delete old runs), then resume the run.",
            )
        return StudioError(
            "The resume point could not be saved.",
            f"{(str(error).strip() or type(error).__name__).splitlines()[0][:300]} {kept}",
            "Check the disk, then resume the run.",
        )

    def _prune(self, figures: Figures) -> None:
        best = figures.best
        kept = {self.path(best[0]) if best else None}
        old = [path for path in islice(self._usable(), self.keep, None) if path not in kept]
        for path in [*self.unusable, *old]:
            shutil.rmtree(path, ignore_errors=True)

    def _usable(self) -> Iterator[Path]:
        """Without those whose numbers may be higher than all that this life saves."""
        return (path for path in self._newest_first() if path not in self.unusable)

    def _newest_first(self) -> Iterator[Path]:
        return iter(sorted(self.folder.glob("step-*"), key=_step, reverse=True))

    def newest(self, say: Callable[[str], None]) -> Checkpoint | None:
        """The newest resume point that is whole and this run's; tells of those that are not."""
        for path in self._newest_first():
            try:
                found = self.open(path)
            except StudioError as error:
                self.unusable.add(path)
                say(f"The resume point of step {_step(path)} is not used: {error.why}")
                continue
            return found
        if self.unusable:
            say("No resume point can be used, so the run starts again from its first step.")
        return None

    def open(self, path: Path) -> Checkpoint:
        """The resume point in `path`, once every file was found as it was written.

        Raises:
            StudioError: it is damaged, or another run's; `why` says what.
        """
        try:
            manifest = migrate.load(path / MANIFEST, "checkpoint")
            files, figures = manifest["files"], Figures.of(manifest["figures"])
            owner = (manifest["run"], manifest["settings"])
        except (OSError, KeyError, TypeError, ValueError, StudioError) as error:
            raise _unusable(path, f"its {MANIFEST} can't be read ({error}).") from None
        if owner != (self.identity.run, self.identity.settings):
            # Its files were made by PyTorch's pickle: nothing of another run is opened, whatever is in it.
            raise _unusable(path, "it belongs to another run or to other settings.")
        if _names(path) != {MANIFEST, *files} or figures.step != _step(path):
            raise _unusable(path, "it has other files than were written.")
        for name, facts in files.items():
            if _facts(path / name) != facts:
                raise _unusable(path, f"{name} is not as it was written; the disk may be failing.")
        return Checkpoint(path, figures, manifest["computed_with"])


def announce(job: Job, resume: Checkpoint, identity: Identity) -> None:
    """Says where the run goes on from, and whether it will be bit for bit what it would have been."""
    job.resumed(resume.step)
    then, now = resume.computed_with, identity.computed_with()
    if then.get("attention") == "auto" and now["attention"] != "flash":  # written when it was never flash
        then = then | {"attention": now["attention"]}
    other = [f"{name} {then[name]} then, {value} now" for name, value in now.items() if then.get(name, value) != value]
    if other:
        job.message(f"The result may differ in its last digits from that of a run in one go: {', '.join(other)}.")


def _unusable(path: Path, why: str) -> StudioError:
    return StudioError(f"The resume point {path.name} can't be used.", why, "Resume from another one.")


def _step(path: Path) -> int:
    digits = path.name.removeprefix("step-")
    return int(digits) if digits.isdigit() else -1


def _names(folder: Path) -> set[str]:
    """Its files, those of folders in it too (DeepSpeed's)."""
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if not file.is_dir()}


def _facts(file: Path) -> dict[str, Any]:
    with open(file, "rb") as source:
        digest = hashlib.file_digest(source, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    return {"bytes": file.stat().st_size, "blake2b": digest}


def clear_partials(folder: Path) -> None:
    """Removes what a killed worker had half written."""
    for partial in [*folder.glob(".*.partial"), *(folder / FOLDER).glob(".*.partial"), *folder.glob("rows/.*.partial")]:
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        else:
            partial.unlink(missing_ok=True)
