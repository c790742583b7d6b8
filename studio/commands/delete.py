"""Move a run to the trash. `restore` takes it out again."""

from __future__ import annotations

import argparse
from typing import Any

from studio import runs
from studio.commands.frame import Context


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="ID", help="the run")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    return {"id": runs.delete(context.workspace, args.run), "deleted": True}


def show(result: dict[str, Any]) -> str:
    return f"{result['id']} is in the trash. Take it out again: launch.py restore {result['id']}"
