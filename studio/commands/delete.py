"""Move a run (or a dataset, a model ...) to the trash. `restore` takes it out again."""

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
        return {"id": runs.delete(context.workspace, args.name), "kind": args.kind, "deleted": True}
    context.workspace.delete(args.kind, args.name)
    return {"id": args.name, "kind": args.kind, "deleted": True}


def show(result: dict[str, Any]) -> str:
    return (
        f"{result['id']} is in the trash. Take it out again: launch.py restore {result['id']} --kind {result['kind']}"
    )
