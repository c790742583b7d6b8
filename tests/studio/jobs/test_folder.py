"""Whether a job's worker lives, asked by many at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from filelock import FileLock

from studio.jobs import folder


def test_looks_do_not_take_each_other_for_a_worker(tmp_path: Path) -> None:
    path = tmp_path / folder.LOCK
    with ThreadPoolExecutor(8) as many:
        assert not any(many.map(folder.held, [path] * 4000))
        with FileLock(path, is_singleton=False):
            assert all(many.map(folder.held, [path] * 8))
