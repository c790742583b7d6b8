"""What a run costs: devices, memory, time and disk, each held against what this machine has."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from studio import acceleration, measurement, runs, wording
from studio.calibration import Calibration
from studio.errors import Refused, StudioError
from studio.estimate import Estimate, estimate, number_format
from studio.files import read_json
from studio.ladder import Case, ladder
from studio.machine import Machine
from studio.models import Model, list_models
from studio.prospect import Preflight
from studio.settings import defaults
from studio.settings.train import Sharded, Single, Spread, TrainSettings, processes
from studio.shape import Shape
from studio.workspace import Workspace

if TYPE_CHECKING:
    from studio.batches.encode import Report
    from studio.batches.survey import Survey

LONG_HOURS = 12
# What was not enough is taken for this much less than what is needed.
MORE = 1.02
# Learning rates outside of these rarely train: factors around the one that would be chosen.
RATE_RANGE = (1 / 30, 30)


def look(
    workspace: Workspace,
    found: Preflight,
    rows_read: Survey,
    model: Model,
    device: str,
    here: Machine,
    speeds: Calibration | None,
) -> None:
    """Adds figures, warnings and the ladder to what preflight found of a run whose settings are all chosen."""
    _spread(found, device, here)
    taken = replace(here, gpus=here.gpus[: processes(found.settings.spread)])
    dtype = number_format(found.settings, device, speeds, taken.bfloat16)
    config = read_json(model.path / "config.json")
    for error in acceleration.problems(found.settings, device, dtype, taken, config):
        found.add("error", error)
    alike = found.settings
    if device == "cuda" or speeds:  # runs write down the format that they took
        alike = alike.model_copy(update={"dtype": dtype})
    flash = acceleration.expects_flash(alike, device, dtype, taken, config)
    pace = runs.usual_speed(workspace, alike, measurement.place(here, device, alike), flash)
    if device == "cuda" and len(taken.gpus) == 1:
        found.facts["gpu"] = taken.gpus[0].name
    shape, cost = _cost(found, model, device, pace, speeds, taken.bfloat16)
    _memory(workspace, found, rows_read, shape, cost, here)
    _long(found, here)
    _disk(found, shape, here)


def _spread(found: Preflight, device: str, here: Machine) -> None:
    """Whether this machine has what the run is to be spread over."""
    spread = found.settings.spread
    if spread is None or isinstance(spread, Single):
        return
    count, room = spread.processes or 2, len(here.usable_gpus) if device == "cuda" else here.cores
    noun = "GPU" if device == "cuda" else "core"
    if isinstance(spread, Sharded):
        for error in _unable_to_shard(found.settings, spread, device):
            found.add("error", error)
    if count > room:
        words = f"{count} processes are more than this machine can run."
        advice = f"Choose {room} or fewer." if room > 1 else "Choose single."
        able = " that PyTorch can use" if device == "cuda" and room < len(here.gpus) else ""
        why = f"It has {wording.count(room, noun)}{able}."
        found.add("error", Refused(words, why, advice, field="spread.processes"))
    if count > (found.settings.batch_size or 1):
        found.warn(
            f"{count} processes share {wording.count(found.settings.batch_size or 1, 'row')} a step.",
            "Some of them have nothing to do.",
            "Raise the batch size, or take fewer processes.",
            "batch_size",
        )


def _unable_to_shard(settings: TrainSettings, spread: Sharded, device: str) -> Iterator[Refused]:
    name = str(getattr(spread, "name", ""))
    if device != "cuda":
        yield Refused(
            f"{name} divides a model over several GPUs, and there are none here.",
            "On a CPU all processes share one memory, so nothing would be won.",
            "Choose ddp or single.",
            field="spread",
        )
        return
    if settings.method.name == "qlora" and name in ("fsdp", "zero3"):
        yield Refused(
            f"{name} can't divide weights of few bits.",
            "qlora keeps them packed, in a form that is not split.",
            "Choose lora with it, or ddp with qlora.",
            field="method",
        )


def _cost(
    found: Preflight, model: Model, device: str, pace: float | None, speeds: Calibration | None, bfloat16: bool
) -> tuple[Shape, Callable[[TrainSettings, Shape], Estimate]]:
    """Rate and device against what is usual, and the estimate; returns how to estimate other settings."""
    settings, facts = found.settings, found.facts
    facts["device"] = device
    usual, _ = defaults.learning_rate(settings.method.name, model.parameters)
    low, high = (usual * factor for factor in RATE_RANGE)
    if settings.learning_rate and not low <= settings.learning_rate <= high:
        small = settings.learning_rate < low
        found.warn(
            f"A learning rate of {settings.learning_rate:g} is unusually {'small' if small else 'large'}.",
            "Hardly anything would be learned." if small else "The loss is likely to jump and may never recover.",
            f"The usual one here is {usual:g}.",
            "learning_rate",
        )
    if settings.method.name == "qlora" and device == "cpu":
        found.warn(
            "qlora is slow without a GPU.",
            "It saves memory; on a CPU each step takes about a third longer.",
            "Choose lora unless memory is short.",
            "method",
        )
    shape = Shape.read(read_json(model.path / "config.json"), model.parameters)
    sequences = max(1, facts.get("sequences") or facts["rows"])
    tokens = facts.get("tokens") or 0
    share = (facts.get("trained_tokens") or 0) / max(1, tokens)

    def cost(other: TrainSettings, of: Shape) -> Estimate:
        return estimate(other, of, tokens / sequences, share, found.steps or 1, device, pace, speeds, bfloat16)

    known = cost(settings, shape)
    facts |= {"memory_gb": known.memory_gb, "memory_parts_gb": known.parts, "seconds": known.seconds}
    return shape, cost


def needs_gb(
    model: Model, report: Report, device: str, speeds: Calibration | None, bfloat16: bool
) -> Callable[[TrainSettings], float]:
    """How to tell the GB that a run needs with settings that are chosen, before the other facts are known."""
    shape = Shape.read(read_json(model.path / "config.json"), model.parameters)
    share = report.trained_tokens / max(1, report.tokens)

    def needs(settings: TrainSettings) -> float:
        return estimate(settings, shape, 1.0, share, 1, device, speeds=speeds, bfloat16=bfloat16).memory_gb

    return needs


def free_gb(here: Machine, device: str, spread: Spread | None = None) -> float:
    """GB that a run may take now: of the fullest GPU it uses, else of the machine's memory.

    Each process takes about as much of its own GPU, the first ones there are; a run in one process takes the first.
    """
    if device == "cuda" and here.gpus:
        return min(gpu.memory - gpu.memory_used for gpu in here.gpus[: processes(spread)]) / 1e9
    return here.memory_available / 1e9


def _memory(
    workspace: Workspace,
    found: Preflight,
    rows_read: Survey,
    shape: Shape,
    cost: Callable[[TrainSettings, Shape], Estimate],
    here: Machine,
) -> None:
    """Estimate and measurement against what is free, and the ladder."""
    facts, device = found.facts, found.facts["device"]
    free = free_gb(here, device, found.settings.spread)
    measured = measurement.known(workspace, found.settings, measurement.place(here, device, found.settings), free)
    estimated = facts["memory_gb"]
    needed = measured.memory_gb if measured else estimated
    too_big = needed > free or (measured is not None and not measured.fits)
    facts |= {
        "free_gb": round(free, 2),
        "measured": measured and measured.as_dict(),
        "near": found.doubtful
        or (measured is None and measurement.possible(found.settings) and measurement.near(estimated, free)),
        "too_big": too_big,
    }
    if measured and measured.step_seconds:
        facts["seconds"] = round(measured.step_seconds * (found.steps or 1), 1)
    # One that ran out of memory would have taken more than it had reached.
    needed = max(needed, estimated, free * MORE) if measured and not measured.fits else needed
    if found.had and found.had["device"] == device:
        needed = max(needed, found.had["gb"] * MORE)
    found.ladder = ladder(_case(workspace, found, rows_read, shape, cost, needed, free))
    if too_big:
        gentlest = next((rung for rung in found.ladder if rung.fits), None)
        more = "more than " if measured and not measured.fits else "" if measured else "about "
        found.warn(
            f"This run needs {more}{measured.memory_gb if measured else estimated:.1f} GB of memory.",
            f"{'At least ' if found.held else ''}{free:.1f} GB {'will be' if found.held else 'are'} free.",
            f"Take a smaller setting: {gentlest.title[0].lower()}{gentlest.title[1:]}, for one."
            if gentlest
            else "Take a smaller model, or close other programs.",
            "tokens_per_pass",
        )


def _case(
    workspace: Workspace,
    found: Preflight,
    rows_read: Survey,
    shape: Shape,
    cost: Callable[[TrainSettings, Shape], Estimate],
    needed: float,
    free: float,
) -> Case:
    def cut(cutoff: int) -> float:
        report = rows_read.report(cutoff)
        return report.cut_rows / max(1, report.rows) if report.trained_tokens else 1.0

    return Case(
        settings=found.settings,
        shape=shape,
        parts=lambda settings, of: cost(settings, of).parts,
        on_cpu=found.facts["device"] == "cpu",
        longest=found.facts.get("longest") or found.settings.cutoff or 1,
        needed=needed,
        free=free,
        cut=cut,
        models=_smaller(workspace, shape),
    )


def _smaller(workspace: Workspace, shape: Shape) -> list[tuple[str, Shape]]:
    """The models at hand that are smaller than this one, but for those whose shape can't be read."""
    found = []
    for model in list_models(workspace):
        if isinstance(model, Model) and model.parameters < shape.parameters:
            with contextlib.suppress(TypeError, ValueError, AttributeError, StudioError):
                found.append((model.name, Shape.read(read_json(model.path / "config.json"), model.parameters)))
    return found


def _long(found: Preflight, here: Machine) -> None:
    seconds = found.facts["seconds"]
    if seconds and seconds > LONG_HOURS * 3600:
        found.warn(
            f"This run will take about {wording.duration(seconds)}.",
            f"This machine's CPU has {here.cores} cores.",
            "Take fewer rows or passes, or a smaller model.",
            "max_steps" if found.settings.max_steps else "epochs",
        )


def _disk(found: Preflight, shape: Shape, here: Machine) -> None:
    settings = found.settings
    trained = shape.parameters if settings.method.name == "full" else shape.adapter(settings.method.rank)
    # Weights and Adam's two moments in each resume point, the best one and the one being written; and the result.
    needed = trained * 4 * (3 * (settings.keep_checkpoints + 2) + 1)
    found.facts["disk_gb"] = round(needed / 1e9, 3)
    if needed > here.disk_free:
        found.add(
            "error",
            Refused(
                "The disk has too little room for this run.",
                f"It needs {wording.size(needed)}; {wording.size(here.disk_free)} are free.",
                "Free some space, or keep fewer resume points.",
                field="keep_checkpoints",
            ),
        )
