"""Go on with a stopped, interrupted or failed run, from its last resume point."""

from __future__ import annotations

import argparse
from typing import Any

from studio import runs
from studio.commands.frame import Context
from studio.commands.train import show, started, wait_for
from studio.jobs import queue

__all__ = ["add_arguments", "run", "show"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="ID", help="the run")
    parser.add_argument("--wait", action="store_true", help="wait until it ends, and tell how it went")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    folder = runs.open_run(context.workspace, args.run)
    queue.requeue(context.workspace, folder)
    return wait_for(context, folder) if args.wait else started(folder)
