"""List the versions of a dataset, compare two, name one, or go back to one."""

from __future__ import annotations

import argparse
from typing import Any

from studio.commands.frame import Context, table
from studio.wording import count


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="NAME", help="the dataset")
    deeds = parser.add_mutually_exclusive_group()
    deeds.add_argument("--compare", nargs=2, type=int, metavar=("OLD", "NEW"), help="what differs between two versions")
    deeds.add_argument("--title", nargs=2, metavar=("N", "TITLE"), help='name version N; "" takes the name away')
    deeds.add_argument("--back", type=int, metavar="N", help="make a new version with the rows of version N")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    from studio.datasets.store import Dataset
    from studio.datasets.versions import history
    from studio.datasets.versions.comparing import compare
    from studio.errors import BadInput

    dataset = Dataset.open(context.workspace, args.dataset)
    if args.compare:
        found = compare(dataset, *args.compare)
        rows = [{"row": item["row_id"], "what": item["what"]} for item in found.table.to_pylist()]
        return {"name": dataset.name, "old": found.old, "new": found.new, "counts": found.counts(), "rows": rows}
    if args.title:
        if not args.title[0].isdigit():
            raise BadInput(f"“{args.title[0]}” is no version.", "Versions are numbers.", "See launch.py versions NAME.")
        history.name_version(context.workspace, dataset.name, int(args.title[0]), args.title[1])
    elif args.back is not None:
        history.go_back(context.workspace, dataset.name, args.back)
    dataset = Dataset.open(context.workspace, args.dataset)
    used = history.used_by(context.workspace, dataset)
    keys = ("version", "title", "rows", "counts", "made", "made_from", "back")
    versions = [
        {key: entry[key] for key in keys if key in entry}
        | {"runs": [run["id"] for run in used.get(entry["version"], [])]}
        for entry in dataset.info["versions"]
    ]
    return {"name": dataset.name, "versions": versions}


def show(result: dict[str, Any]) -> str:
    if "counts" in result:
        counts = ", ".join(f"{number} {what}" for what, number in result["counts"].items())
        shown = [f"{item['what']:8} {item['row']}" for item in result["rows"][:50]]
        more = [f"… and {len(result['rows']) - 50} more (--json has all)"] if len(result["rows"]) > 50 else []
        return "\n".join([f"From version {result['old']} to {result['new']}: {counts}.", *shown, *more])
    rows = [
        [
            str(entry["version"]),
            f"{entry['rows']:,}",
            str(entry.get("made_from", "")),
            count(len(entry["runs"]), "run"),
            entry.get("title", ""),
        ]
        for entry in result["versions"]
    ]
    return table(["VERSION", "ROWS", "MADE FROM", "USED BY", "NAME"], rows)
