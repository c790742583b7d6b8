"""A run's tuned model: which weights it made, from which base, with which template."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from studio import runs
from studio.errors import NotFound
from studio.libraries import heavy_imports
from studio.settings.answering import Machine
from studio.settings.train import TrainSettings
from studio.workspace import Workspace

if TYPE_CHECKING:
    from backend.engine.engine import Engine

TUNED = "tuned"


@dataclass(frozen=True)
class Tuned:
    """What a run left behind.

    run: its folder; settings: how it was trained; base: the folder of the model it started from; weights: the folder of
    its adapter, or of the full model where all weights were trained.
    """

    run: Path
    settings: TrainSettings
    base: Path
    weights: Path

    @property
    def full(self) -> bool:
        """Whether `weights` is a whole model."""
        return not (self.weights / "adapter_config.json").exists()

    def engine(self, machine: Machine, tell: Callable[[str], None] | None = None, *, whole: bool = False) -> Engine:
        """An engine with base and tuned, the latter under the name `tuned`; torch is imported here.

        Both answer on the base as it was while the run learned: in few bits where it was trained on those.

        Args:
            whole: on the base as it is, as an export has it.
            tell: called with words for people, as when the GPU turns out to be too small.
        """
        with heavy_imports():
            from backend.engine.engine import Engine

        return Engine(
            self.base,
            {TUNED: self.weights},
            device=machine.device,
            threads=machine.threads,
            template=self.settings.template,
            bits=None if whole else runs.bits(self.run),
            tell=tell,
        )


def open_tuned(workspace: Workspace, run: str) -> Tuned:
    """The tuned model of a run.

    Raises:
        NotFound: there is no such run, or its base is no longer in the workspace.
        Refused: it has no weights yet.
    """
    folder = runs.open_run(workspace, run)
    weights = runs.weights(folder)
    settings = runs.settings_of(folder)
    if settings.model not in workspace.names("models"):
        raise NotFound(
            f"The base model of “{runs.summary(folder).title}” is missing.",
            f"It was trained from “{settings.model}”, which is not in {workspace.models}.",
            f"Add it again: launch.py models add {settings.model}.",
        )
    return Tuned(folder, settings, workspace.folder("models", settings.model), weights)
