"""List the versions of a dataset, compare two, name one, or go back to one.

launch.py versions mails --compare 1 2                   # rows added, gone and changed; --json: each as it was and is
launch.py versions mails --compare 1 2 --only changed --from 51
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from studio.commands.frame import Context, table
from studio.errors import BadInput
from studio.wording import count

if TYPE_CHECKING:
    from studio.datasets.rows import Row
    from studio.datasets.store import Dataset

WHATS = ("changed", "added", "removed")
BEFORE, WIDE = 20, 70  # characters before the first difference, and in all


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="NAME", help="the dataset")
    deeds = parser.add_mutually_exclusive_group()
    deeds.add_argument("--compare", nargs=2, type=int, metavar=("OLD", "NEW"), help="what differs between two versions")
    deeds.add_argument("--title", nargs=2, metavar=("N", "TITLE"), help='name version N; "" takes the name away')
    deeds.add_argument("--back", type=int, metavar="N", help="make a new version with the rows of version N")
    parser.add_argument("--only", choices=WHATS, help="with --compare: only the rows that are so")
    parser.add_argument(
        "--from", dest="start", type=int, default=1, metavar="N", help="from the Nth such row; default: 1"
    )
    parser.add_argument("--limit", type=int, default=50, metavar="N", help="at most so many of them; default: 50")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    from studio.datasets.store import Dataset
    from studio.datasets.versions import history

    dataset = Dataset.open(context.workspace, args.dataset)
    if args.compare:
        return _compared(dataset, args)
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


def _compared(dataset: Dataset, args: argparse.Namespace) -> dict[str, Any]:
    """Which rows differ; of a page of them both sides, as the Versions page shows them."""
    from studio.datasets.versions.comparing import compare

    found = compare(dataset, *args.compare)
    counts, start = found.counts(), max(1, args.start)
    pairs = found.pairs(start - 1, max(1, args.limit), args.only)
    return {
        "name": dataset.name, "old": found.old, "new": found.new, "counts": counts,
        "rows": [{"row": item["row_id"], "what": item["what"]} for item in found.table.to_pylist()],
        "total": counts[args.only] if args.only else sum(counts.values()), "start": start,
        "pairs": [
            {"row": pair.row_id, "what": pair.what, "changed": pair.changed()}
            | {"old": _side(pair.old), "new": _side(pair.new)}
            for pair in pairs
        ],
    }  # fmt: skip


def _side(row: Row | None) -> dict[str, Any] | None:
    """What of a row is compared."""
    from studio.datasets.versions.comparing import CONTENT

    return {name: getattr(row, name) for name in CONTENT} if row else None


def show(result: dict[str, Any]) -> str:
    if "pairs" in result:
        return _differences(result)
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


def _differences(result: dict[str, Any]) -> str:
    counts = ", ".join(f"{number:,} {what}" for what, number in result["counts"].items())
    lines = [f"From version {result['old']} to {result['new']}: {counts}."]
    for pair in result["pairs"]:
        lines.append(f"{pair['what']:8} {pair['row']}")
        if pair["what"] != "changed":
            lines.append(f"         {_cut(_said(pair['new'] or pair['old']))}")
        for field in pair["changed"]:
            was, now = _apart(_words(pair["old"][field]), _words(pair["new"][field]))
            lines += [f"         {field} was: {was}", f"         {' ' * len(field)}  is: {now}"]
    last = result["start"] + len(result["pairs"]) - 1
    if last < result["total"]:
        lines.append(
            f"{result['start']:,} to {last:,} of {count(result['total'], 'row')}; go on with --from {last + 1}."
        )
    return "\n".join(lines)


def _said(side: dict[str, Any]) -> str:
    """What a row says, in short."""
    parts = (side[name] for name in ("label", "messages", "chosen", "text") if side[name])
    return " | ".join(map(_words, parts))


def _words(value: Any) -> str:
    """A field as one line: what turns say, a tag as name=value, “–” for nothing."""
    if isinstance(value, dict):
        value = ", ".join(f"{name}={said}" for name, said in value.items())
    elif isinstance(value, list):
        value = " | ".join(str(turn.get("content") or turn.get("tool_calls") or turn) for turn in value)
    return " ".join(str(value or "").split()) or "–"


def _apart(old: str, new: str) -> tuple[str, str]:
    """Two texts from shortly before they part."""
    pairs = enumerate(zip(old, new, strict=False))
    differs = next((at for at, (one, other) in pairs if one != other), min(len(old), len(new)))
    start = max(0, differs - BEFORE)
    return _cut(old, start), _cut(new, start)


def _cut(text: str, start: int = 0) -> str:
    end = start + WIDE
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"
