"""List the datasets; of one tell what it looks like as a whole: sides, labels, turns, languages, rows nearly alike.

launch.py datasets mails --model starter     its lengths in tokens of that model too
launch.py datasets mails --rename letters    another name for it; its runs still find it
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from statistics import median
from typing import Any

from studio.commands.frame import Context, table
from studio.errors import BadInput
from studio.wording import count

MOST_VALUES = 12  # of a label or tag that are counted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="the dataset to look at; without it all are listed")
    parser.add_argument("--version", type=int, metavar="N", help="which version; default: the latest")
    parser.add_argument("--model", metavar="MODEL", help="in whose tokens lengths are told")
    parser.add_argument("--rename", metavar="NEW", help="gives it this name")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    from studio.datasets.store import Dataset, list_datasets

    if args.rename is not None:
        return _rename(context, args)
    if not args.name:
        return {"datasets": list_datasets(context.workspace)}
    from studio.batches.tokenizer import load_tokenizer
    from studio.datasets.browsing.lengths import lengths
    from studio.datasets.browsing.listing import Pending
    from studio.datasets.browsing.pictures import pictures

    dataset = Dataset.open(context.workspace, args.name)
    entry = dataset.version_info(args.version)
    version = entry["version"]
    columns = dataset.listing(version, Pending.of(dataset, version)).now()
    counts = dict.fromkeys(entry["counts"], 0) | dict(columns.frequent("split"))
    result = {"name": dataset.name, "version": version, "kind": entry["kind"], "counts": counts}
    result |= {"groups": columns.groups(MOST_VALUES), **asdict(pictures(dataset, version))}
    if args.model:
        tokenizer = load_tokenizer(context.workspace.folder("models", args.model))
        result["lengths"] = asdict(lengths(dataset, version, tokenizer, model=args.model)) | {"model": args.model}
    return result


def _rename(context: Context, args: argparse.Namespace) -> dict[str, Any]:
    from studio.datasets.names import rename

    if not args.name:
        raise BadInput("It is not said which dataset is renamed.", "", "Use: launch.py datasets NAME --rename NEW")
    return {"name": rename(context.workspace, args.name, args.rename).name, "formerly": args.name}


def show(result: dict[str, Any]) -> str:
    if "datasets" in result:
        return _list(result["datasets"])
    if "formerly" in result:
        return f"“{result['formerly']}” is called “{result['name']}” now. Its runs still find it."
    sides = ", ".join(f"{number:,} {side}" for side, number in result["counts"].items())
    lines = [f"“{result['name']}” version {result['version']}, {result['kind']}: {sides}."]
    lines += [f"{name}: {_counts(dict(values))}" for name, values in result["groups"].items()]
    if result["turns"]:
        lines.append(f"Turns: {_counts(result['turns'])}")
    lines.append(f"Languages: {_counts(result['languages'])}")
    alike = result["clusters"]
    told = (
        f"{count(sum(alike), 'row')} in {count(len(alike), 'group')}, the largest of {alike[0]:,}" if alike else "none"
    )
    lines.append(f"Nearly alike: {told}.")
    if result["rows"] < result["of"]:
        lines.append(f"Turns and languages are those of {result['rows']:,} rows.")
    if result["compared"] < result["of"]:
        lines.append(f"{result['compared']:,} rows were compared with one another; the doctor compares all.")
    if found := result.get("lengths"):
        lines.append(_lengths(found))
    return "\n".join(lines)


def _counts(values: Mapping[Any, int]) -> str:
    return ", ".join(f"{name} ({number:,})" for name, number in values.items()) or "none"


def _lengths(found: dict[str, Any]) -> str:
    tokens = found["tokens"]
    if not tokens:
        return f"No row can be put into tokens of {found['model']}."
    half, most = round(median(tokens)), max(tokens)
    return f"Lengths in tokens of {found['model']}, of {len(tokens):,} rows: half up to {half:,}, the longest {most:,}."


def _list(datasets: list[dict[str, Any]]) -> str:
    if not datasets:
        return "No datasets yet. Make one: launch.py import FILE --name NAME"
    rows = [
        [item["name"], "broken", "", item["error"]["why"]]
        if item.get("error")
        else [item["name"], str(item["version"]), str(item["rows"]), item["format"]]
        for item in datasets
    ]
    return table(["DATASET", "VERSION", "ROWS", "FORMAT"], rows)
