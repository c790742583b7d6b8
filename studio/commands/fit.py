"""Measure whether a run fits: real steps in a throw-away process.

It takes the flags of `train`. Told are the estimate and the measurement, and, where it does not fit, what to try.
"""

from __future__ import annotations

import argparse
from typing import Any

from studio import measurement, wording
from studio.commands import models
from studio.commands.frame import Context
from studio.commands.run_settings import add_settings, settings_from
from studio.errors import BadInput
from studio.jobs import follow
from studio.ladder import in_words
from studio.machine import machine
from studio.preflight import preflight
from studio.settings.train import TrainSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=float, metavar="GB", help="memory it may take; default: what is free")
    add_settings(parser)


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    if args.limit is not None and args.limit <= 0:
        raise BadInput("So little memory can't be.", f"--limit is {args.limit:g}.", "Give GB, such as --limit 8.")
    settings = settings_from(args)
    models.ensure_starter(context, settings.model)
    here = measurement.with_free(machine(context.workspace.root), args.limit) if args.limit else None
    found = preflight(context.workspace, settings, here)
    found.refuse_errors()
    return measure(context, found.to_measure, args.limit)


def measure(context: Context, settings: TrainSettings, limit_gb: float | None = None) -> dict[str, Any]:
    """Measures in a job, and waits for it."""
    folder = measurement.start(context.workspace, settings, limit_gb)
    return {"id": folder.name, **follow.result(folder, follow.follow(context.workspace, folder, context.terminal))}


def show(result: dict[str, Any]) -> str:
    both = [] if len(result["ways"]) < 2 else [f"Measured both ways. {result['why']}"]
    measured = f"{result['memory_gb']:.2f} GB measured, {result['estimated_gb']:.2f} GB estimated"
    free = f"{result['free_gb']:.2f} GB are free"
    if not result["fits"]:
        head = f"It does not fit: more than {measured}; {free}."
        return "\n".join([head, *both, *(["What to try:", *in_words(result["ladder"])] if result["ladder"] else [])])
    return "\n".join(
        [
            *both,
            f"It fits: {measured}; {free}.",
            f"A step takes {wording.duration(result['step_seconds'])}; "
            f"{wording.count(result['steps'], 'step')} take about {wording.duration(result['seconds'])}.",
        ]
    )
