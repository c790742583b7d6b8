"""What is chosen for a run when nobody chose: by method, model size, data and machine, each with its reason."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from studio.settings.train import Ddp, Pretraining, Sft, Sharded, Single, Spread, TrainSettings

# Learning rates of adapters by model size; full training takes a tenth, as adapters bear about ten times the rate of
# full fine-tuning (Schulman et al., “LoRA Without Regret”, 2025). The first line was measured on the starter.
ADAPTER_RATES = ((500e6, 1e-3), (2e9, 5e-4), (10e9, 2e-4), (math.inf, 1e-4))
FULL_SHARE = 0.1
MAX_CUTOFF = 1024
# Between its products a pass has many small steps, which cost less a token in a pass of more tokens.
FILLED = 4
# Other programs want memory too: what is chosen here takes at most this share of what is free.
MOST_FREE = 0.7
ENOUGH_UPDATES = 90
CHECKS = 8
# Below this, twice as many updates of half the rows learned more on the starter data (0.92 against 0.87 exact match).
SMALL_SET = 500


@dataclass(frozen=True)
class Facts:
    """What the choices depend on.

    Args:
        rows: training rows.
        longest: tokens of the longest of them, as far as they were looked at.
        text: whether the rows are raw text.
        version: the dataset's newest version.
        parameters: of the model.
        context: the longest input the model knows, in tokens; None when it does not say.
        device: cpu, cuda or mps.
        cores: of the CPU.
        gpus: how many there are that can be used.
        alike: how many of them, from the first on, are alike; a run takes them in this order.
        gpu: the name of the first, which a run takes that trains on one.
        looked_at: how many rows were, the longest texts among them; None for all.
        filling: tokens that fill the CPU, as it was measured; None before that.
        free_gb: memory that is free for a run that is spread so.
        needs_gb: the memory needed with settings whose choices are all made.
    """

    rows: int
    longest: int
    text: bool
    version: int
    parameters: int
    context: int | None
    device: str
    cores: int
    gpus: int = 0
    alike: int = 0
    gpu: str = ""
    looked_at: int | None = None
    filling: int | None = None
    free_gb: Callable[[Spread | None], float] = lambda spread: math.inf
    needs_gb: Callable[[TrainSettings], float] = lambda settings: 0.0


@dataclass
class Resolved:
    """Settings without an open choice, and for each value that was chosen here its reason in one sentence.

    The passes stay open where the steps are given; their reason says so.
    """

    settings: TrainSettings
    reasons: dict[str, str] = field(default_factory=dict)


def resolve(settings: TrainSettings, facts: Facts) -> Resolved:
    """Fills in every value that is None, but for `recompute`: see `studio/recomputation.py`."""
    chosen: dict[str, Any] = {}
    reasons: dict[str, str] = {}

    def choose(name: str, value: Any, why: str) -> Any:
        given = getattr(settings, name)
        if given is not None:
            return given
        chosen[name], reasons[name] = value, why
        return value

    choose("version", facts.version, "The newest version of the dataset.")
    if facts.text:
        choose("objective", Pretraining(), "The rows are raw text.")
    else:
        choose("objective", Sft(), "The rows have answers to learn.")
    cutoff = choose("cutoff", *_cutoff(facts))
    batch = choose("batch_size", *_batch_size(facts))
    choose("learning_rate", *learning_rate(settings.method.name, facts.parameters))
    if settings.max_steps is None:
        epochs = choose("epochs", *_epochs(facts.rows, batch))
        steps = total_steps(facts.rows, batch, epochs)
    else:
        steps = settings.max_steps
        passes = steps / math.ceil(facts.rows / batch)
        reasons["epochs"] = f"The steps decide: {steps:,} of them are about {passes:.2g} passes over the data."
    every = choose("eval_steps", max(1, round(steps / CHECKS)), f"About {CHECKS} times in {steps} steps.")
    choose("save_steps", every, "At every check, so that the best state can be kept.")
    choose("threads", facts.cores, f"This machine has {facts.cores} cores.")
    spread, why = _spread(settings.spread, facts, batch)
    if spread != settings.spread:
        chosen["spread"], reasons["spread"] = spread, why
    # Last, as the memory it is held against depends on the others.
    choose("tokens_per_pass", *_tokens_per_pass(settings.model_copy(update=chosen), facts, cutoff))
    return Resolved(settings.model_copy(update=chosen), reasons)


def _spread(asked: Spread | None, facts: Facts, batch: int) -> tuple[Spread, str]:
    """Over the GPUs that are alike, as every step waits for the slowest, and no more than a step has rows."""
    if asked is None:
        return _usual_spread(facts, batch)
    if not isinstance(asked, Ddp) or asked.processes is not None:
        return asked, ""
    alike = facts.alike if facts.device == "cuda" else 0
    # Divided over more GPUs, a model takes less of each, whatever there is for them to learn from.
    count = alike if isinstance(asked, Sharded) else min(alike, batch)
    if count < 2:
        count, why = 2, "The least that several can be."
    elif count < alike:
        why = f"One for each of the {batch} rows of a step."
    elif alike < facts.gpus:
        why = f"One for each of the first {alike} GPUs, which are alike."
    else:
        why = f"One for each of the {alike} GPUs."
    return asked.model_copy(update={"processes": count}), why


def _usual_spread(facts: Facts, batch: int) -> tuple[Spread, str]:
    if facts.device != "cuda" or facts.gpus < 2:
        return Single(), "There is one device to train on."
    if facts.alike < 2:
        others = "To take another, name it in CUDA_VISIBLE_DEVICES."
        return Single(), f"This machine's GPUs are unlike, so one of them trains alone: {facts.gpu}. {others}"
    if batch < 2:
        return Single(), "A step has one row, which several GPUs can't share."
    if batch < facts.alike:
        return Ddp(processes=batch), f"A step has {batch} rows, one for each of so many GPUs."
    if facts.alike < facts.gpus:
        return Ddp(processes=facts.alike), f"The first {facts.alike} of this machine's {facts.gpus} GPUs are alike."
    return Ddp(processes=facts.gpus), f"This machine has {facts.gpus} GPUs."


def total_steps(rows: int, batch: int, epochs: float) -> int:
    """Updates in so many passes over the rows; a fraction of a pass ends within it."""
    per_pass = math.ceil(rows / batch)
    return max(1, math.ceil(round(per_pass * epochs, 6)))


def _cutoff(facts: Facts) -> tuple[int, str]:
    limit = min(MAX_CUTOFF, facts.context or MAX_CUTOFF)
    needed = max(64, math.ceil(facts.longest / 64) * 64)
    row, cut = "The longest row", "so nothing is cut off"
    if facts.looked_at:
        row = f"The longest of the {facts.looked_at:,} rows looked at, those of the longest texts among them,"
        cut = "so hardly a row is cut off"
    if needed <= limit:
        return needed, f"{row} has {facts.longest} tokens, {cut}."
    if facts.context and facts.context <= limit:
        return limit, f"The model reads at most {facts.context} tokens."
    return limit, f"{row} has {facts.longest} tokens; more than {limit} at once costs much time and memory."


def _batch_size(facts: Facts) -> tuple[int, str]:
    if facts.rows < SMALL_SET:
        return 4, f"With {facts.rows} rows a small batch makes more steps."
    if facts.rows > 5000 and facts.device != "cpu":
        return 16, f"With {facts.rows} rows there are enough steps."
    return 8, "The usual size."


def learning_rate(method: str, parameters: int) -> tuple[float, str]:
    """The usual learning rate of a method on a model of that size, and why."""
    rate = next(rate for limit, rate in ADAPTER_RATES if parameters <= limit)
    size = f"a model of {parameters / 1e6:,.0f} million parameters"
    if method == "full":
        return rate * FULL_SHARE, f"All weights of {size} are trained; adapters would bear ten times as much."
    return rate, f"An adapter on {size}; larger models need a smaller one."


def _epochs(rows: int, batch: int) -> tuple[float, str]:
    if rows > 20_000:
        return 1.0, f"One pass over {rows} rows is enough to learn a task."
    if rows > 5_000:
        return 2.0, f"Two passes over {rows} rows."
    epochs = 3.0
    while total_steps(rows, batch, epochs) < ENOUGH_UPDATES and epochs < 10:
        epochs += 1
    if epochs > 3:
        return epochs, f"With {rows} rows it takes {epochs:.0f} passes to make enough steps."
    return 3.0, "Three passes are the usual choice."


def _tokens_per_pass(settings: TrainSettings, facts: Facts, cutoff: int) -> tuple[int, str]:
    if settings.memory == "lean":
        return cutoff, "Lean: one row of full length at a time."
    usual, why = 8192, "Fills the processor without taking much memory."
    if facts.device == "cpu":
        usual = FILLED * (facts.filling or 256)
        if facts.filling:
            why = f"Measured here: products of {facts.filling} tokens are nearly as fast as they get."
    if cutoff >= usual:
        return cutoff, "One row of full length at a time."
    free = facts.free_gb(settings.spread)
    fitting = usual
    while settings.memory == "auto" and facts.needs_gb(_passing(settings, fitting)) > MOST_FREE * free:
        fitting //= 2
        if fitting <= cutoff:
            return cutoff, f"One row at a time, as {free:.1f} GB of memory are free."
    return fitting, why if fitting == usual else f"As much at a time as {free:.1f} GB of free memory leave room for."


def _passing(settings: TrainSettings, tokens: int) -> TrainSettings:
    return settings.model_copy(update={"tokens_per_pass": tokens})
