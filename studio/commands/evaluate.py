"""Compare base and tuned on held-out rows: exact match and token F1, with the uncertainty of the difference."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from studio import evaluations, migrate, runs
from studio.commands.frame import Context
from studio.jobs import folder as job_folder
from studio.jobs import follow, queue
from studio.settings.answering import EvaluateSettings
from studio.settings.base import check
from studio.settings.flags import add_flags, collect
from studio.statistics import no_interval


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="ID", help="the run to evaluate")
    add_flags(parser, EvaluateSettings, leave_out=("run",))


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    folder = runs.open_run(context.workspace, args.run)
    given = {name: value for name, value in collect(args, EvaluateSettings).items() if name != "run"}
    return evaluate(context, folder, given)


def evaluate(context: Context, run: Path, given: dict[str, Any]) -> dict[str, Any]:
    """Evaluates a run in a job and returns its verdict."""
    runs.weights(run)
    settings = check(EvaluateSettings, {"run": run.name, **given})
    folder = job_folder.create(context.workspace, "evaluate", settings.model_dump(mode="json"), run.name[16:48])
    queue.advance(context.workspace)
    follow.result(folder, follow.follow(context.workspace, folder, context.terminal))
    return {"id": folder.name, **migrate.load(folder / "verdict.json", "verdict")}


def show(result: dict[str, Any]) -> str:
    lines = [f"{result['rows']} held-out rows."]
    for name, figures in result["metrics"].items():
        without = no_interval(int(result["rows"]), figures["low"], figures["high"])
        uncertainty = without.lower() or f"95 % interval {figures['low']:+.3f} to {figures['high']:+.3f}"
        lines.append(
            f"{name.replace('_', ' ').capitalize()}: base {figures['base']:.3f}, tuned {figures['tuned']:.3f}, "
            f"difference {figures['difference']:+.3f} ({uncertainty}): {figures['verdict']}."
        )
        if figures.get("sentence"):
            lines.append(f"  {figures['sentence']}")
    lines += filter(None, [evaluations.on_few_bits(result)])
    return "\n".join(lines)
