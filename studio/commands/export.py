"""Write a run's adapter or merged model as a folder that other programs load, checked by replay."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from studio import runs
from studio.commands.frame import Context
from studio.jobs import folder as job_folder
from studio.jobs import follow
from studio.settings.answering import ExportSettings
from studio.settings.base import check
from studio.settings.flags import add_flags, collect


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="ID", help="the run to export")
    add_flags(parser, ExportSettings, leave_out=("run",))


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    run = runs.open_run(context.workspace, args.run)
    return export(context, run, collect(args, ExportSettings))


def export(context: Context, run: Path, given: dict[str, Any]) -> dict[str, Any]:
    """Exports in a job, and waits for it."""
    runs.weights(run)
    settings = check(ExportSettings, given | {"run": run.name})
    folder = job_folder.create(context.workspace, "export", settings.model_dump(mode="json"), settings.to)
    return {"id": folder.name, **follow.start_and_follow(context.workspace, folder, context.terminal)}


def show(result: dict[str, Any]) -> str:
    return f"The {result['format']} is in {result['path']}"
