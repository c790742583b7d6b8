"""Look at the rows of a dataset, search, filter and order them; leave out, move or tag all that match, as one change.

launch.py rows mails --find refund --side test --tag domain=billing --sorted -characters
launch.py rows mails --sorted tokens --model starter     # the shortest first, in tokens of that model
launch.py rows mails --like 3f2a77c01b                   # rows that say much the same
launch.py rows mails --row 3f2a77c01b                    # one row whole
launch.py rows mails --finding emails                    # rows in which the doctor found this, at its last look
launch.py rows mails --find "out of office" --leave-out  # one undo takes it back: review mails --undo
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from studio.commands.frame import Context, table
from studio.errors import BadInput
from studio.wording import count

if TYPE_CHECKING:
    from studio.datasets.browsing.listing import Listing, Wanted
    from studio.datasets.rows import Row
    from studio.datasets.store import Dataset

SIDES = ("train", "validation", "test")
ORDERS = "characters, turns, tokens, label, file, changed, tag:NAME"
SHOWN = 100  # characters of a row in the list


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="NAME", help="the dataset")
    parser.add_argument("--version", type=int, metavar="N", help="which version; default: the latest, as it is now")
    parser.add_argument("--find", default="", metavar="WORDS", help="rows that say this, in any case")
    parser.add_argument("--side", default="", choices=(*SIDES, "changed", "excluded"), help="rows of this side")
    parser.add_argument("--label", default="", help="rows with this label")
    parser.add_argument("--tag", action="append", default=[], metavar="NAME=VALUE", help="rows with this tag")
    parser.add_argument("--file", default="", help="rows that come from this file")
    parser.add_argument(
        "--sorted",
        default="",
        metavar="BY",
        help=f"one of {ORDERS}; with - before it the greatest first (--sorted=-turns)",
    )
    parser.add_argument("--model", default="starter", help="in whose tokens --sorted tokens counts; default: starter")
    parser.add_argument(
        "--from", dest="start", type=int, default=1, metavar="N", help="from the Nth row on; default: 1"
    )
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="at most so many rows; default: 20")
    deeds = parser.add_mutually_exclusive_group()
    deeds.add_argument("--row", metavar="ROW", help="show this one row whole")
    deeds.add_argument("--like", metavar="ROW", help="show the rows that are most like this one")
    deeds.add_argument("--finding", metavar="KIND", help="show the rows in which the doctor's last look found this")
    deeds.add_argument("--leave-out", action="store_true", help="leave all that match out of the next version")
    deeds.add_argument("--take-in", action="store_true", help="take all that match in again")
    deeds.add_argument("--move", choices=SIDES, help="move all that match to this side")
    deeds.add_argument("--give", metavar="NAME=VALUE", help="tag all that match; NAME= takes the tag away")
    parser.add_argument("--by", default="", metavar="WHO", help="who does it; default: nobody is named")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    from studio.datasets.browsing.listing import Pending
    from studio.datasets.store import Dataset

    dataset = Dataset.open(context.workspace, args.dataset)
    if args.finding or args.like:
        _check_whole(args, "--finding" if args.finding else "--like")
    if args.finding:
        return _finding(context, dataset, args)
    version = dataset.version_info(args.version)["version"]
    rows = dataset.listing(version, Pending.of(dataset, version))
    about = {"name": dataset.name, "version": version}
    if args.row:
        return about | {"row": _whole(rows, dataset.row(version, args.row))}
    if args.like:
        _check_latest(rows)
        return about | _like(dataset, rows, args)
    if deed := _deed(args):
        return about | _done(args, rows, deed)
    if args.sorted.removeprefix("-") == "tokens":
        _count(context, dataset, version, args.model)
    page = rows.page(_wanted(args, rows), max(0, args.start - 1), max(1, args.limit))
    return about | {"total": page.total, "start": max(1, args.start), "rows": _shown(rows, page.rows)}


def _wanted(args: argparse.Namespace, rows: Listing) -> Wanted:
    name, sign = args.sorted.removeprefix("-"), "-" if args.sorted.startswith("-") else ""
    if name and name not in ORDERS.split(", ")[:-1] and not name.startswith("tag:"):
        raise BadInput(f"Rows can't be ordered by “{name}”.", "", f"Take one of {ORDERS}.", field="sorted")
    sort = f"{sign}tokens:{args.model}" if name == "tokens" else args.sorted
    return rows.wanted(args.find, args.side, args.label, dict(map(_pair, args.tag)), args.file, sort)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise BadInput(f"“{text}” is no tag.", "A tag is a name and its value.", "Give for example domain=billing.")
    return name, value


def _count(context: Context, dataset: Dataset, version: int, model: str) -> None:
    """Counts the tokens of all rows, where nobody has yet."""
    from studio.batches.tokenizer import load_tokenizer
    from studio.datasets.browsing import lengths

    folder = context.workspace.folder("models", model)
    if lengths.counts_of(dataset, version, model) is None:
        total = int(dataset.version_info(version)["rows"])

        def tell(done: int) -> None:
            context.terminal.progress(f"Counting tokens: {done:,} of {total:,} rows")

        lengths.count(dataset, version, load_tokenizer(folder), model, tell)
        context.terminal.clear()


def _like(dataset: Dataset, rows: Listing, args: argparse.Namespace) -> dict[str, Any]:
    from studio.datasets.browsing.similar import similar

    found = similar(dataset, dataset.row(None, args.like), max(1, args.limit))
    there = dataset.find(None, [each.row_id for each in found])
    shown = _shown(rows, [there[each.row_id] for each in found])
    return {"like": args.like, "rows": [row | {"share": each.share} for row, each in zip(shown, found, strict=True)]}


def _finding(context: Context, dataset: Dataset, args: argparse.Namespace) -> dict[str, Any]:
    """Rows of one of the doctor's findings, each with the one that it is a copy of, contradicts or leaks."""
    from studio.datasets.browsing.listing import Pending
    from studio.datasets.reviewing.reviews import Reviews
    from studio.doctor import reports

    report = reports.newest(context.workspace, dataset, args.version)
    finding, start = report.finding(args.finding), max(1, args.start)
    pairs = report.row_ids(args.finding, start - 1, max(1, args.limit))
    there = dataset.find(report.version, [row for row, _ in pairs])
    rows = dataset.listing(report.version, Pending.of(dataset, report.version))
    shown = _shown(rows, [there[row] for row, _ in pairs])
    return {
        "name": dataset.name, "version": report.version, "visit": report.folder.name,
        "finding": {key: finding[key] for key in ("kind", "title", "words")},
        "stale": report.stale(dataset, Reviews(dataset)) if args.version is None else "",
        "total": finding["count"], "start": start,
        "rows": [row | {"beside": other} for row, (_, other) in zip(shown, pairs, strict=True)],
    }  # fmt: skip


def _deed(args: argparse.Namespace) -> dict[str, Any] | None:
    if args.give:
        name, value = _pair(args.give)
        return {"type": "tag", "tag": name, "value": value}
    if args.move:
        return {"type": "move", "split": args.move}
    return {"type": "exclude"} if args.leave_out else {"type": "include"} if args.take_in else None


def _done(args: argparse.Namespace, rows: Listing, deed: dict[str, Any]) -> dict[str, Any]:
    from studio.datasets.reviewing.bulk import bulk
    from studio.datasets.reviewing.judgements import Eye

    _check_latest(rows)
    if not any((args.find, args.side, args.label, args.tag, args.file)):
        raise BadInput(
            "No rows are named.", "It would be all of them.", "Say which: --find, --side, --label, --tag, --file."
        )
    return {"deed": deed} | bulk(rows, _wanted(args, rows), deed, Eye.of(args.by).by)


def _check_latest(rows: Listing) -> None:
    if rows.version != rows.dataset.latest:
        raise BadInput(
            "This is done with the latest version only.",
            f"Older ones never change; the latest is {rows.dataset.latest}.",
            "Leave --version out.",
            field="version",
        )


def _check_whole(args: argparse.Namespace, flag: str) -> None:
    if any((args.find, args.side, args.label, args.tag, args.file, args.sorted)):
        raise BadInput(
            f"With {flag} rows can't be searched, filtered or ordered.",
            "It lists rows of its own, in an order of their own.",
            f"Leave {flag} out, or the rest.",
        )


def _shown(rows: Listing, found: Sequence[Row]) -> list[dict[str, Any]]:
    from studio.datasets.browsing.similar import text_of

    changes = rows.pending.changes
    now = [(changes[row.row_id].applied(row) if row.row_id in changes else row) for row in found]
    return [
        {"id": row.row_id, "side": row.split, "label": row.label, "tags": row.tags, "file": row.source_file,
         "line": row.source_line, "changed": row.row_id in changes, "left_out": _left_out(rows, row),
         "text": " ".join(text_of(row).split())}
        for row in now
    ]  # fmt: skip


def _left_out(rows: Listing, row: Row) -> bool:
    """Whether it will not be in the next version."""
    change = rows.pending.changes.get(row.row_id)
    return change is not None and change.excluded


def _whole(rows: Listing, row: Row) -> dict[str, Any]:
    """All there is of a row, as JSONL with messages has it."""
    change = rows.pending.changes.get(row.row_id)
    row = change.applied(row) if change else row
    beside = {"id": row.row_id, "side": row.split, "label": row.label, "tags": row.tags, "extra": row.extra}
    return (
        beside
        | {"messages": row.messages}
        | row.record()
        | {"changed": change is not None}
        | {"left_out": _left_out(rows, row)}
    )


def show(result: dict[str, Any]) -> str:
    if "row" in result:
        return _words(result["row"])
    if "deed" in result:
        kept = f" {count(result['kept'], 'row')} that a model wrote stay in training." if result["kept"] else ""
        return f"{count(result['changed'], 'row')} changed, as one change to undo.{kept}"
    if not result["rows"]:
        if total := result.get("total"):
            return f"Only {count(total, 'row')} {'matches' if total == 1 else 'match'}; see from an earlier one on."
        return "No row matches."
    third, key = ("BESIDE", "beside") if "finding" in result else ("LABEL", "label")
    rows = [[row["id"], _beside(row), row[key] or "", row["text"][:SHOWN]] for row in result["rows"]]
    lines = [table(["ROW", "ALIKE" if "like" in result else "SIDE", third, "TEXT"], rows)]
    if "total" in result:
        start = result["start"]
        lines.append(f"{start:,} to {start + len(rows) - 1:,} of {count(result['total'], 'row')}.")
    if result.get("stale"):
        lines.append(f"{result['stale']} Let the doctor look again: launch.py doctor {result['name']}")
    return "\n".join(lines)


def _beside(row: dict[str, Any]) -> str:
    """How alike it is to the one asked about; else its side."""
    if "share" in row:
        return f"{row['share']:.0%}"
    return "left out" if row["left_out"] else str(row["side"])


def _words(row: dict[str, Any]) -> str:
    side = "left out" if row["left_out"] else row["side"]
    lines = [f"{row['id']}  {side}" + "".join(f"  {name}: {value}" for name, value in row["tags"].items())]
    for part in ("messages", "chosen", "rejected"):
        for turn in row.get(part) or []:
            named = turn["role"] if part == "messages" else f"{part}, {turn['role']}"
            lines += ["", f"{named}:", str(turn.get("content") or turn.get("tool_calls") or "")]
    if row.get("text"):
        lines += ["", row["text"]]
    return "\n".join(lines)
