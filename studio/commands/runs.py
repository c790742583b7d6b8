"""List the runs, newest first."""

from __future__ import annotations

import argparse
import time
from typing import Any

from studio import runs
from studio.commands.frame import Context, table
from studio.jobs import queue


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It has none of its own."""


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    queue.advance(context.workspace)
    return {"runs": [summary.as_dict() for summary in runs.list_runs(context.workspace)]}


def show(result: dict[str, Any]) -> str:
    if not result["runs"]:
        return "No runs yet. Start one: launch.py train --dataset NAME"
    rows = []
    for item in result["runs"]:
        steps = f"{item['step']}/{item['total_steps']}" if item["total_steps"] else str(item["step"])
        made = time.strftime("%Y-%m-%d %H:%M", time.localtime(item["created"])) if item["created"] else ""
        rows.append([item["id"], item["status"], steps, item["dataset"], item["model"], item["method"], made])
    return table(["RUN", "STATUS", "STEP", "DATASET", "MODEL", "METHOD", "CREATED"], rows)
