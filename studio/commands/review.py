"""How far the review of a dataset is, how reviewers agree, and judgements as files; judging itself is for the page.

launch.py review mails                                how many rows are pending, accepted, discarded, in conflict
launch.py review mails --accept-all label=billing     accepts the pending rows of that label; one undo takes it back
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from studio.commands.frame import Context, table
from studio.wording import count


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="NAME", help="the dataset")
    parser.add_argument(
        "--by", default="", metavar="WHO", help="who judges, with --accept-all; default: nobody is named"
    )
    deeds = parser.add_mutually_exclusive_group()
    deeds.add_argument("--status", action="store_true", help="say how far it is; this is what it does by itself")
    deeds.add_argument(
        "--agreement", action="store_true", help="Cohen's kappa and Krippendorff's alpha of the reviewers"
    )
    deeds.add_argument(
        "--accept-all",
        metavar="FILTER",
        help="accept pending rows: all, find=WORDS, split=, label=, kind= or TAG=VALUE",
    )
    deeds.add_argument(
        "--export", metavar="FILE", help="write every judgement to a JSONL file, spans and notes with them"
    )
    deeds.add_argument("--import", dest="take_in", metavar="FILE", help="take the judgements of such a file in")
    deeds.add_argument(
        "--undo", action="store_true", help="take back the last change of the dataset, a batch as a whole"
    )


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    from studio.datasets.reviewing import files
    from studio.datasets.reviewing.agreement import report
    from studio.datasets.reviewing.judgements import Eye
    from studio.datasets.reviewing.queue import Queue

    queue = Queue(context.workspace, args.dataset)
    eye = Eye(args.by.strip())
    result: dict[str, Any] = {"name": queue.dataset.name}
    if args.agreement:
        return result | report(queue.independent()) | {"conflicts": sorted(queue.conflicts())}
    if args.export:
        path = Path(args.export).expanduser().absolute()
        return result | {"written": files.write(queue, path), "file": str(path)}
    if args.take_in:
        result |= files.take_in(queue, Path(args.take_in).expanduser().absolute())
    if args.accept_all:
        rows = files.matching(queue, eye, args.accept_all)
        if rows:
            files.accept(queue, eye, rows, f"accept all {args.accept_all}")
        result["accepted"] = len(rows)
    if args.undo:
        result["undone"] = queue.reviews.undo()["count"]
    return result | {"counts": queue.counts(eye), "reviewers": queue.reviewers()}


def show(result: dict[str, Any]) -> str:
    if "questions" in result:
        return _agreement(result)
    if "written" in result:
        return f"{count(result['written'], 'judgement')} written to {result['file']}."
    lines = []
    if "taken" in result:
        said = f"{count(result['taken'], 'judgement')} taken in, {result['known']} known already"
        lines.append(f"{said}, {result['strange']} of rows that “{result['name']}” does not have.")
    if "accepted" in result:
        lines.append(f"{count(result['accepted'], 'row')} accepted.")
    if "undone" in result:
        lines.append(f"{count(result['undone'], 'change')} taken back.")
    counts = dict(result["counts"])
    rows = counts.pop("rows")
    lines.append(f"{count(rows, 'row')}: " + ", ".join(f"{number:,} {state}" for state, number in counts.items()) + ".")
    if named := {by or "nobody named": number for by, number in result["reviewers"].items()}:
        lines.append("Judged by " + ", ".join(f"{by} ({number:,})" for by, number in named.items()) + ".")
    return "\n".join(lines)


def _agreement(result: dict[str, Any]) -> str:
    if not result["questions"]:
        return "No row was judged by two reviewers without knowing of each other."
    rows = [
        [
            each["name"],
            f"{each['rows']:,}",
            f"{each['same']:.0%}",
            _figure(each["kappa"]),
            _figure(each["alpha"]),
            each["words"] or f"F1 {each['f1']:.2f}",
        ]
        for each in result["questions"]
    ]
    lines = [table(["QUESTION", "ROWS", "SAME", "KAPPA", "ALPHA", "MEANING"], rows)]
    if conflicts := result["conflicts"]:
        shown = ", ".join(conflicts[:5]) + (" …" if len(conflicts) > 5 else "")
        lines.append(f"{count(len(conflicts), 'row')} in conflict, to be decided on the page: {shown}")
    return "\n".join(lines)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
