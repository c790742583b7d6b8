"""What to try when a run does not fit into memory: smaller settings, the gentlest first, each with what it saves.

Nothing is changed by itself: a rung is taken by a person, on the page by a click, in a terminal by its flags.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from studio import wording
from studio.estimate import tokens_at_once
from studio.settings.flags import flags, merge
from studio.settings.train import Full, Lora, Qlora, TrainSettings
from studio.shape import Shape

LADDER = "It would need less memory with:"
SHORTEST = 64
WORTH = 0.01  # a rung that saves less than this share of what a run adds to the libraries is left out
SLOW_EIGHT = "on a CPU a step takes some ten times as long"


@dataclass(frozen=True)
class Rung:
    """One way to need less.

    Attributes:
        name: passes, recompute, optimizer, adapter, eight-bit, four-bit, cutoff or model.
        words: what it does and what it costs, for people.
        changes: settings to lay over the run's.
        memory_gb, saves_gb: what the run takes with it, and how much less that is.
        fits: whether that is enough.
        same: whether the run learns the same with it, so that one that broke off can go on.
        flags: the changes as they are given to the command `train`.
    """

    name: str
    title: str
    words: str
    changes: dict[str, Any]
    memory_gb: float
    saves_gb: float
    fits: bool
    same: bool
    flags: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Case:
    """The run that is too big.

    Args:
        settings: without an open choice.
        parts: GB by the formulas, part by part, of settings and a model's shape.
        on_cpu: whether it trains on the CPU.
        longest: tokens of the longest row as it is trained on.
        needed: GB it takes, measured where it was; free: GB there are.
        cut: which share of the rows a cut-off would cut.
        models: smaller models at hand: name, shape, longest input.
    """

    settings: TrainSettings
    shape: Shape
    parts: Callable[[TrainSettings, Shape], dict[str, float]]
    on_cpu: bool
    longest: int
    needed: float
    free: float
    cut: Callable[[int], float]
    models: Iterable[tuple[str, Shape]] = field(default=())

    def cost(self, settings: TrainSettings, shape: Shape) -> float:
        return sum(self.parts(settings, shape).values())

    def rung(
        self,
        name: str,
        title: str,
        words: str,
        changes: dict[str, Any],
        *,
        same: bool = False,
        shape: Shape | None = None,
    ) -> Rung:
        """A rung, its saving by the formulas taken off what the run needs."""
        settings = changed(self.settings, changes)
        saves = self.cost(self.settings, self.shape) - self.cost(settings, shape or self.shape)
        left = max(0.0, self.needed - saves)
        return Rung(
            name, title, words, changes, round(left, 4), round(saves, 4), left <= self.free, same, flags_of(changes)
        )


def changed(settings: TrainSettings, changes: dict[str, Any]) -> TrainSettings:
    """Settings with a rung's changes laid over."""
    return TrainSettings.model_validate(merge(TrainSettings, settings.plain(), changes))


def flags_of(changes: dict[str, Any]) -> str:
    """Changes as flags of `train`, those that say what is so by default too; later flags win over earlier ones."""
    words = []
    for flag in flags(TrainSettings):
        value: Any = changes
        for part in flag.path:
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            switch = {True: f"--{flag.name}", False: f"--no-{flag.name}"}
            words.append(switch[value] if isinstance(value, bool) else f"--{flag.name} {value}")
    return " ".join(words)


def ladder(case: Case) -> list[Rung]:
    """The rungs that save something, the gentlest first."""
    moving = sum(gb for name, gb in case.parts(case.settings, case.shape).items() if name != "runtime")
    return [rung for rung in _rungs(case) if rung.saves_gb > WORTH * moving]


def _rungs(case: Case) -> Iterator[Rung]:
    settings, method = case.settings, case.settings.method
    yield from _passes(case)
    if not settings.recompute:
        yield case.rung(
            "recompute", "Compute parts twice", "Learns the same, about a third slower.", {"recompute": True}, same=True
        )
    if isinstance(method, Full):
        if settings.optimizer == "adamw":
            words = "The optimizer keeps its figures in 8 bits; learns nearly the same."
            yield case.rung("optimizer", "8-bit optimizer", words, {"optimizer": "adamw_8bit"})
        words = "Trains small matrices beside the weights instead of all weights, at ten times the learning rate."
        yield case.rung("adapter", "LoRA", words, {"method": {"name": "lora"}, "learning_rate": None})
    elif isinstance(method, Lora):
        yield from _bits(case, method)
    yield from _cutoff(case)
    yield from _model(case)


def _passes(case: Case) -> Iterator[Rung]:
    """Fewer tokens at once: the most that fit, by halves, but no row is ever split."""
    now, least = tokens_at_once(case.settings, case.longest), max(8, case.longest)
    tokens = now
    while tokens // 2 > least:
        tokens //= 2
        rung = _pass_rung(case, now, tokens)
        if rung.fits:
            yield rung
            return
    if least < now:
        yield _pass_rung(case, now, least)


def _pass_rung(case: Case, now: int, tokens: int) -> Rung:
    words = (
        f"{wording.number(tokens)} tokens go through the model at once instead of {wording.number(now)}, in more "
        "passes; a step learns from the same rows, so the result is the same."
    )
    return case.rung("passes", "Smaller passes", words, {"tokens_per_pass": tokens}, same=True)


def _bits(case: Case, method: Lora) -> Iterator[Rung]:
    held = int(method.bits) if isinstance(method, Qlora) else 32
    slow = f" ({SLOW_EIGHT})" if case.on_cpu else ""
    if held > 8:
        words = f"The model's own weights are held in 8 bits{slow}; what is learned changes little."
        yield case.rung("eight-bit", "8-bit weights", words, {"method": {"name": "qlora", "bits": "8"}})
    if held > 4:
        slow = " (about a third slower)" if case.on_cpu else ""
        words = f"The model's own weights are held in 4 bits{slow}; answers may get a little worse."
        yield case.rung("four-bit", "4-bit weights", words, {"method": {"name": "qlora", "bits": "4"}})


def _cutoff(case: Case) -> Iterator[Rung]:
    """A shorter cut: the longest that fits, by halves."""
    cutoff = case.longest
    rung = None
    while cutoff // 2 >= SHORTEST:
        cutoff //= 2
        cut = case.cut(cutoff)
        if cut >= 1:
            break
        words = f"Rows end after {cutoff} tokens: {cut:.0%} of them are cut, and what is cut off is not learned."
        at_once = min(case.settings.tokens_per_pass or cutoff, cutoff)
        rung = case.rung("cutoff", "Shorter rows", words, {"cutoff": cutoff, "tokens_per_pass": at_once})
        if rung.fits:
            break
    if rung:
        yield rung


def _model(case: Case) -> Iterator[Rung]:
    """The largest smaller model at hand that fits, or else the smallest."""
    smaller = sorted(case.models, key=lambda item: -item[1].parameters)
    rungs = [
        case.rung(
            "model",
            "A smaller model",
            f"{name} has {shape.parameters / 1e6:,.0f} million parameters instead of "
            f"{case.shape.parameters / 1e6:,.0f}; it knows less.",
            {"model": name},
            shape=shape,
        )
        for name, shape in smaller
        if shape.parameters < case.shape.parameters
    ]
    yield from [next((rung for rung in rungs if rung.fits), rungs[-1])] if rungs else []


def in_words(rungs: list[dict[str, Any]], run: str = "") -> list[str]:
    """The ladder for a terminal: one line a rung, with the flags that take it.

    Args:
        run: the one that can go on with what learns the same; without it a new run is meant.
    """
    lines = []
    for rung in rungs:
        enough = "enough" if rung["fits"] else "not enough alone"
        taken = rung["flags"] if not run else f"train … {rung['flags']}"
        if run and rung["same"]:
            taken = f"launch.py resume {run} --take {rung['name']}"
        lines.append(
            f"  {rung['title']} ({taken}): {rung['memory_gb']:.1f} GB, {rung['saves_gb']:.1f} less, {enough}. "
            f"{rung['words']}"
        )
    return lines
