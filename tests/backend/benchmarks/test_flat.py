"""The benchmark of flat cost times real runs, here among fewer rows and over fewer steps."""

from __future__ import annotations

import pytest

from backend.benchmarks import flat
from backend.benchmarks.bench import bench
from backend.job import Job
from studio.jobs import folder as job_folder
from studio.settings.benchmark import BenchmarkSettings
from studio.workspace import Workspace
from tests.tiny import tiny_model


@pytest.mark.full
def test_it_times_real_runs_among_few_and_many_rows_early_and_late(workspace: Workspace) -> None:
    tiny_model(workspace.models / "tiny")
    settings = BenchmarkSettings(name="flat", model="tiny", rounds=1)
    job = Job(job_folder.create(workspace, "benchmark", settings.model_dump(mode="json")))
    with job.log, job.metrics, bench(job, settings) as found:
        result = flat.across(found, (20, 200), (5, 300))
    assert [side["side"] for side in result.sides] == ["20 rows", "200 rows", "step 5", "step 300"]
    assert all(1 < side["microseconds_per_token"] < 100_000 for side in result.sides)
    assert [0 < bar.value < 20 for bar in result.bars] == [True, True]


def test_the_slower_steps_of_a_window_do_not_count() -> None:
    quick, slow = {"seconds": 0.002, "tokens": 100}, {"seconds": 0.02, "tokens": 100}
    assert flat._quick([slow, quick, slow, quick, quick, slow]) == pytest.approx(20)
