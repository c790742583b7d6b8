"""Part the rows of a dataset into training, validation and test, so that nothing leaks from one side to another.

    launch.py split letters --stratify label
    launch.py split visits --by group --column patient
    launch.py split mails --by date --column sent
    launch.py split letters --check
    launch.py split letters --move 3f2a77c01b --to test

Rows are moved as one change that one undo takes back, and the next frozen version has it (launch.py freeze).
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
from studio.settings.splitting import SplitSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help="the dataset to split")
    parser.add_argument("--preview", action="store_true", help="show what would come of it, and move nothing")
    parser.add_argument(
        "--move", metavar="ROW", action="append", help="by hand: move this row; may be given many times"
    )
    parser.add_argument(
        "--to", choices=("train", "validation", "test"), default="train", help="to which side --move goes"
    )
    parser.add_argument("--who", default="", metavar="WHO", help="who does it; default: nobody is named")
    add_flags(parser, SplitSettings, leave_out=("dataset",))


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    if args.move:
        return _by_hand(args, context)
    return _by_rule(args, context)


def _by_hand(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    from studio.datasets.browsing.listing import Pending
    from studio.datasets.reviewing import bulk
    from studio.datasets.reviewing.judgements import Eye
    from studio.datasets.store import Dataset

    dataset = Dataset.open(context.workspace, args.dataset)
    rows = dataset.listing(None, Pending.of(dataset))
    done = bulk.bulk(rows, bulk.only(args.move), {"type": "move", "split": args.to}, Eye.of(args.who).by)
    return {"dataset": dataset.name, "moved": done["changed"], "kept": done["kept"], "to": args.to}


def _by_rule(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    from studio.datasets.reviewing.judgements import Eye
    from studio.datasets.splitting import plans
    from studio.datasets.store import Dataset

    by = Eye.of(args.who).by  # before anything is worked out
    dataset = Dataset.open(context.workspace, args.dataset)
    given = {**collect(args, SplitSettings), "dataset": dataset.name}
    settings = check(SplitSettings, given, "This split can't be made.")
    folder = job_folder.create(context.workspace, "split", settings.model_dump(mode="json"), dataset.name)
    follow.start_and_follow(context.workspace, folder, context.terminal)
    plan = plans.load(folder)
    applied = not (settings.check or args.preview or not plan["moved"])
    if applied:
        plans.apply(Dataset.open(context.workspace, dataset.name), folder, by)
    return {"id": folder.name, "checked": settings.check, "applied": applied, **plan}


def show(result: dict[str, Any]) -> str:
    if "to" in result:
        kept = f" {wording.count(result['kept'], 'row')} that a model wrote stay in training." if result["kept"] else ""
        return f"{wording.count(result['moved'], 'row')} moved to {result['to']}.{kept}"
    counts = ", ".join(f"{number:,} {side}" for side, number in result["planned"].items())
    lines = [f"“{result['dataset']}” version {result['version']}: {counts}.", *result["notes"]]
    lines += [_balance(result["balance"])] if result["balance"] else []
    from studio.datasets.splitting.grouping import WORDS

    lines.append(leak_words(result["leaks"]))
    if alike := result["leaks"]["alike"]["groups"]:
        rows = wording.count(result["leaks"]["alike"]["rows"], "row")
        lines.append(f"Nearly alike are {rows} in {wording.count(alike, 'group')}.")
    for example in result["leaks"]["examples"][:5]:
        rows = "; ".join(f"{row['side']} {row['id']} “{row['text'][:60]}”" for row in example["rows"])
        lines.append(f"  {example['size']} rows ({', '.join(WORDS[why] for why in example['why'])}): {rows}")
    if result["applied"]:
        moved = wording.count(result["moved"], "row")
        lines.append(f"{moved} moved. Make it a version: launch.py freeze {result['dataset']}")
    elif not result["checked"]:
        lines.append(f"{wording.count(result['moved'], 'row')} would move; nothing was changed.")
    return "\n".join(lines)


def leak_words(found: dict[str, Any]) -> str:
    """What a check found, in one sentence."""
    if found["clean"] and not found["groups"]:
        return "No rows belong together by these rules, so none can cross. Name a column that tells: --keep COLUMN"
    if found["clean"]:
        return f"Clean: none of {wording.count(found['groups'], 'group')} of rows that belong together crosses."
    crossing = "1 group stands" if found["crossing"] == 1 else f"{found['crossing']:,} groups stand"
    return f"Not clean: {crossing} on more than one side, {wording.count(found['rows'], 'row')} in all."


def _balance(found: dict[str, Any]) -> str:
    worst = found["worst"]
    if found["held"]:
        return f"The balance of “{found['by']}” held."
    return (
        f"The balance of “{found['by']}” did not hold: “{worst['value']}” has "
        f"{wording.count(worst['count'], 'row')} in {worst['side']}, where its share is {worst['share']:g}."
    )
