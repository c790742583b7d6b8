"""Look for what is wrong with the rows of a dataset; fix what you name.

Nothing is changed unless --fix names a finding; each fix is one change that can be undone:

    launch.py doctor mails --fix duplicates --fix emails --mask stand-ins
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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help="the dataset to look through")
    add_flags(parser, DoctorSettings, leave_out=("dataset",))
    add_flags(parser, FixSettings)


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    from studio.doctor import visits
    from studio.doctor.reports import Report

    wanted = check(FixSettings, collect(args, FixSettings), "These findings can't be fixed.")
    folder = visits.create(context.workspace, {"dataset": args.dataset, **collect(args, DoctorSettings)})
    done = follow.start_and_follow(context.workspace, folder, context.terminal)
    report = Report.read(folder)
    fixes = [
        visits.fix(context.workspace, folder.name, kind, wanted.mask) for kind in wanted.fix if kind in done["findings"]
    ]
    keys = ("kind", "title", "severity", "count", "words", "deed", "fix")
    return {
        "id": folder.name,
        "dataset": report.dataset,
        "version": report.version,
        "rows": report.rows,
        "notes": report.notes,
        "findings": [{key: finding[key] for key in keys} for finding in report.findings],
        "fixes": fixes,
    }


def show(result: dict[str, Any]) -> str:
    lines = [f"“{result['dataset']}” version {result['version']}: {wording.count(result['rows'], 'row')} looked at."]
    if not result["findings"]:
        lines.append("All is well: nothing was found.")
    for finding in result["findings"]:
        lines.append(f"{SIGNS[finding['severity']]} {finding['title']} ({finding['kind']}): {finding['words']}")
    lines += result["notes"]
    for fix in result["fixes"]:
        lines.append(f"Fixed {fix['kind']}: {wording.count(fix['rows'], 'row')} changed, as one change to undo.")
    open_ones = [one["kind"] for one in result["findings"] if one["deed"]]
    if open_ones and not result["fixes"]:
        lines.append(f"Fix one: launch.py doctor {result['dataset']} --fix {open_ones[0]}")
    return "\n".join(lines)
