"""Lay the rows of a dataset out so that like ones lie near each other, and write the map as a table."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from studio.commands.frame import Context
from studio.jobs import folder as job_folder
from studio.jobs import follow
from studio.settings.base import check
from studio.settings.flags import add_flags, collect
from studio.settings.picturing import MapSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="NAME", help="the dataset")
    add_flags(parser, MapSettings, leave_out=("dataset",))
    parser.add_argument("--output", metavar="FILE", help="write it as CSV: row_id, x, y, and what the page colours by")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    from studio.datasets.browsing.pictures import findings, points, with_finding
    from studio.datasets.store import Dataset

    settings = check(MapSettings, collect(args, MapSettings), "This map can't be made.")
    dataset = Dataset.open(context.workspace, settings.dataset)  # refused here, before a job is made
    settings.version = dataset.version_info(settings.version)["version"]  # by which the page finds the map
    folder = job_folder.create(context.workspace, "map_rows", settings.model_dump(mode="json"), settings.dataset)
    result = follow.start_and_follow(context.workspace, folder, context.terminal)
    if args.output:
        found = points(dataset, result["version"], folder)
        if told := findings(context.workspace, dataset, result["version"]):
            found = [with_finding(point, told) for point in found]
        _write(Path(args.output).expanduser(), found)
    return result | {"job": folder.name, "output": args.output}


def _write(path: Path, found: list[Any]) -> None:
    from studio.datasets.saving.tables import Notes, write_csv

    names = sorted({name for point in found for name in point.colours})
    rows = ({"row_id": point.row_id, "x": point.x, "y": point.y, **point.colours} for point in found)
    write_csv(path, (["row_id", "x", "y", *names], rows), False, Notes())


def show(result: dict[str, Any]) -> str:
    where = f"the map is in {result['output']}" if result["output"] else "look at it on the page, Data, Map"
    return f"{result['rows']:,} of {result['of']:,} rows of “{result['dataset']}” are laid out: {where}."
