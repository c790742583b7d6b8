"""The benchmark of the import: what it writes, measures and says, at sizes that take no time."""

from __future__ import annotations

import json

from backend.benchmarks import importing
from backend.benchmarks.bench import Bench
from backend.job import Job
from studio.jobs import folder as job_folder
from studio.settings.benchmark import BenchmarkSettings
from studio.workspace import Workspace


def test_it_measures_every_size_and_says_whether_the_bars_are_reached(workspace, tmp_path, monkeypatch):
    monkeypatch.setattr(importing, "LARGE", 400)
    folder = job_folder.create(workspace, "benchmark", {"name": "import"})
    job = Job(folder)
    bench = Bench(job, BenchmarkSettings(name="import"), Workspace.open(tmp_path / "scratch"))
    found = importing.across(bench, (200, 400)).as_dict()
    job.log.close()
    job.metrics.close()
    small, large = found["sides"]
    assert (small["side"], large["side"]) == ("200 rows", "400 rows") and large["import_seconds"] > 0
    assert "index_seconds" not in small and large["index_peak_megabytes"] > 20 and large["index_megabytes"] > 0.1
    assert len(found["bars"]) == 4 and all(bar["value"] > 0 for bar in found["bars"])
    assert set(found["facts"]) >= {
        "any page, milliseconds",
        "three words, milliseconds",
        "a row and its neighbours, milliseconds",
    }


def test_its_rows_are_a_kilobyte_and_always_the_same(tmp_path):
    first = importing.write_rows(tmp_path / "a", 300).read_bytes()
    assert first == importing.write_rows(tmp_path / "b", 300).read_bytes()
    assert 800 < len(first) / 300 < 1300
    rows = [json.loads(line) for line in first.splitlines()]
    assert len({row["answer"] for row in rows}) == 300 and {row["domain"] for row in rows} == set(importing.TOPICS)
