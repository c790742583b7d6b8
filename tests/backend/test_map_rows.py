"""On the map like rows lie near each other; the same seed gives the same map."""

from __future__ import annotations

import csv
import json
import math
import shutil
import subprocess
import sys

import pytest

from studio.datasets.browsing.pictures import findings, points
from studio.datasets.importing.steps import import_file
from studio.datasets.store import Dataset
from studio.doctor import visits
from studio.errors import StudioError
from studio.jobs import folder as job_folder
from studio.jobs import follow, queue
from studio.jobs.follow import Terminal
from studio.settings.importing import ImportSettings
from studio.settings.picturing import MapSettings
from tests.worlds import ROOT

TOPICS = {
    "sea": "ship harbour sailor anchor wave tide captain storm deck",
    "bread": "flour oven dough baker yeast crust loaf butter salt",
    "law": "court judge appeal verdict witness clause statute lawyer plea",
}


@pytest.fixture
def dataset(workspace, tmp_path):
    rows = []
    for topic, words in TOPICS.items():
        for n in range(20):
            picked = words.split()[n % 5 : n % 5 + 5]
            rows.append({"text": f"A note on the {' and the '.join(picked)}, number {n}", "label": topic})
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    import_file(workspace, ImportSettings(source=str(source), name="set"))
    return Dataset.open(workspace, "set")


def make(workspace, **given):
    settings = MapSettings.model_validate({"dataset": "set", **given})
    folder = job_folder.create(workspace, "map_rows", settings.model_dump(mode="json"))
    return folder, follow.start_and_follow(workspace, folder, Terminal())


def near(found):
    """The share of rows whose nearest row has the same label."""
    right = 0
    for point in found:
        other = min(
            (each for each in found if each is not point),
            key=lambda each: math.dist((each.x, each.y), (point.x, point.y)),
        )
        right += other.colours["label"] == point.colours["label"]
    return right / len(found)


def test_like_rows_lie_together_and_the_seed_decides(workspace, dataset):
    folder, result = make(workspace)
    assert (result["rows"], result["of"], result["version"], result["by"]) == (60, 60, 1, "words")
    found = points(dataset, 1, folder)
    assert len(found) == 60 and all(-1 <= value <= 1 for point in found for value in (point.x, point.y))
    assert near(found) > 0.95
    again = points(dataset, 1, make(workspace)[0])
    assert [(point.row_id, point.x, point.y) for point in again] == [
        (point.row_id, point.x, point.y) for point in found
    ]


def test_a_model_reads_them_too(workspace, dataset, tiny):
    shutil.copytree(tiny, workspace.models / "tiny")
    folder, result = make(workspace, by="model", model="tiny", rows=20)
    assert result["rows"] == 20 and len(points(dataset, 1, folder)) == 20


def test_a_model_that_reads_leaves_the_gpu_to_the_job_that_has_it(workspace, dataset, tiny, monkeypatch):
    import torch

    from backend.job import Job
    from backend.map_rows import by_model

    placed = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.nn.Module, "to", lambda module, device: placed.append(device) or module)
    shutil.copytree(tiny, workspace.models / "tiny")
    folder = job_folder.create(workspace, "map_rows", MapSettings(dataset="set").model_dump(mode="json"))
    job = Job(folder)
    with job.log, job.metrics, queue.take_device(workspace, folder):
        assert by_model(job, "tiny", ["one", "two"]).shape[0] == 2
    assert placed == ["cpu"]


def test_few_rows_and_rows_with_one_word_in_common(workspace, tmp_path):
    from backend.map_rows import by_words, layout

    for texts in (["same"] * 12, ["a"] * 12, [f"w{n}" for n in range(11)], ["日本語です", "中文"] * 6):
        places = layout(by_words(texts, 1), 1)
        assert places.shape == (len(texts), 2) and abs(places).max() <= 1
    source = tmp_path / "few.jsonl"
    source.write_text('{"text": "one"}\n{"text": "two"}\n')
    import_file(workspace, ImportSettings(source=str(source), name="set"))
    with pytest.raises(StudioError, match="too few rows"):
        make(workspace)


def test_a_model_is_named_only_for_reading():
    for given in ({"by": "model"}, {"model": "tiny"}):
        with pytest.raises(ValueError, match="a model is named"):
            MapSettings.model_validate({"dataset": "set", **given})


def test_the_command_writes_a_table(workspace, dataset, tmp_path):
    follow.start_and_follow(workspace, visits.create(workspace, {"dataset": "set"}), Terminal())
    told = findings(workspace, dataset, 1)
    output = tmp_path / "map.csv"
    command = [sys.executable, "launch.py", "map", "set", "--workspace", str(workspace.root), "--output", str(output)]
    done = subprocess.run([*command, "--json"], cwd=ROOT, capture_output=True, text=True)
    told_of = json.loads(done.stdout)
    made = job_folder.read_settings(workspace.jobs / told_of["job"])
    assert (told_of["rows"], made["version"]) == (60, 1)  # the page looks for the map of a version
    rows = list(csv.DictReader(output.read_text().splitlines()))
    assert list(rows[0]) == ["row_id", "x", "y", "finding", "label", "split"] and len(rows) == 60
    assert {row["row_id"]: row["finding"] for row in rows if row["finding"] != "nothing found"} == told != {}
