"""Other trainers are fetched once by the real pip, into the workspace; a set-up that broke off begins anew."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.benchmarks import environments
from backend.benchmarks.bench import Bench
from backend.job import Job, StopRequested
from studio.errors import NoRoom, Offline
from studio.jobs import folder as job_folder
from studio.jobs import local
from studio.preferences import Preferences, write
from studio.settings.benchmark import BenchmarkSettings
from studio.workspace import Workspace

ABOUT = f"trl-{environments.TRL}.dist-info"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes packages from, and from nowhere else; it has a trl of one line."""
    folder = tmp_path / "index"
    folder.mkdir()
    with zipfile.ZipFile(folder / f"trl-{environments.TRL}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("trl/__init__.py", "HERE = 'yes'\n")
        wheel.writestr(f"{ABOUT}/METADATA", f"Metadata-Version: 2.1\nName: trl\nVersion: {environments.TRL}\n")
        wheel.writestr(f"{ABOUT}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{ABOUT}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def bench(workspace: Workspace, tmp_path: Path) -> Iterator[Bench]:
    job = Job(job_folder.create(workspace, "benchmark", {"name": "trl"}))
    with job.log, job.metrics:
        yield Bench(job, BenchmarkSettings(name="trl"), Workspace.open(tmp_path / "scratch"))


def test_it_is_fetched_into_the_workspace_and_only_once(index: Path, bench: Bench) -> None:
    half = bench.job.workspace.root / environments.HOME / f"trl-{environments.TRL}"
    (half / "trl").mkdir(parents=True)
    (half / "trl" / "half.py").touch()  # a set-up was killed here
    place = environments.trl(bench)
    assert place == half and "yes" in (place / "trl" / "__init__.py").read_text()
    assert not (place / "trl" / "half.py").exists()
    next(index.iterdir()).unlink()
    assert environments.trl(bench) == place


def test_what_can_not_be_fetched_is_said_and_not_taken_for_whole(
    index: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = next(index.iterdir())
    wheel.rename(index / "away")
    with pytest.raises(Offline, match="trl"):
        environments.trl(bench)
    (index / "away").rename(wheel)
    monkeypatch.setattr(environments, "TRL_GB", 1e9)
    with pytest.raises(NoRoom, match="GB are free"):
        environments.trl(bench)
    monkeypatch.setattr(environments, "TRL_GB", 0.0)
    write(bench.job.workspace, Preferences(offline=True))
    with pytest.raises(Offline, match="stay offline"):
        environments.trl(bench)
    write(bench.job.workspace, Preferences())
    local.stop(bench.job.folder)
    with pytest.raises(StopRequested):
        environments.trl(bench)
    (bench.job.folder / job_folder.STOP).unlink()
    assert (environments.trl(bench) / "trl").is_dir()
