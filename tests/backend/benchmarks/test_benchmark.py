"""Benchmarks: ratios within a round, figures of a process taken from outside, and the command that runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backend.benchmarks import environments, measured, ours
from backend.benchmarks.bench import SCRATCH
from backend.benchmarks.contest import Contest
from backend.benchmarks.ours import Ran
from studio import gpus
from studio.benchmarks import BENCHMARKS, Bar, module
from studio.commands import benchmark, run
from studio.errors import StudioError
from studio.gpus import Gpu
from studio.jobs import folder as job_folder
from studio.jobs import local
from studio.settings.benchmark import BenchmarkSettings
from studio.settings.train import TrainSettings
from studio.workspace import Workspace
from tests.tiny import tiny_model
from tests.worlds import gone, start_worker, wait

ROOT = Path(__file__).resolve().parents[3]


def test_each_is_a_module_that_measures() -> None:
    for name in BENCHMARKS:
        file = ROOT / (module(name).replace(".", "/") + ".py")
        assert "def measure(bench: Bench" in file.read_text(encoding="utf-8"), name


def test_what_is_compared_are_settings_of_ours() -> None:
    TrainSettings.model_validate({"dataset": "d", **ours.WORK})


def test_a_ratio_is_the_median_of_those_within_a_round() -> None:
    """The machine was three times as slow in the second round, for both."""
    taken = {
        "theirs": [Ran(10, 11, 9, 2_000, 1.00, 0), Ran(30, 31, 9, 2_000, 1.00, 0), Ran(12, 13, 9, 2_200, 1.0, 0)],
        "ours": [Ran(4, 5, 3, 1_000, 1.01, 500), Ran(10, 11, 3, 1_000, 1.01, 500), Ran(3, 4, 3, 1_100, 1.01, 500)],
    }
    said: list[str] = []
    bench: Any = SimpleNamespace(settings=SimpleNamespace(rounds=3), say=said.append)
    contest = Contest(bench, {name: iter(rans).__next__ for name, rans in taken.items()})
    assert contest.faster("ours", "theirs") == 3.0
    assert contest.ratio("memory", "ours", "theirs") == 0.5
    assert contest.apart("ours", "theirs") == pytest.approx(0.01)
    theirs, our = contest.lines()
    assert theirs["tokens_per_second"] == 500 / 12 and our["tokens_per_second"] == 125
    assert len(said) == 6 and "gpu_memory_gb" not in our


def test_on_a_gpu_its_memory_is_compared() -> None:
    taken = {"theirs": Ran(10, 11, 9, 2_000, 1.0, gpu=8_000_000_000), "ours": Ran(4, 5, 3, 4_000, 1.0, 500, 10**9)}
    bench: Any = SimpleNamespace(settings=SimpleNamespace(rounds=1), say=lambda _: None)
    contest = Contest(bench, {name: lambda ran=ran: ran for name, ran in taken.items()})  # type: ignore[misc]
    assert contest.ratio("memory", "ours", "theirs") == 1 / 8
    assert [line["gpu_memory_gb"] for line in contest.lines()] == [8, 1]


def test_what_a_process_takes_of_a_gpu_is_seen_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The highest, less what others had before; a driver tells 3, 5 and then always 4 GB."""
    told = [3, 5, 4]
    gpu = Gpu("a GPU", 24 * 10**9, 0, 0, (9, 0))

    def now() -> tuple[Gpu, ...]:
        return (replace(gpu, memory_used=(told.pop(0) if len(told) > 1 else told[0]) * 10**9),)

    monkeypatch.setattr(gpus, "gpus", now)
    assert python(tmp_path, "import time; time.sleep(0.5)").gpu == 2 * 10**9


def test_a_bar_is_reached_from_its_side() -> None:
    assert Bar("faster", 2.5, 2.5).reached and not Bar("faster", 2.4, 2.5).reached
    assert Bar("smaller", 0.8, 0.8, at_most=True).reached and not Bar("smaller", 0.81, 0.8, at_most=True).reached


def python(tmp_path: Path, code: str) -> measured.Measured:
    return measured.run(
        [sys.executable, "-c", code], tmp_path / "out", cwd=tmp_path, env=measured.environment(SAID="yes")
    )


def test_memory_time_and_output_are_those_of_the_process(tmp_path: Path) -> None:
    code = "import os, time; big = bytearray(300_000_000); big[::4096] = b'x' * len(big[::4096]); del big\n"
    code += "print(os.environ['SAID'])\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    found = python(tmp_path, code)
    assert found.output.strip() == "yes"
    assert 300e6 < found.peak < 400e6
    assert found.processor > 0.2 and found.seconds > 0.3


def test_a_process_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="no such thing"):
        python(tmp_path, "raise SystemExit('no such thing')")


@pytest.mark.full
def test_the_command_measures_and_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workspace = tmp_path / "w"
    tiny_model(workspace / "models" / "tiny")
    data = tmp_path / "rows.jsonl"
    rows = [{"question": f"What is {n}?", "answer": f"It is {n}."} for n in range(8)]
    data.write_text("\n".join(json.dumps(row) for row in rows))
    place = ["--workspace", str(workspace), "--json"]
    given = ["speed", "--data", str(data), "--model", "tiny", "--rows", "8", "--rounds", "1"]
    assert run("benchmark", [*given, *place]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [side["side"] for side in result["sides"]] == ["fast", "lean"]
    for side in result["sides"]:
        assert side["number_format"] in ("float32", "bfloat16")
        assert 0 < side["reached_gflops"] < side["peak_gflops"] and 0 < side["share_of_the_peak"] < 1
    assert len(result["bars"]) == 2 and result["machine"] and result["settings"]["data"] == "rows.jsonl"
    assert not list((workspace / "jobs" / result["id"]).glob(".benchmark-*"))  # its own workspace is gone
    assert "| at most 0.02 |" in benchmark.show(result)


def test_what_it_cannot_measure_with_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FLEXTUNE_REAL_DATA", raising=False)
    workspace = tmp_path / "w"
    place = ["--workspace", str(workspace), "--json"]
    assert run("benchmark", ["fastest", *place]) == 1
    assert "llama-factory" in json.loads(capsys.readouterr().out)["error"]["why"]
    tiny_model(workspace / "models" / "tiny")
    assert run("benchmark", ["speed", "--model", "tiny", *place]) == 1
    assert "--data" in json.loads(capsys.readouterr().out)["error"]["next"]
    assert run("benchmark", place) == 0
    assert set(json.loads(capsys.readouterr().out)["benchmarks"]) == set(BENCHMARKS)
    assert os.environ.get("FLEXTUNE_REAL_DATA") is None


HANGS = """
import os, pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=True)
pathlib.Path({pids!r}).write_text(f"{{os.getpid()}} {{child.pid}}")
time.sleep(1000)
"""


@pytest.fixture
def under_way(workspace: Workspace, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path, list[int]]]:
    """A benchmark against TRL in the middle of TRL's training, which never ends; its folder and TRL's processes."""
    tiny_model(workspace.models / "tiny")
    data = tmp_path / "rows.jsonl"
    data.write_text("\n".join(json.dumps({"question": f"What is {n}?", "answer": f"It is {n}."}) for n in range(8)))
    place = workspace.root / environments.HOME / f"trl-{environments.TRL}"
    place.mkdir(parents=True)
    (place / environments.READY).touch()
    (place / "datasets.py").write_text(HANGS.format(pids=str(tmp_path / "pids")))  # the first thing it imports
    left = workspace.root / "jobs" / "killed-before" / f"{SCRATCH}abc"
    left.mkdir(parents=True)
    given = BenchmarkSettings(name="trl", data=str(data), model="tiny", rows=8, rounds=1)
    folder = job_folder.create(workspace, "benchmark", given.model_dump(mode="json"))
    worker = start_worker(folder, "benchmark")
    wait(lambda: (tmp_path / "pids").exists() and len((tmp_path / "pids").read_text().split()) == 2, folder)
    yield worker, folder, [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    worker.kill()
    assert not left.exists()


def test_stopped_it_is_stopped_and_nothing_goes_on(under_way: Any) -> None:
    worker, folder, pids = under_way
    local.stop(folder)
    assert worker.wait(timeout=60) == 0
    assert job_folder.status(folder) == "stopped"
    assert all(gone(pid) for pid in pids)
    assert not list(folder.glob(f"{SCRATCH}*"))


def test_killed_it_takes_the_other_trainer_along(under_way: Any) -> None:
    worker, folder, pids = under_way
    worker.kill()
    worker.wait()
    assert job_folder.status(folder) == "interrupted"
    wait(lambda: all(gone(pid) for pid in pids), folder)
