"""List the datasets."""

from __future__ import annotations

import argparse
from typing import Any

from studio.commands.frame import Context, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It has none of its own."""


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    from studio.datasets.store import list_datasets

    return {"datasets": list_datasets(context.workspace)}


def show(result: dict[str, Any]) -> str:
    if not result["datasets"]:
        return "No datasets yet. Make one: launch.py import FILE --name NAME"
    rows = [
        [item["name"], "broken", "", item["error"]["why"]]
        if item.get("error")
        else [item["name"], str(item["version"]), str(item["rows"]), item["format"]]
        for item in result["datasets"]
    ]
    return table(["DATASET", "VERSION", "ROWS", "FORMAT"], rows)
