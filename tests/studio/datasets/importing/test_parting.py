"""A column kept together at the import: no patient stands on two sides, from version 1 on."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from pydantic import ValidationError

from studio.datasets.importing.steps import import_file
from studio.datasets.splitting import leaks, plans
from studio.datasets.store import Dataset
from studio.errors import BadInput
from studio.settings.importing import ImportSettings

WORDS = ["fever", "cough", "sleep", "pain", "rash", "visit", "dose", "scan", "diet", "walk", "pulse", "sugar"]


def visits(count):
    """Five visits a patient; patients of two wards, one three times as large."""
    for n in range(count):
        about = " ".join(WORDS[(n * k + k * k) % len(WORDS)] for k in range(2, 14))
        yield {
            "question": f"{about} {n}?",
            "answer": f"Answer {n}",
            "patient": f"P{n // 5}",
            "ward": "north" if n // 5 % 4 else "south",
            "split": "test" if n % 5 == 0 else "train",
        }


def bring(workspace, tmp_path, **given):
    source = tmp_path / "visits.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in visits(200)))
    import_file(workspace, ImportSettings(source=str(source), name="visits", **given))
    return Dataset.open(workspace, "visits")


def sides_of(dataset, column):
    found = {}
    for row in dataset.rows():
        found.setdefault(row.extra[column], Counter())[row.split] += 1
    return found


def test_rows_of_one_patient_stand_on_one_side(workspace, tmp_path):
    crossing = [sides for sides in sides_of(bring(workspace, tmp_path), "patient").values() if len(sides) > 1]
    assert len(crossing) == 40  # as the file's own column says
    dataset = bring(workspace, tmp_path, group_by="patient", stratify="ward")
    assert all(len(sides) == 1 for sides in sides_of(dataset, "patient").values())
    assert dataset.counts() == dataset.version_info()["counts"] == {"train": 160, "validation": 20, "test": 20}
    assert {side: sides_of(dataset, "ward")["south"][side] for side in ("train", "validation", "test")} == {
        "train": 40, "validation": 5, "test": 5,
    }  # fmt: skip
    assert leaks.known(dataset)["clean"] and leaks.known(dataset)["version"] == 2
    settings = ImportSettings(source="x", name="visits", group_by="patient", stratify="ward").splitting
    assert plans.plan(dataset, settings, lambda *_: None).moves() == []  # just what launch.py split would do
    ids = [row.row_id for row in dataset.rows(1)]
    assert [row.row_id for row in dataset.rows(2)] == ids


def test_what_can_not_be_kept_together_is_refused_and_leaves_nothing(workspace, tmp_path):
    with pytest.raises(BadInput, match="No row has anything in “doctor”"):
        bring(workspace, tmp_path, group_by="doctor")
    with pytest.raises(BadInput, match="No row has anything in “patient_id”"):
        bring(workspace, tmp_path, stratify="patient_id")
    assert workspace.names("datasets") == []
    with pytest.raises(ValidationError, match="keep their sides"):
        ImportSettings(source="a", name="visits", append=True, group_by="patient")
