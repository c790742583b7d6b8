"""The benchmark of a start measures a real studio."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

from backend.benchmarks import start
from studio.jobs.local import ROOT
from studio.workspace import Workspace
from tests.worlds import gone, wait


def test_a_start_is_measured_from_the_command_to_the_page(workspace: Workspace) -> None:
    bench: Any = SimpleNamespace(scratch=workspace)
    found = start._start(bench, start._fetched, True)
    assert 0 < found["first_byte_seconds"] < found["usable_seconds"]
    assert 50 < found["memory_megabytes"] < 2000 and found["files_of_torch"] == 0
    assert start._medians([{"a": 1.0}, {"a": 5.0, "b": 2.0}, {"a": 3.0}]) == {"a": 3.0, "b": 2.0}


def test_a_killed_benchmark_leaves_no_studio_behind(workspace: Workspace) -> None:
    code = f"""
from pathlib import Path
from backend.benchmarks.studio_process import StudioProcess
from studio.workspace import Workspace
with StudioProcess(Workspace(Path({str(workspace.root)!r}))) as studio:
    studio.first_byte()
    print(studio.process.pid, flush=True)
    input()
"""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdin=pipe, stdout=pipe) as benchmark:
        assert benchmark.stdout
        studio = int(benchmark.stdout.readline())
        assert not gone(studio)
        benchmark.kill()
    wait(lambda: gone(studio))
