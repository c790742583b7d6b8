"""Look for what is wrong with the rows of a dataset; fix what you name.

Nothing is changed unless --fix names a finding; each fix is one change that can be undone:

    launch.py doctor mails --fix duplicates --fix emails --mask stand-ins
    launch.py doctor mails --ignore too_few        # hear no more of it for this dataset; --heed takes it up again
    launch.py rows mails --finding emails          # all rows that the last look found
"""

from __future__ import annotations

import argparse
from typing import Any

from studio import wording
from studio.commands.frame import Context
from studio.jobs import follow
from studio.settings.base import check
from studio.settings.doctor import DoctorSettings, FixSettings
from studio.settings.flags import add_flags, collect

SIGNS = {"harm": "!!", "mend": " !", "note": "  "}
SHOWN = 2  # examples of a finding in the text; --json has those that the page has
BEFORE, WIDE = 30, 90  # characters of an example before what was found, and in all


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help="the dataset to look through")
    parser.add_argument("--by", default="", metavar="WHO", help="with --fix: who does it; default: nobody is named")
    add_flags(parser, DoctorSettings, leave_out=("dataset",))
    add_flags(parser, FixSettings)


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    from studio.datasets.reviewing.judgements import Eye
    from studio.datasets.store import Dataset
    from studio.doctor import reports, visits

    by = Eye.of(args.by).by
    wanted = check(FixSettings, collect(args, FixSettings), "These findings can't be fixed.")
    folder = visits.create(context.workspace, {"dataset": args.dataset, **collect(args, DoctorSettings)})
    done = follow.start_and_follow(context.workspace, folder, context.terminal)
    report = reports.Report.read(folder)
    dataset = Dataset.open(context.workspace, report.dataset)
    for kind in [*wanted.ignore, *wanted.heed]:
        reports.ignore(dataset, kind, kind in wanted.ignore)
    ignored = reports.ignored(dataset)
    asked = [kind for kind in wanted.fix if kind in done["findings"]]
    fixes = [visits.fix(context.workspace, folder.name, kind, wanted.mask, by) for kind in asked]
    keys = ("kind", "title", "why", "severity", "count", "words", "deed", "fix", "facts", "examples")
    return {
        "id": folder.name,
        "dataset": report.dataset,
        "version": report.version,
        "rows": report.rows,
        "notes": report.notes,
        "findings": [
            {key: finding[key] for key in keys} | {"ignored": finding["kind"] in ignored} for finding in report.findings
        ],
        "fixes": fixes,
    }


def show(result: dict[str, Any]) -> str:
    lines = [f"“{result['dataset']}” version {result['version']}: {wording.count(result['rows'], 'row')} looked at."]
    if not result["findings"]:
        lines.append("All is well: nothing was found.")
    heeded = [finding for finding in result["findings"] if not finding["ignored"]]
    for finding in heeded:
        lines.append(f"{SIGNS[finding['severity']]} {finding['title']} ({finding['kind']}): {finding['words']}")
        lines += [f"     {_example(example)}" for example in finding["examples"][:SHOWN]]
    if ignored := [finding["kind"] for finding in result["findings"] if finding["ignored"]]:
        lines.append(f"Ignored: {', '.join(ignored)}. Take one up again with --heed {ignored[0]}.")
    lines += result["notes"]
    for fix in result["fixes"]:
        lines.append(_fixed(fix, result))
    if listed := [one["kind"] for one in heeded if one["count"]]:
        lines.append(f"All rows of one: launch.py rows {result['dataset']} --finding {listed[0]}")
    open_ones = [one["kind"] for one in heeded if one["deed"]]
    if open_ones and not result["fixes"]:
        lines.append(f"Fix one: launch.py doctor {result['dataset']} --fix {open_ones[0]}")
    return "\n".join(lines)


def _fixed(fix: dict[str, Any], result: dict[str, Any]) -> str:
    """What a fix did, in a line."""
    rows = wording.count(fix["rows"], "row")
    if fix["sent"] == fix["rows"]:
        look = f"launch.py review {result['dataset']} --next --show doctor"
        return f"Sent {rows} to the review queue ({fix['kind']}), as one change to undo. Judge them: {look}"
    sent = f", {fix['sent']:,} of them sent to the review queue" if fix["sent"] else ""
    return f"Fixed {fix['kind']}: {rows} changed{sent}, as one change to undo."


def _example(example: dict[str, Any]) -> str:
    """A row of a finding in a line: its id, the words around what was found, and the row it belongs with."""
    marked = [piece for piece in example["pieces"] if piece["marks"]]
    piece = (marked or example["pieces"])[0]
    start = max(0, piece["marks"][0][0] - BEFORE) if piece["marks"] else 0
    text = " ".join(piece["text"][start : start + WIDE].split())
    beside = f" (beside {example['other']})" if example["other"] else ""
    return f"{example['row']}  {piece['who']}: {text}{beside}"
