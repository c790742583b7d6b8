"""Review a dataset: how far it is, the next rows with what is suggested, judgements as sheets and files, agreement.

launch.py review mails                                 how many rows are pending, accepted, discarded, in conflict
launch.py review mails --next 20 --order loss --run ID --suggest rules --by Ann --output sheet.jsonl
launch.py review mails --judge sheet.jsonl             takes in what was judged in it: status, label, ratings, spans …
launch.py review mails --next 20 --suggest live:ID:tuned --accept-suggested
launch.py review mails --accept-all label=billing      accepts the pending rows of that label; one undo takes it back
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.commands.frame import Context, table
from studio.errors import BadInput
from studio.wording import count

if TYPE_CHECKING:
    from studio.datasets.reviewing.judgements import Eye
    from studio.datasets.reviewing.queue import Queue

SHOWS = ("pending", "draft", "accepted", "discarded", "conflict", "written", "doctor", "all")
ORDERS = ("file", "shortest", "loss", "uncertain", "disagreement")
STATES = {"conflict": "in conflict", "written": "written by a model", "doctor": "to look at again"}
NEXT = 10
SHOWN = 300  # characters of a turn


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="NAME", help="the dataset")
    parser.add_argument("--by", default="", metavar="WHO", help="who judges; default: nobody is named")
    parser.add_argument("--blind", action="store_true", help="with --next: without what others judged")
    parser.add_argument(
        "--show",
        choices=SHOWS,
        default="pending",
        help="with --next: rows of this state; doctor: those that the doctor sent or that changed in the source since",
    )
    parser.add_argument("--order", choices=ORDERS, default="file", help="with --next: which rows come first")
    parser.add_argument("--run", default="", metavar="ID", help="the run that --order loss or uncertain goes by")
    parser.add_argument(
        "--suggest", default="", metavar="SOURCE",
        help="what suggests answers or labels: rules, evaluation:ID:tuned, predict:ID, live:RUN:tuned, live:RUN:base",
    )  # fmt: skip
    then = parser.add_mutually_exclusive_group()
    then.add_argument("--output", metavar="FILE", help="with --next: write the rows as a sheet to be judged")
    then.add_argument("--accept-suggested", action="store_true", help="with --next: accept them as suggested")
    deeds = parser.add_mutually_exclusive_group()
    deeds.add_argument("--status", action="store_true", help="say how far it is; this is what it does by itself")
    deeds.add_argument(
        "--next", type=int, nargs="?", const=NEXT, metavar="N", help=f"the next N rows to be judged; {NEXT} by itself"
    )
    deeds.add_argument("--judge", metavar="FILE", help="take in what was judged in a sheet that --next wrote")
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
        "--guidelines", nargs="?", const="", metavar="FILE",
        help="print labels, requirements, things to mark and rules as JSON; with a file, take them from it",
    )  # fmt: skip
    deeds.add_argument(
        "--undo", action="store_true", help="take back the last change of the dataset, a batch as a whole"
    )


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    from studio.datasets.reviewing import files, sheets, suggestions
    from studio.datasets.reviewing.agreement import report
    from studio.datasets.reviewing.judgements import Eye
    from studio.datasets.reviewing.queue import Queue

    queue = Queue(context.workspace, args.dataset)
    eye = Eye.of(args.by, args.blind)
    result: dict[str, Any] = {"name": queue.dataset.name}
    if args.next is not None:
        return result | _next(queue, eye, args)
    if args.output or args.accept_suggested:
        named = "--output" if args.output else "--accept-suggested"
        raise BadInput(f"{named} is for the next rows.", "Which ones is not said.", f"Give --next too: --next {NEXT}.")
    if args.agreement:
        return result | report(queue.independent()) | {"conflicts": sorted(queue.conflicts())}
    if args.guidelines is not None:
        return result | {"guidelines": _guidelines(queue, args.guidelines)}
    if args.export:
        path = Path(args.export).expanduser().absolute()
        return result | {"written": files.write(queue, path), "file": str(path)}
    if args.judge:
        result |= sheets.take_in(queue, sheets.read(Path(args.judge).expanduser().absolute()))
    if args.take_in:
        result |= files.take_in(queue, Path(args.take_in).expanduser().absolute())
    if args.accept_all:
        rows = files.matching(queue, eye, args.accept_all)
        if rows:
            files.accept(queue, eye, rows, f"accept all {args.accept_all}")
        result["accepted"] = len(rows)
    if args.undo:
        undone = queue.reviews.undo(by=args.by)
        result |= {"undone": undone["count"], "undone_of": undone.get("by", "")}
    sources = suggestions.sources(context.workspace, queue.dataset, queue.guidelines())
    return result | {"counts": queue.counts(eye), "reviewers": queue.reviewers(), "sources": sources}


def _next(queue: Queue, eye: Eye, args: argparse.Namespace) -> dict[str, Any]:
    from studio.datasets.reviewing import sheets
    from studio.datasets.reviewing.queue import Ask
    from studio.files import whole_file

    if args.accept_suggested and not args.suggest:
        raise BadInput("Nothing is suggested.", "No source is named.", "Give --suggest too.", field="suggest")
    ask = Ask(eye, args.show, args.order, args.run, args.suggest)
    lines = sheets.sheet(queue, ask, max(1, args.next))
    if args.accept_suggested:
        return sheets.accept(queue, lines)
    if args.output:
        path = Path(args.output).expanduser().absolute()
        with whole_file(path) as partial, open(partial, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        return {"sheet": str(path), "rows": len(lines)}
    return {"next": lines}


def _guidelines(queue: Queue, file: str) -> dict[str, Any]:
    from studio.datasets.reviewing.guidelines import save

    found = queue.guidelines()
    if file:
        path = Path(file).expanduser()
        try:
            given = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError):
            given = None
        if not isinstance(given, dict) or not isinstance(seen := given.get("revision", found.revision), int):
            raise BadInput(
                f"{path.name} holds no guidelines.",
                "They are a JSON object, its revision a whole number.",
                "See --guidelines without a file.",
            )
        given.pop("format", None)
        found = save(queue.dataset, given, seen)
    return found.model_dump(mode="json")


def show(result: dict[str, Any]) -> str:
    if "questions" in result:
        return _agreement(result)
    if "next" in result:
        return "\n\n".join(map(_row, result["next"])) or "No row waits."
    if "guidelines" in result:
        return json.dumps(result["guidelines"], ensure_ascii=False, indent=2)
    if "sheet" in result:
        told = f"{count(result['rows'], 'row')} written to {result['sheet']}. Judge them there, then take them in"
        return f"{told}: launch.py review {result['name']} --judge {result['sheet']}"
    if "written" in result:
        return f"{count(result['written'], 'judgement')} written to {result['file']}."
    lines = _done(result)
    if "counts" not in result:
        return "\n".join(lines)
    counts = dict(result["counts"])
    rows = counts.pop("rows")
    lines.append(
        f"{count(rows, 'row')}: "
        + ", ".join(f"{number:,} {STATES.get(state, state)}" for state, number in counts.items())
        + "."
    )
    if named := {by or "nobody named": number for by, number in result["reviewers"].items()}:
        lines.append("Judged by " + ", ".join(f"{by} ({number:,})" for by, number in named.items()) + ".")
    if result["sources"]:
        lines.append("For --suggest: " + ", ".join(source["id"] for source in result["sources"]))
    return "\n".join(lines)


def _done(result: dict[str, Any]) -> list[str]:
    """What was done, a line each."""
    lines = []
    if "judged" in result:
        lines.append(f"{count(result['judged'], 'row')} judged, {result['open']:,} left open.")
        if result["conflicts"]:
            rows = ", ".join(result["conflicts"][:5])
            lines.append(f"Changed by somebody since, and so left as they are: {rows}. Look at them again: --next")
    if "taken" in result:
        said = f"{count(result['taken'], 'judgement')} taken in, {result['known']} known already"
        lines.append(f"{said}, {result['strange']} of rows that “{result['name']}” does not have.")
    if "accepted" in result:
        lines.append(f"{count(result['accepted'], 'row')} accepted.")
    if "undone" in result:
        whose = f" of {result['undone_of']}" if result["undone_of"] else ""
        lines.append(f"{count(result['undone'], 'change')}{whose} taken back.")
    return lines


def _row(line: dict[str, Any]) -> str:
    """A row to be judged, as a person reads it."""
    from studio.datasets.reviewing.judgements import SOURCE_CHANGED

    said = line["row"]
    lines = [f"{line['row_id']}  {line['stands']}"]
    for reason in line["reasons"]:
        lines.append(f"  {reason}" if reason == SOURCE_CHANGED else f"  sent by the doctor: {reason}")
    for name in ("messages", "chosen", "rejected"):
        for turn in said.get(name) or []:
            speaker = turn["role"] if name == "messages" else name
            lines.append(f"  {speaker}: {str(turn.get('content') or '')[:SHOWN]}")
    lines += [f"  {name}: {said[name][:SHOWN]}" for name in ("text", "label") if said.get(name)]
    lines += [f"  marked {span['label']}: {span['text']}" for span in line["spans"]]
    if line["suggestion"]:
        lines.append(f"  suggested: {line['suggestion'][:SHOWN]}")
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
