"""Make a large version of a dataset quick to sort and search; the studio does it by itself after an import."""

from __future__ import annotations

import argparse
from typing import Any

from studio.commands.frame import Context
from studio.jobs import folder as job_folder
from studio.jobs import follow
from studio.wording import count


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="NAME", help="the dataset")
    parser.add_argument("--version", type=int, metavar="N", help="the version; the latest when none is given")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    from studio.datasets.browsing.index import Index
    from studio.datasets.store import Dataset

    dataset = Dataset.open(context.workspace, args.dataset)
    index = Index(dataset, dataset.version_info(args.version)["version"])
    state = index.start(context.workspace)
    about = {"name": dataset.name, "version": index.version, "rows": dataset.version_info(index.version)["rows"]}
    if not state.job:
        return about | {"bytes": index.size()}
    folder = context.workspace.jobs / state.job
    try:
        return follow.result(folder, follow.follow(context.workspace, folder, context.terminal))
    except KeyboardInterrupt:
        (folder / job_folder.STOP).touch()
        raise


def show(result: dict[str, Any]) -> str:
    what = f"“{result['name']}” version {result['version']}: {count(result['rows'], 'row')}"
    if not result["bytes"]:
        return f"{what}; so few need no index."
    return f"{what}, sorted and searched through an index of {result['bytes'] / 1e6:,.0f} MB."
