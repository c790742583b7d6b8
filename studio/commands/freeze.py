"""Freeze a new version of a dataset: the latest one with every change that people made to its rows since."""

from __future__ import annotations

import argparse
from typing import Any

from studio.commands.frame import Context
from studio.jobs import folder as job_folder
from studio.jobs import follow
from studio.wording import count

TOLD = {
    "edited": "edited",
    "excluded": "left out",
    "moved": "moved to another side",
    "tagged": "tagged",
    "marked": "with words marked",
    "added": "added",
    "orphaned": "written by a model after a row that is held out now, and so left out",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="NAME", help="the dataset")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    context.workspace.folder("datasets", args.dataset)  # refused here, before a job is made
    folder = job_folder.create(context.workspace, "freeze", {"dataset": args.dataset}, args.dataset)
    return follow.start_and_follow(context.workspace, folder, context.terminal)


def show(result: dict[str, Any]) -> str:
    said = [f"{count(result[name], 'row')} {words}" for name, words in TOLD.items() if result[name]]
    rows = count(sum(result["counts"].values()), "row")
    return f"“{result['name']}” version {result['version']}: {rows}. {'; '.join(said).capitalize()}."
