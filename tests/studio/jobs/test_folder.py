"""Whether a job's worker lives, asked by many at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock

from studio import applied, events
from studio.jobs import folder
from studio.logs import Log
from studio.workspace import Workspace


def test_looks_do_not_take_each_other_for_a_worker(tmp_path: Path) -> None:
    path = tmp_path / folder.LOCK
    with ThreadPoolExecutor(8) as many:
        assert not any(many.map(folder.held, [path] * 4000))
        with FileLock(path, is_singleton=False):
            assert all(many.map(folder.held, [path] * 8))


def test_a_job_that_ends_while_it_is_looked_at_is_told_with_its_result(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last word and the end of its lock fall between the reading of its events and the look at the lock."""
    job = folder.create(workspace, "predict", {"run": "r", "file": "mails.csv", "output": "answers.csv"})
    with Log(job / events.EVENTS) as log:
        log.append("starting", pid=1)

        def ended(path: Path) -> bool:
            log.append("finished", rows=2, answered=2)
            return False

        monkeypatch.setattr(folder, "alive", ended)
        told = applied.summary(job)
    assert (told["status"], told["rows"], told["answered"]) == ("finished", 2, 2)
