"""Datasets made of rows in no time, without the import of a file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from studio import migrate
from studio.datasets.rows import SCHEMA, Row, content_hash, row_id, to_columns
from studio.datasets.splitting.sides import SIDES
from studio.datasets.store import INFO, Dataset
from studio.workspace import Workspace

FIELDS = ("kind", "messages", "chosen", "rejected", "label", "text", "split", "tags")


def make_set(workspace: Workspace, name: str, rows: Iterable[dict[str, Any]]) -> Dataset:
    """A dataset of one version.

    Args:
        rows: each with fields of Row; what is none stands in `extra`. Ids are made of the contents, lines counted.
    """
    made, seen = [], Counter[bytes]()
    for line, given in enumerate(rows, 1):
        fields = {key: value for key, value in given.items() if key in FIELDS}
        digest = content_hash([json.dumps(fields | {"split": 0, "tags": 0}, sort_keys=True)])
        seen[digest] += 1
        extra = {key: value for key, value in given.items() if key not in FIELDS}
        where = {"source_file": f"{name}.jsonl", "source_line": line}
        made.append(Row(row_id(digest, seen[digest]), **{"kind": "chat", **fields, **where}, extra=extra))
    folder = workspace.datasets / name
    (folder / "versions").mkdir(parents=True)
    pq.write_table(
        pa.Table.from_pylist([to_columns(row) for row in made], SCHEMA), folder / "versions" / "0001.parquet"
    )
    sides = Counter(row.split for row in made)
    kinds = {row.kind for row in made}
    entry = {
        "version": 1, "made": 1.0, "rows": len(made), "counts": {side: sides[side] for side in SIDES},
        "format": "messages", "kind": kinds.pop() if len(kinds) == 1 else "chat", "reasons": [], "mapping": {},
        "split": None, "seed": 0, "source": {"file": f"{name}.jsonl"}, "notes": [], "bad_rows": 0, "bad": [],
    }  # fmt: skip
    migrate.save(folder / INFO, "dataset", {"name": name, "made": 1.0, "versions": [entry]})
    return Dataset.open(workspace, name)
