"""Which models fit a machine: memory and time of a usual run, from formulas, before anything is downloaded.

A usual run here learns from rows of 150 tokens, a third of them answers, with everything else as it is chosen by
itself; preflight says it exactly for the data at hand.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from studio.estimate import Estimate, estimate
from studio.machine import GB, Machine
from studio.models.catalogue import Known, catalogue
from studio.settings.base import check
from studio.settings.defaults import Facts, resolve
from studio.settings.train import TrainSettings
from studio.shape import Shape

METHODS = ("lora", "qlora", "full")
ROWS = 1000
ROW_TOKENS = 150
ANSWER_SHARE = 1 / 3
SLOW_SECONDS = 12 * 3600


@dataclass(frozen=True)
class Fit:
    """What a usual run of one model takes here.

    Attributes:
        needed_gb, free_gb: memory, of the GPU where there is one.
        fits: whether there is enough.
        seconds: of training on a thousand rows, once; None where it can't be known (on a GPU).
    """

    needed_gb: float
    free_gb: float
    fits: bool
    seconds: float | None

    @property
    def slow(self) -> bool:
        """Fits, and would take days."""
        return self.seconds is not None and self.seconds > SLOW_SECONDS

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"slow": self.slow}


def known_shape(known: Known) -> Shape:
    return Shape(parameters=known.parameters, **known.shape)


def fit(shape: Shape, here: Machine, method: str = "lora", context: int | None = None) -> Fit:
    """What a usual run of a model of that shape takes on this machine, chosen as preflight would choose it."""
    device = "cuda" if here.device == "cuda" else "cpu"
    given = check(TrainSettings, {"dataset": "any", "method": {"name": method}, "epochs": 1.0})
    free = free_memory(here) / GB

    def cost_of(settings: TrainSettings) -> Estimate:
        steps = ROWS // (settings.batch_size or 1)
        return estimate(settings, shape, ROW_TOKENS, ANSWER_SHARE, steps, device, bfloat16=here.bfloat16)

    facts = Facts(
        rows=ROWS, longest=3 * ROW_TOKENS, text=False, version=1, parameters=shape.parameters, context=context,
        device=device, cores=here.cores, free_gb=lambda spread: free, needs_gb=lambda asked: cost_of(asked).memory_gb,
    )  # fmt: skip
    settings = resolve(given, facts).settings
    cost = cost_of(settings)
    if cost.memory_gb > free:  # as a run would that does not fit without
        cost = cost_of(settings.model_copy(update={"recompute": True}))
    return Fit(cost.memory_gb, round(free, 1), cost.memory_gb <= free, cost.seconds)


def free_memory(here: Machine) -> int:
    """Bytes a run may take: the smallest of its GPUs', as each holds the model; else what the machine has free."""
    if here.device == "cuda":
        return min(gpu.memory for gpu in here.alike_gpus)
    return here.memory_available


def largest(here: Machine) -> dict[str, tuple[Known, Fit] | None]:
    """For each method the largest known model that fits and does not take days; None when not even the starter does."""
    found: dict[str, tuple[Known, Fit] | None] = {}
    for method in METHODS:
        fitting = [(known, fit(known_shape(known), here, method, known.context)) for known in catalogue()]
        found[method] = next((pair for pair in reversed(fitting) if pair[1].fits and not pair[1].slow), None)
    return found
