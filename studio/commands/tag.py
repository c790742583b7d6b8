"""Give tags to rows: by words that stand in them, by a pattern, or from a column.

    launch.py tag letters --tag domain --value billing --find invoice --find refund
    launch.py tag letters --tag tone --value formal --find "^Dear (Sir|Madam)" --pattern --where prompt
    launch.py tag letters --tag domain --from-column category

Rows are tagged as one change that one undo takes back, and the next frozen version has it (launch.py freeze).
"""

from __future__ import annotations

import argparse
from typing import Any

from studio import wording
from studio.commands.frame import Context
from studio.settings.base import check
from studio.settings.flags import add_flags, collect
from studio.settings.tagging import TagSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help="the dataset whose rows are tagged")
    parser.add_argument("--preview", action="store_true", help="show how many rows and which, and tag nothing")
    parser.add_argument("--by", default="", metavar="WHO", help="who does it; default: nobody is named")
    add_flags(parser, TagSettings, leave_out=("dataset",))


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    from studio.datasets.reviewing import tagging
    from studio.datasets.reviewing.judgements import Eye
    from studio.datasets.store import Dataset

    dataset = Dataset.open(context.workspace, args.dataset)
    given = {**collect(args, TagSettings), "dataset": dataset.name}
    settings = check(TagSettings, given, "These tags can't be given.")
    hits = tagging.look(dataset, settings)
    applied = bool(hits.tags) and not args.preview
    if applied:
        tagging.apply(dataset, settings.tag, dict(hits.tags), Eye.of(args.by).by)
    return {"dataset": dataset.name, "tag": settings.tag, "applied": applied, **hits.as_dict()}


def show(result: dict[str, Any]) -> str:
    lines = [f"{value}: {wording.count(number, 'row')}" for value, number in result["values"].items()]
    for example in result["examples"]:
        lines.append(f"  {example['id']}  {example['before']}{example['found']}{example['after']}"[:160])
    if result["already"]:
        lines.append(f"{wording.count(result['already'], 'row')} had the tag already.")
    count = wording.count(result["count"], "row")
    if result["applied"]:
        lines.append(f"{count} tagged. Make it a version: launch.py freeze {result['dataset']}")
    else:
        lines.append(f"{count} would be tagged; nothing was changed." if result["count"] else "No row was tagged.")
    return "\n".join(lines)
