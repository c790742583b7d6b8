"""Take a run out of the trash."""

from __future__ import annotations

import argparse
from typing import Any

from studio import runs
from studio.commands.frame import Context


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="ID", help="the run")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    return {"id": runs.restore(context.workspace, args.run), "restored": True}


def show(result: dict[str, Any]) -> str:
    return f"{result['id']} is back among the runs."
