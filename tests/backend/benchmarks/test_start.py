"""The benchmark of a start measures a real studio."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from backend.benchmarks import start
from studio.workspace import Workspace


def test_a_start_is_measured_from_the_command_to_the_page(workspace: Workspace) -> None:
    bench: Any = SimpleNamespace(scratch=workspace)
    found = start._start(bench, start._fetched, True)
    assert 0 < found["first_byte_seconds"] < found["usable_seconds"]
    assert 50 < found["memory_megabytes"] < 2000 and found["files_of_torch"] == 0
    assert start._medians([{"a": 1.0}, {"a": 5.0, "b": 2.0}, {"a": 3.0}]) == {"a": 3.0, "b": 2.0}
