from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from studio import engines
from studio.engine_client import EngineClient
from studio.errors import JobFailed, NotFound, Refused
from studio.jobs import folder as job_folder
from studio.jobs import local
from studio.logs import Log
from studio.workspace import Workspace
from tests import adapters
from tests.backend.conftest import dataset

ASK = [{"role": "user", "content": "Where is my parcel?"}]


def wait_for(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


@pytest.fixture
def run(workspace: Workspace, tiny: Path, tmp_path: Path) -> Iterator[Path]:
    """A run that can answer; its engines are ended after the test."""
    model = adapters.install(tiny, workspace)
    dataset(workspace, tmp_path)
    made = adapters.run(workspace, "desk", "tiny")
    adapters.adapter(model, made / "adapter")
    yield made
    for name in workspace.names("jobs"):
        local.stop(workspace.jobs / name)
    wait_for(lambda: local.reap() or not local._children)


def test_an_engine_is_found_again_and_replaced_when_the_weights_change(workspace: Workspace, run: Path) -> None:
    assert engines.state(workspace, run.name).phase == "off"
    with pytest.raises(JobFailed, match="No model is loaded"):
        engines.client(workspace, run.name)
    folder = engines.start(workspace, run.name)
    assert engines.state(workspace, run.name).phase in ("loading", "ready")
    EngineClient.wait(folder)
    ready = engines.state(workspace, run.name)
    assert ready.phase == "ready" and ready.loaded and set(ready.weights) == {"base", "tuned"}
    assert [one.folder for one in engines.holding(workspace)] == [folder.name]
    assert engines.start(Workspace(workspace.root), run.name[-4:]) == folder  # as another studio does
    before = engines.client(workspace, run.name).pair(ASK, {"max_new_tokens": 4})["tuned"]["weights"]

    adapters.adapter(workspace.models / "tiny", run / "adapter", seed=5)
    assert engines.start(workspace, run.name) == folder
    EngineClient.wait(folder)
    after = engines.client(workspace, run.name).pair(ASK, {"max_new_tokens": 4})["tuned"]["weights"]
    assert after != before
    assert len(workspace.names("jobs")) == 1

    engines.stop(workspace, run.name)
    wait_for(lambda: engines.state(workspace, run.name).phase == "off")
    wait_for(lambda: not engines.holding(workspace))  # it has its memory until it is gone


def test_a_third_engine_takes_the_place_of_the_oldest(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines that do nothing but live: their locks are held here."""
    monkeypatch.setattr(local, "start", lambda folder: 0)
    made, locks = [], []
    for _ in range(4):
        made.append(adapters.run(workspace, "desk", "tiny"))
        (made[-1] / "adapter").mkdir()

    def lives(run: Path, beside: str | None = None) -> Path:
        folder = engines.start(workspace, run.name, beside)
        with Log(folder / "events.jsonl") as log:
            log.append("starting", pid=0)
        locks.append(FileLock(folder / "lock", is_singleton=False))
        locks[-1].acquire()
        return folder

    first, second = lives(made[0]), lives(made[1])
    lives(made[2])
    assert [job_folder.status(folder) for folder in (first, second)] == ["stopping", "running"]
    assert len(engines.holding(workspace)) == 3  # one that is ending has its memory still
    lives(made[3], beside=made[1].name)
    assert job_folder.status(second) == "running"
    for lock in locks:
        lock.release()


def test_what_can_not_answer_says_why(workspace: Workspace, run: Path) -> None:
    with pytest.raises(NotFound):
        engines.start(workspace, "gone")
    bare = adapters.run(workspace, "desk", "tiny")
    with pytest.raises(Refused, match="no trained weights"):
        engines.start(workspace, bare.name)
    (workspace.models / "tiny").rename(workspace.root / "trash" / "tiny")
    engines.start(workspace, run.name)
    wait_for(lambda: engines.state(workspace, run.name).phase == "failed")
    assert "is missing" in (engines.state(workspace, run.name).error or {})["what"]
