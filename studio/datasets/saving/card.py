"""The card (README.md) of a dataset that is taken elsewhere: what it holds, how its rows look, where it came from."""

from __future__ import annotations

import json
from typing import Any

from studio.datasets.splitting.sides import SIDES
from studio.datasets.store import Dataset

MADE = "made with FlexTune Studio"  # by which publishing knows its own cards again
KINDS = {
    "chat": ("conversations with the answers to learn", "text-generation"),
    "label": ("texts with the label to learn", "text-classification"),
    "preference": ("questions, each with a better and a worse answer", "text-generation"),
    "feedback": ("answers, each judged good or bad", "text-generation"),
    "text": ("plain text", "text-generation"),
}


def card(dataset: Dataset, version: int, licence: str, files: dict[str, str]) -> str:
    """The text of the card, with the hub's metadata at its head.

    Args:
        licence: as the hub writes it, "" for none stated.
        files: side → the file that holds its rows.
    """
    entry = dataset.version_info(version)
    words, task = KINDS.get(entry["kind"], KINDS["chat"])
    size = next(name for limit, name in SIZES if entry["rows"] < limit)
    head = ["---", f"pretty_name: {json.dumps(dataset.name, ensure_ascii=False)}"]
    head += [f"license: {licence}"] if licence else []
    head += ["task_categories:", f"- {task}", "size_categories:", f"- {size}", "configs:", "- config_name: default"]
    head += ["  data_files:", *(f"  - split: {side}\n    path: {file}" for side, file in files.items()), "---"]
    table = [f"| {side} | {entry['counts'].get(side, 0):,} |" for side in SIDES]
    body = [
        f"# {dataset.name}",
        f"{entry['rows']:,} rows: {words}. Version {version} of a dataset {MADE}.",
        "\n".join(["| split | rows |", "| --- | ---: |", *table]),
        "Each row has the id it keeps through every version (`row_id`), its contents in OpenAI's form, its `split` and "
        "its tags. Rows with the tag `synthetic` were written by a model.",
        _origin(entry),
    ]
    return "\n".join(head) + "\n\n" + "\n\n".join(part for part in body if part) + "\n"


SIZES = ((1000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (10**18, "n>1M"))


def _origin(entry: dict[str, Any]) -> str:
    source = entry.get("source") or {}
    if not source.get("file"):
        return ""
    bad = f" {entry['bad_rows']:,} of its rows could not be used." if entry.get("bad_rows") else ""
    return f"Made from the file “{source['file']}”.{bad}"
