"""Files that don't fit into memory are imported and trained on all the same.

Each worker runs as it always does, but the system refuses it more memory than a limit that its file is larger than
(RLIMIT_DATA: all that a process may write to and no file stands behind). What a worker takes for its libraries and
some batches of rows is measured with a small file first; on top of that it gets a fraction of the large one.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from studio import events, logs
from studio.datasets.browsing.index import Index
from studio.datasets.store import Dataset
from studio.jobs import folder as job_folder
from studio.jobs import follow, local
from studio.settings.importing import ImportSettings
from tests.worlds import World, told, world

__all__ = ["world"]

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to what it may write to"),
]
MB = 1 << 20
LOOK_SECONDS = 0.02
ROW_BYTES = 4000
SMALL = 8 * MB
# Allocators that take addresses for a gigabyte before anybody asks would hide what is really needed.
FRUGAL = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "1"}
LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_DATA, ({0}, {0}))
os.execv(sys.argv[1], sys.argv[1:])
"""


@dataclass
class Ended:
    """How a worker ended: its exit code, and the most bytes that it, or one that it started, had written to."""

    code: int
    data: int


def worked(command: list[str], output: Path, limit: int | None = None) -> Ended:
    """Runs a command to its end, under a limit for each of its processes."""
    if limit:
        command = [sys.executable, "-c", LIMITED.format(limit), *command]
    given: dict[str, Any] = {"cwd": local.ROOT, "env": os.environ | FRUGAL}
    with open(output, "ab") as log, subprocess.Popen(command, stdout=log, stderr=log, **given) as process:
        most = 0
        while process.poll() is None:
            most = max(most, *_held(process.pid))
            try:
                process.wait(LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                continue
    return Ended(process.returncode, most)


def _held(pid: int) -> Iterator[int]:
    yield 0
    try:
        process = psutil.Process(pid)
        yield from (one.memory_info().data for one in (process, *process.children(recursive=True)))
    except psutil.Error:  # one has just ended
        return


def worker(folder: Path, job: str, limit: int | None = None) -> Ended:
    return worked([sys.executable, "-m", f"backend.{job}", str(folder)], folder / "output.log", limit)


def written(path: Path, size: int) -> Path:
    """Questions with answers of some four kilobytes, until the file has that size."""
    draw = random.Random(5)
    words = ["".join(draw.choices("abcdefghiklmnoprstuw", k=draw.randint(2, 9))) for _ in range(4000)]
    pages = [" ".join(draw.choices(words, k=120)) for _ in range(500)]
    with open(path, "w", encoding="utf-8") as file:
        number = 0
        while file.tell() < size:
            answer = ""
            while len(answer) < ROW_BYTES:
                answer += draw.choice(pages) + ". "
            file.write(json.dumps({"question": f"What is said of case {number}?", "answer": answer}) + "\n")
            number += 1
    return path


def imported(world: World, source: Path, name: str, limit: int | None = None) -> Ended:
    settings = ImportSettings(source=[str(source)], name=name).model_dump(mode="json")
    folder = job_folder.create(world.workspace, "import_data", settings)
    ended = worker(folder, "import_data", limit)
    assert ended.code == 0 and logs.last(folder / events.EVENTS)["type"] == "finished", (
        folder / "output.log"
    ).read_text()
    stop_index(world, name)
    return ended


def stop_index(world: World, name: str) -> None:
    """Ends the index that an import begins by itself: it would work beside what is measured next."""
    state = Index(Dataset.open(world.workspace, name), 1).state(world.workspace)
    if state.job:
        local.stop(world.workspace.jobs / state.job)
        follow.follow(world.workspace, world.workspace.jobs / state.job)


def trained(world: World, name: str, limit: int | None = None) -> Ended:
    run = world.run(dataset=name, max_steps=4, eval_rows=20, eval_steps=2, samples=0)
    ended = worker(run, "train", limit)
    assert ended.code == 0 and logs.last(run / events.EVENTS)["type"] == "finished", (run / "output.log").read_text()
    assert told(run, "preflight")[0]["rows"] == Dataset.open(world.workspace, name).counts(1)["train"]
    return ended


def tell(what: str, size: int, base: int, limit: int, ended: Ended) -> None:
    told = ", ".join(f"{words} {number / MB:.0f} MB" for words, number in (
        ("file", size), ("with few rows", base), ("limit", limit), ("most held", ended.data)
    ))  # fmt: skip
    print(f"{what}: {told}")


def test_the_limit_is_one(tmp_path: Path) -> None:
    """Else the others would show nothing: what takes as much memory as a file has bytes is refused it."""
    whole = [sys.executable, "-c", f"held = bytearray({400 * MB}); held[::4096] = b'x' * len(held[::4096])"]
    assert worked(whole, tmp_path / "out").code == 0
    assert worked(whole, tmp_path / "out", 300 * MB).code != 0
    assert "MemoryError" in (tmp_path / "out").read_text()


def test_a_file_is_imported_in_hardly_more_than_half_the_memory_that_it_has_bytes(world: World, tmp_path: Path) -> None:
    # An import gathers some 32 MB of rows before it writes them.
    base = imported(world, written(tmp_path / "few.jsonl", 8 * SMALL), "few").data
    source = written(tmp_path / "large.jsonl", 800 * MB)
    size = source.stat().st_size
    limit = base + size // 6
    assert limit < 0.6 * size, f"the import needs {base / MB:.0f} MB with few rows: take a larger file"
    tell("import", size, base, limit, imported(world, source, "large", limit))
    dataset = Dataset.open(world.workspace, "large")
    assert sum(dataset.counts(1).values()) == dataset.version_info(1)["rows"] > 170_000


def test_a_training_streams_rows_that_would_not_fit(world: World, tmp_path: Path) -> None:
    imported(world, written(tmp_path / "few.jsonl", SMALL), "few")
    base = trained(world, "few").data
    source = written(tmp_path / "large.jsonl", 240 * MB)
    size = source.stat().st_size
    imported(world, source, "large")
    limit = base + size // 4
    tell("training", size, base, limit, trained(world, "large", limit))
