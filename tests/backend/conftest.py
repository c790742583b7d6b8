"""A workspace with a tiny model, a small dataset and a run that left a random adapter."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from studio.datasets.importing.steps import import_file
from studio.settings.importing import ImportSettings
from studio.workspace import Workspace
from tests import adapters

THINGS = ("parcel", "invoice", "delivery", "answer", "desk")
QUEUES = ("billing", "returns", "praise")


def write_questions(path: Path, rows: int) -> Path:
    """A csv with message, queue and split: a row in four is held out."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["message", "queue", "split"])
        for number in range(rows):
            text = f"Where is my {THINGS[number % len(THINGS)]} number {number}?" + " please" * (number % 7)
            side = ("train", "train", "validation", "test")[number % 4]
            writer.writerow([text, f"QUEUE: {QUEUES[number % len(QUEUES)]}", side])
    return path


def dataset(workspace: Workspace, folder: Path, name: str = "desk", rows: int = 80) -> None:
    source = write_questions(folder / f"{name}.csv", rows)
    settings = {"source": str(source), "name": name, "mapping": ["user=message", "label=queue", "split=split"]}
    import_file(workspace, ImportSettings.model_validate(settings))


@pytest.fixture
def tuned_run(workspace: Workspace, tiny: Path, tmp_path: Path) -> Path:
    """The folder of a finished run with a random adapter, on the dataset `desk` of 80 rows, 20 of them held out."""
    model = adapters.install(tiny, workspace)
    dataset(workspace, tmp_path)
    run = adapters.run(workspace, "desk", "tiny")
    adapters.adapter(model, run / "adapter")
    return run
