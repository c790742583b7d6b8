"""Whether a run computes parts twice to need less memory: as the estimate has it, or a measurement of both ways.

Recomputation (gradient checkpointing, Chen et al. 2016) gives up what the forward pass made and makes it again for the
backward pass. It costs about a third of the time, so it is taken where the run would not fit without.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from studio import wording
from studio.measurement import NEAR, Measured, possible
from studio.settings.train import TrainSettings


@dataclass(frozen=True)
class Choice:
    """Whether parts are computed twice, and why.

    Attributes:
        doubtful: whether only a measurement of both ways can tell; `on` is what is safe until then.
    """

    on: bool
    why: str
    doubtful: bool = False


def both(settings: TrainSettings) -> tuple[TrainSettings, TrainSettings]:
    """The run without recomputation, and with it."""
    without, with_it = (settings.model_copy(update={"recompute": on}) for on in (False, True))
    return without, with_it


def choose(
    settings: TrainSettings,
    free: float,
    needs_gb: Callable[[TrainSettings], float],
    measured: Callable[[TrainSettings], Measured | None],
) -> Choice:
    """What suits a run whose other choices are made.

    Args:
        free: GB of memory there are.
        needs_gb: GB that a run takes, by the formulas.
        measured: what was measured of a run on this machine; None where nothing was.
    """
    if settings.memory == "fast":
        return Choice(False, "Fast: nothing is computed twice.")
    plain, twice = both(settings)
    known = measured(plain)
    if known:
        return _measured(known, measured(twice), free)
    needed = needs_gb(plain)
    words = f"Without it the run takes about {needed:.1f} GB, and {free:.1f} are free"
    if needed <= (1 - NEAR) * free:
        return Choice(False, f"{words}.")
    if needed > (1 + NEAR) * free or not possible(settings):
        return Choice(True, f"{words}.")
    return Choice(True, f"{words}: too near to tell, so both ways are measured before the start.", doubtful=True)


def _measured(plain: Measured, twice: Measured | None, free: float) -> Choice:
    """The quicker one of those that fit."""
    if not plain.fits or plain.memory_gb > free:
        more = "" if plain.fits else "more than "
        return Choice(True, f"Measured: without it the run takes {more}{plain.memory_gb:.1f} GB; {free:.1f} are free.")
    words = f"Measured: without it the run takes {plain.memory_gb:.1f} GB"
    if twice is None or not twice.fits or twice.step_seconds is None or plain.step_seconds is None:
        return Choice(False, f"{words}, and {free:.1f} are free.")
    slow, quick = wording.duration(twice.step_seconds), wording.duration(plain.step_seconds)
    words += f" and {quick} a step, with it {twice.memory_gb:.1f} GB and {slow}"
    return Choice(twice.step_seconds < plain.step_seconds, f"{words}; {free:.1f} GB are free.")
