"""A dataset without rows yet: the place where drafts wait that belong to no file."""

from __future__ import annotations

import time
from array import array

from studio.datasets.store import Dataset
from studio.datasets.versions.publishing import hold, publish
from studio.datasets.versions.writer import VersionWriter
from studio.files import check_name
from studio.workspace import Workspace


def begin(workspace: Workspace, name: str, why: str) -> Dataset:
    """The dataset of that name, made with an empty first version where there is none.

    Args:
        why: where its rows will come from, in a few words.
    """
    check_name(name, "dataset name")
    if name not in workspace.names("datasets"):
        with hold(workspace, name) as scratch:
            writer = VersionWriter(scratch / "rows.arrow")
            try:
                writer.finish(scratch / "versions" / "0001.parquet", array("b"))
            finally:
                writer.close()
            (scratch / "source").mkdir(exist_ok=True)
            entry = {
                "version": 1,
                "made": round(time.time(), 3),
                "rows": 0,
                "counts": {"train": 0, "validation": 0, "test": 0},
                "format": "messages",
                "kind": "chat",
                "reasons": [why],
                "mapping": {},
                "notes": [],
                "bad_rows": 0,
                "bad": [],
            }
            publish(workspace.datasets / name, scratch, entry, None)
    return Dataset.open(workspace, name)
