"""Measure speed, memory and the like on this machine, and print the ratios; without a name, list the benchmarks."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from studio.benchmarks import BENCHMARKS, markdown
from studio.commands.frame import Context, table
from studio.jobs import folder as job_folder
from studio.jobs import follow, queue
from studio.settings.base import check
from studio.settings.benchmark import BenchmarkSettings
from studio.settings.flags import add_flags, collect


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help=f"one of {', '.join(BENCHMARKS)}")
    add_flags(parser, BenchmarkSettings, leave_out=("name",))


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    if args.name is None:
        return {"benchmarks": BENCHMARKS}
    given = {key: value for key, value in collect(args, BenchmarkSettings).items() if key != "name"}
    settings = check(BenchmarkSettings, {"name": args.name, **given}, "This can't be measured.")
    if settings.data and Path(settings.data).expanduser().is_file():
        settings.data = str(Path(settings.data).expanduser().absolute())
    folder = job_folder.create(context.workspace, "benchmark", settings.model_dump(mode="json"), args.name)
    queue.advance(context.workspace)
    try:
        state = follow.follow(context.workspace, folder, context.terminal)
    except KeyboardInterrupt:
        queue.stop(context.workspace, folder)
        raise
    return {"id": folder.name, **follow.result(folder, state)}


def show(result: dict[str, Any]) -> str:
    if "benchmarks" in result:
        return table(["Name", "What it measures"], [[name, words] for name, words in result["benchmarks"].items()])
    return markdown(result)
