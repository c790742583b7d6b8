"""Take a run (or a dataset, a model ...) out of the trash."""

from __future__ import annotations

import argparse
from typing import Any

from studio import runs
from studio.commands.frame import Context
from studio.workspace import KINDS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="ID", help="the run, or the name of what --kind says")
    parser.add_argument("--kind", choices=KINDS, default="runs", help="what it is; default: runs")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    if args.kind == "runs":
        return {"id": runs.restore(context.workspace, args.name), "kind": args.kind, "restored": True}
    context.workspace.restore(args.kind, args.name)
    return {"id": args.name, "kind": args.kind, "restored": True}


def show(result: dict[str, Any]) -> str:
    return f"{result['id']} is back among the {result['kind']}."
