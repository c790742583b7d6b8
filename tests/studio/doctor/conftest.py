"""Datasets made of a few lines, as every test of the doctor needs them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from studio.datasets.importing.steps import import_file
from studio.datasets.store import Dataset
from studio.doctor.examination import Examination, Round
from studio.settings.doctor import DoctorSettings
from studio.settings.importing import ImportSettings
from studio.workspace import Workspace

Make = Callable[..., Dataset]


def talk(asked: str, answered: str, split: str = "train", **more: Any) -> dict[str, Any]:
    turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
    return {"messages": turns, "split": split, **more}


@pytest.fixture
def make(workspace: Workspace) -> Make:
    """Imports rows as a dataset: `make([{...}, …], name="mails")`."""

    def imported(rows: list[dict[str, Any]], name: str = "mails", **settings: Any) -> Dataset:
        source = workspace.root.parent / f"{name}.jsonl"
        source.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
        import_file(workspace, ImportSettings(source=str(source), name=name, **settings))
        return Dataset.open(workspace, name)

    return imported


def examine(dataset: Dataset, tokenizer: Any = None, **settings: Any) -> Examination:
    given = DoctorSettings(dataset=dataset.name, **settings)
    return Round(dataset, given, tokenizer, lambda *_: None, lambda: False).examine()


def lines(dataset: Dataset, examined: Examination, kind: str) -> list[int]:
    """The lines of the file, from 1, that a finding has."""
    where = {row.row_id: row.source_line for row in dataset.rows()}
    return [where[line["row_id"]] for line in examined.table.to_pylist() if line["kind"] == kind]
