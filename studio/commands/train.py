"""Fine-tune a model on a dataset.

The run goes on by itself when this command ends or is closed; --wait stays and tells how it goes.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from studio import proposal, runs, wording
from studio.commands import fit, models
from studio.commands.frame import CommandFailed, Context
from studio.commands.run_settings import add_settings, settings_from
from studio.errors import NoMemory, StudioError
from studio.jobs import folder as job_folder
from studio.jobs import follow, queue
from studio.ladder import LADDER, in_words
from studio.measurement import ran_out
from studio.preflight import preflight
from studio.settings.base import check
from studio.settings.train import TrainSettings

UNMEASURED = (
    "Warning: Another job has the device, so whether this run fits is not measured: when its turn comes it may end for "
    "want of memory. To know it before, give --measure, which waits its turn."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wait", action="store_true", help="wait until it ends, and tell how it went")
    parser.add_argument("--check", action="store_true", help="only say what would be done, with every problem")
    parser.add_argument(
        "--measure",
        action=argparse.BooleanOptionalAction,
        help="measure first whether it fits; without it, that is done where the estimate is near to what is free",
    )
    add_settings(parser)


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    settings = settings_from(args)
    models.ensure_starter(context, settings.model)
    found = preflight(context.workspace, settings)
    for problem in found.problems:
        context.terminal.say(f"{problem.level.capitalize()}: {problem.text}")
    if args.check:
        return {"check": found.as_dict()}
    found.refuse_errors()
    doubtful = args.measure is None and found.facts["near"]
    taken = doubtful and queue.holder(context.workspace) is not None
    if taken:
        context.terminal.say(UNMEASURED)
    if args.measure or (doubtful and not taken):
        found.take(*refuse_too_big(context, found.to_measure))
    folder = runs.create(context.workspace, found.to_start, found.steps, found.reasons)
    queue.advance(context.workspace)
    return wait_for(context, folder) if args.wait else started(folder)


def refuse_too_big(context: Context, settings: TrainSettings) -> tuple[TrainSettings, str]:
    """Measures the run, and raises NoMemory with the ladder told when it does not fit.

    Returns:
        The settings that were measured, and why parts are computed twice or not, where that was measured.
    """
    result = fit.measure(context, settings)
    context.terminal.say(fit.show(result))
    if not result["fits"]:
        raise NoMemory(
            "This run does not fit, so it was not started.",
            f"It took more than the {result['free_gb']:.1f} GB that are free.",
            "Add the flags of one of the ways above, or start it anyway with --no-measure.",
        )
    return check(TrainSettings, result["settings"]), result["why"]


def tell_ladder(context: Context, folder: Path) -> None:
    """The ways to need less memory, for a run that ran out of it."""
    rungs = [rung.as_dict() for rung in proposal.rungs(context.workspace, folder.name)]
    if rungs:
        context.terminal.say("\n".join([LADDER, *in_words(rungs, folder.name)]))


def started(folder: Path) -> dict[str, Any]:
    return {"id": folder.name, "status": job_folder.status(folder)}


def wait_for(context: Context, folder: Path) -> dict[str, Any]:
    """Waits for a run; its figures, or a failure that names the run."""
    try:
        state = follow.follow(context.workspace, folder, context.terminal)
    except KeyboardInterrupt:
        context.terminal.say(f"{folder.name} goes on without this command. To stop it: launch.py stop {folder.name}")
        raise
    try:
        return {**started(folder), **follow.result(folder, state)}
    except StudioError as error:
        if ran_out(state.error):
            tell_ladder(context, folder)
        raise CommandFailed(error, **started(folder)) from None


def show(result: dict[str, Any]) -> str:
    if "check" in result:
        return _show_check(result["check"])
    if "train_loss" not in result:
        return f"{result['id']} is {result['status']}. See how it goes: launch.py runs"
    lines = [
        f"{result['id']} is {result['status']}.",
        f"{wording.count(result['steps'], 'step')} in {wording.duration(result['train_seconds'])}, "
        f"{result['tokens_per_second']:.0f} tokens a second, at most {result['peak_memory_gb']:.1f} GB of memory.",
        f"Mean training loss {result['train_loss']:.4f}.",
        *(f"Warning: {text}" for text in result.get("warnings", [])),
        f"Compare it with its base: launch.py evaluate {result['id']}",
    ]
    return "\n".join(lines)


def _show_check(found: dict[str, Any]) -> str:
    facts = [f"{key.replace('_', ' ')}: {value}" for key, value in found["facts"].items()]
    values = found["settings"]
    chosen = [
        f"{name}{'' if values[name] is None else f' = {values[name]}'}: {why}" for name, why in found["reasons"].items()
    ]
    return "\n".join([*facts, "", "Chosen for you:", *chosen])
