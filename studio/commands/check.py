"""Say what this machine has and what will work. Changes nothing."""

from __future__ import annotations

import argparse
from typing import Any

from studio.commands.frame import Context

CREATES_WORKSPACE = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It has none of its own."""


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    from studio.diagnosis import diagnose

    return diagnose(context.workspace.root).as_dict()


def show(result: dict[str, Any]) -> str:
    from studio.diagnosis import in_words

    return in_words(result)
