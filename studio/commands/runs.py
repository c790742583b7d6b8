"""List the runs, newest first; or show one, and where it ran out of memory the ways in which it would need less."""

from __future__ import annotations

import argparse
import time
from typing import Any

from studio import runs
from studio.commands.frame import Context, table
from studio.jobs import queue


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="ID", nargs="?", help="only this one, with how it ended")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    queue.advance(context.workspace)
    if args.run is None:
        return {"runs": [summary.as_dict() for summary in runs.list_runs(context.workspace)]}
    from studio import proposal  # the list is to come at once
    from studio.measurement import ran_out

    summary = runs.summary(runs.open_run(context.workspace, args.run))
    short = summary.status == "failed" and ran_out(summary.error)
    rungs = proposal.rungs(context.workspace, summary.id) if short else []
    return {"run": summary.as_dict(), "ladder": [rung.as_dict() for rung in rungs]}


def show(result: dict[str, Any]) -> str:
    if "run" in result:
        return _show_one(result["run"], result["ladder"])
    if not result["runs"]:
        return "No runs yet. Start one: launch.py train --dataset NAME"
    return _table(result["runs"])


def _show_one(item: dict[str, Any], ladder: list[dict[str, Any]]) -> str:
    from studio.ladder import LADDER, in_words

    error, result = item["error"] or {}, item["result"]
    lines = [_table([item]), *(str(error[part]) for part in ("what", "why", "next") if error.get(part))]
    lines += [f"Warning: {text}" for text in result.get("warnings", [])]
    lines += [LADDER, *in_words(ladder, item["id"])] if ladder else []
    return "\n".join(lines)


def _table(items: list[dict[str, Any]]) -> str:
    rows = []
    for item in items:
        steps = f"{item['step']}/{item['total_steps']}" if item["total_steps"] else str(item["step"])
        made = time.strftime("%Y-%m-%d %H:%M", time.localtime(item["created"])) if item["created"] else ""
        rows.append([item["id"], item["status"], steps, item["dataset"], item["model"], item["method"], made])
    return table(["RUN", "STATUS", "STEP", "DATASET", "MODEL", "METHOD", "CREATED"], rows)
