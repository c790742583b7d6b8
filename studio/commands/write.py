"""Write more rows by a model: paraphrases, back-translations, examples in the style of those there, questions about
documents. They wait in the review queue, marked, and are trained on only when somebody accepts them."""

from __future__ import annotations

import argparse
from typing import Any

from studio.commands.frame import Context
from studio.jobs import folder as job_folder
from studio.jobs import follow, queue
from studio.settings.base import check
from studio.settings.flags import add_flags, collect
from studio.settings.writing import WriteSettings
from studio.wording import count


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="NAME", help="the dataset")
    add_flags(parser, WriteSettings, leave_out=("dataset",))


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    settings = check(WriteSettings, collect(args, WriteSettings), "This can't be written.")
    context.workspace.folder("datasets", settings.dataset)  # refused here, before a job is made
    job = "write_elsewhere" if settings.address else "write_rows"
    folder = job_folder.create(context.workspace, job, settings.model_dump(mode="json"), settings.dataset)
    if settings.address:
        return follow.start_and_follow(context.workspace, folder, context.terminal)
    queue.advance(context.workspace)
    return follow.result(folder, follow.follow(context.workspace, folder, context.terminal))


def show(result: dict[str, Any]) -> str:
    waits = "waits" if result["added"] == 1 else "wait"
    said = [
        f"{count(result['added'], 'new row')} of {result['tried']:,} tried {waits} in the review of “{result['into']}” "
        f"(seed {result['seed']}: another one draws other rows)."
    ]
    said += [f"{number:,} left out: {why}." for why, number in result["left_out"].items()]
    return "\n".join(said)
