"""The benchmark of the import: what it writes, measures and says, at sizes that take no time."""

from __future__ import annotations

import json
import re

import pytest

from backend.benchmarks import cases, importing
from backend.benchmarks.bench import Bench
from backend.job import Job
from studio.datasets.importing.steps import import_file
from studio.datasets.store import Dataset
from studio.jobs import folder as job_folder
from studio.settings.benchmark import BenchmarkSettings
from studio.settings.importing import ImportSettings
from studio.workspace import Workspace


@pytest.mark.full
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
    kinds = [*importing.LOOKS, "row_and_its_neighbours", "deed_on_all_rows"]
    for side in (small, large):
        assert side["first_rows_of_the_file_seconds"] > 0 < side["first_rows_of_the_dataset_seconds"]
        assert 50 < side["page_peak_megabytes"] < 1000
        assert all(0 < side[f"{kind}_median_milliseconds"] <= side[f"{kind}_worst_milliseconds"] for kind in kinds)
    wanted = [(bar["wanted"], bar["what"]) for bar in found["bars"]]
    assert [most for most, _ in wanted] == [90, 1.5, 1, 2, 2] + [300] * len(importing.LOOKS)
    assert all(bar["at_most"] and bar["value"] > 0 for bar in found["bars"])
    assert max(bar["value"] for bar in found["bars"][5:]) == max(
        side[f"{kind}_worst_milliseconds"] for side in (small, large) for kind in importing.LOOKS
    )
    assert re.search(r"“.+”, \d+ ms", found["facts"]["slowest look at the largest"])


def test_its_rows_are_a_kilobyte_and_always_the_same(tmp_path):
    first = cases.write(tmp_path / "a", 300).read_bytes()
    assert first == cases.write(tmp_path / "b", 300).read_bytes()
    assert 800 < len(first) / 300 < 1300
    rows = [json.loads(line) for line in first.splitlines()]
    assert len({row["answer"] for row in rows}) == 300 and {row["domain"] for row in rows} == set(cases.TOPICS)


def test_thirty_searches_of_which_three_find_nothing(workspace, tmp_path):
    source = cases.write(tmp_path / "cases.jsonl", 400)
    import_file(workspace, ImportSettings(source=[str(source)], name="cases"))
    dataset = Dataset.open(workspace, "cases")
    found = {words: dataset.page(1, 0, 1, search=words).total for words in cases.searches(dataset)}
    assert len(found) == 30
    assert {words for words, total in found.items() if not total} == {*cases.ABSENT, "qj"}
    assert found["the"] > 200 and all(found[words] for words in (*cases.SCRIPTS, *cases.QUOTED))
