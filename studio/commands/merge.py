"""Merge several datasets into a new one: their rows keep their ids and sides, and equal rows are taken once.

launch.py merge mails chats --name all
"""

from __future__ import annotations

import argparse
from typing import Any

from studio import wording
from studio.commands.frame import Context
from studio.jobs import folder as job_folder
from studio.jobs import follow
from studio.settings.base import check
from studio.settings.flags import add_flags, collect
from studio.settings.merging import MergeSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("datasets", metavar="DATASET", nargs="+", help="the datasets, in the order of their rows")
    add_flags(parser, MergeSettings, leave_out=("datasets",))


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    given = {**collect(args, MergeSettings), "datasets": args.datasets}
    settings = check(MergeSettings, given, "These datasets can't be merged.")
    for name in settings.datasets:
        context.workspace.folder("datasets", name)  # refused here, before a job is made
    folder = job_folder.create(context.workspace, "merge", settings.model_dump(mode="json"), settings.name)
    return follow.start_and_follow(context.workspace, folder, context.terminal)


def show(result: dict[str, Any]) -> str:
    counts = ", ".join(f"{number} {split}" for split, number in result["counts"].items())
    said = [f"“{result['name']}” version {result['version']}: {wording.count(result['rows'], 'row')} ({counts})."]
    return "\n".join([*said, *(f"{note[:1].upper()}{note[1:]}." for note in [*result["reasons"], *result["notes"]])])
