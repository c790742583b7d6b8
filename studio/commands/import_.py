"""Turn a file of examples into a dataset.

The columns are recognised from their names and contents; where they are not, --map says what they mean:

    launch.py import mails.csv --name mails --map "user=Subject: {subject}\\n{body}" --map assistant=reply
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
from studio.settings.importing import ImportSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="SOURCE", nargs="+", help=ImportSettings.model_fields["source"].description)
    add_flags(parser, ImportSettings, leave_out=("source",))


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    return import_file(context, collect(args, ImportSettings))


def import_file(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    """Imports in a job, and waits for it; `waiting` counts the changes that the new version does not have."""
    from studio.datasets.reviewing.reviews import Reviews
    from studio.datasets.store import Dataset

    settings = check(ImportSettings, given, "This import can't be started.")
    folder = job_folder.create(context.workspace, "import_data", settings.model_dump(mode="json"), settings.name)
    result = follow.start_and_follow(context.workspace, folder, context.terminal)
    return result | {"waiting": Reviews(Dataset.open(context.workspace, settings.name)).unfrozen()}


def show(result: dict[str, Any]) -> str:
    counts = ", ".join(f"{number} {split}" for split, number in result["counts"].items())
    lines = [f"“{result['name']}” version {result['version']}: {wording.count(result['rows'], 'row')} ({counts})."]
    lines.append(f"Read as {result['format'].replace('_', ' ')}.")
    if result["bad_rows"]:
        lines.append(f"{wording.count(result['bad_rows'], 'bad row')} left out.")
    lines += [f"{note[:1].upper()}{note[1:]}." for note in result["notes"]]
    if news := result.get("news"):
        kinds = ("added", "removed", "changed", *(["moved"] if news["moved"] else []), "unchanged")
        words = {"moved": "moved to another side"}
        counts = ", ".join(f"{wording.number(news[key])} {words.get(key, key)}" for key in kinds)
        lines.append(f"Against version {news['against']}, imported before: {counts}.")
        if any(news[key] for key in ("added", "removed", "changed", "moved")):
            pair = f"{news['against']} {result['version']}"
            lines.append(f"See them: launch.py versions {result['name']} --compare {pair}")
    if waiting := result.get("waiting"):
        lines.append(
            f"{wording.count(waiting, 'earlier change')} {'is' if waiting == 1 else 'are'} not in this version."
        )
        lines.append(f"To freeze what people changed: launch.py freeze {result['name']}")
    lines.append(f"Train on it: launch.py train --dataset {result['name']}")
    return "\n".join(lines)
