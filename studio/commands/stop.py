"""Stop a run. A running one saves a usable adapter and a resume point first; a waiting one leaves the queue."""

from __future__ import annotations

import argparse
from typing import Any

from studio import runs
from studio.commands.frame import Context
from studio.jobs import queue


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="ID", help="the run")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    folder = runs.open_run(context.workspace, args.run)
    return {"id": folder.name, "status": queue.stop(context.workspace, folder)}


def show(result: dict[str, Any]) -> str:
    return f"{result['id']} is {result['status']}."
