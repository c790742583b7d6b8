"""Install what is missing and fetch the starter model.

By the time this runs, the environment is there: launch.py has seen to it, with the extras asked for.
"""

from __future__ import annotations

import argparse
from typing import Any

from studio.commands import models
from studio.commands.frame import Context
from studio.settings.models import STARTER


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--extra", action="append", default=[], metavar="NAME", help="an extra of pyproject.toml too")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    models.ensure_starter(context, STARTER)
    return {
        "environment": "ready",
        "extras": args.extra,
        "workspace": str(context.workspace.root),
        "models": context.workspace.names("models"),
    }


def show(result: dict[str, Any]) -> str:
    return f"Everything is set up. The workspace is {result['workspace']}. Try it: launch.py demo"
