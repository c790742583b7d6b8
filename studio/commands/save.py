"""Write a version of a dataset into a file that other tools read."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

from studio.commands.frame import Context
from studio.errors import BadInput
from studio.wording import count

FORMS = ("messages", "alpaca", "sharegpt", "csv", "parquet")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="NAME", help="the dataset")
    parser.add_argument("--version", type=int, metavar="N", help="which version; default: the latest")
    parser.add_argument(
        "--form", choices=FORMS, default="messages", help="messages, alpaca, sharegpt: JSONL; csv; parquet, as stored"
    )
    parser.add_argument("--output", metavar="FILE", required=True, help="the file to write")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    from studio.datasets.saving import downloads
    from studio.datasets.store import Dataset
    from studio.files import whole_file

    dataset = Dataset.open(context.workspace, args.dataset)
    version = dataset.version_info(args.version)["version"]
    output = Path(args.output).expanduser().resolve()
    if output.exists() and not args.force:
        raise BadInput(
            f"{output} is there already.",
            "It would be overwritten.",
            "Give another --output, or --force.",
            field="output",
        )
    with whole_file(output) as partial:
        if args.form == "parquet":
            shutil.copyfile(dataset.path(version), partial)
        else:
            blocks = (
                downloads.table(dataset, version)
                if args.form == "csv"
                else downloads.jsonl(dataset, version, args.form)
            )
            with open(partial, "wb") as file:
                file.writelines(blocks)
    left = downloads.left(dataset, version, args.form)
    rows = int(dataset.version_info(version)["rows"]) - left.rows
    about = {"file": str(output), "version": version, "rows": rows, "left_out": left.rows, "why": left.why}
    return about | {"unmarked": left.marks, "notes": left.words()}


def show(result: dict[str, Any]) -> str:
    said = f"{result['file']}: {count(result['rows'], 'row')} of version {result['version']}."
    return "\n".join([said, *result["notes"]])
