"""Let the tuned model answer each row of a file. Given again, the command goes on where it was interrupted."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from studio import runs, wording
from studio.commands.frame import Context
from studio.jobs import folder as job_folder
from studio.jobs import follow, queue
from studio.settings.answering import PredictSettings
from studio.settings.base import check
from studio.settings.flags import add_flags, collect


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="ID", help="the run whose tuned model answers")
    parser.add_argument("file", metavar="FILE", help="the file with one row for each answer wanted")
    add_flags(parser, PredictSettings, leave_out=("run", "file"))


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    run = runs.open_run(context.workspace, args.run)
    runs.weights(run)
    given = collect(args, PredictSettings)
    file = Path(given["file"]).expanduser().absolute()
    output = Path(given.get("output") or f"{file.stem}.answers.jsonl").expanduser().absolute()
    paths = {"run": run.name, "file": str(file), "output": str(output)}
    settings = check(PredictSettings, given | paths, "This file can't be answered.")
    folder = job_folder.create(context.workspace, "predict", settings.model_dump(mode="json"), "predict")
    queue.advance(context.workspace)
    state = follow.follow(context.workspace, folder, context.terminal)
    return {"id": folder.name, **follow.result(folder, state)}


def show(result: dict[str, Any]) -> str:
    return f"{wording.count(result['rows'], 'row')} answered: {result['output']}"
