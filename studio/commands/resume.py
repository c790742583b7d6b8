"""Go on with a stopped, interrupted or failed run, from its last resume point.

One that ran out of memory may go on with less of it (--take): `launch.py runs ID` lists the ways.
"""

from __future__ import annotations

import argparse
from typing import Any

from studio import events, proposal, runs
from studio.commands.frame import Context
from studio.commands.train import show, started, tell_ladder, wait_for
from studio.jobs import queue
from studio.measurement import ran_out

__all__ = ["add_arguments", "run", "show"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="ID", help="the run")
    parser.add_argument(
        "--take", metavar="WAY", help="a way to need less memory that learns the same, such as passes or recompute"
    )
    parser.add_argument("--wait", action="store_true", help="wait until it ends, and tell how it went")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    folder = runs.open_run(context.workspace, args.run)
    if args.take:
        proposal.go_on_with(context.workspace, folder.name, args.take)
    else:
        if ran_out(events.read_state(folder).error):
            tell_ladder(context, folder)
        queue.requeue(context.workspace, folder)
    return wait_for(context, folder) if args.wait else started(folder)
