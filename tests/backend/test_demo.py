"""“Try the sample” as a job, on the tiny model through its settings: killed, stopped, taken up again, finished."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio import events, journey, logs, runs
from studio.errors import NotFound, Refused
from studio.jobs import folder as job_folder
from studio.jobs import queue
from studio.workspace import Workspace
from tests.worlds import wait

GIVEN = {"model": "tiny", "max_steps": 150, "eval_rows": 8, "samples": 0, "eval_steps": 50, "save_steps": 10}


@pytest.fixture
def ready(workspace: Workspace, tiny: Path) -> Workspace:
    shutil.copytree(tiny, workspace.models / "tiny")
    return workspace


def until(workspace: Workspace, folder: Path, true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    deadline = time.monotonic() + 120
    while not true(state := journey.state(workspace, folder)):
        assert time.monotonic() < deadline, state
        time.sleep(0.05)
    return state


def training(state: dict[str, Any]) -> bool:
    part = state["parts"][2]
    return part["status"] == "running" and "loss" in (part.get("text") or "")


@pytest.mark.full
def test_it_goes_on_after_a_kill_and_after_a_stop(ready):
    folder = journey.start(ready, GIVEN)
    assert journey.start(ready) == folder  # a second page joins it
    state = until(ready, folder, training)
    assert [part["status"] for part in state["parts"]] == ["finished", "finished", "running", "waiting"]
    assert state["parts"][0]["text"] == "Already here." and 0 < state["parts"][2]["share"] <= 1

    os.kill(logs.read(folder / events.EVENTS)[0][1]["pid"], signal.SIGKILL)
    until(ready, folder, lambda state: state["status"] == "interrupted")
    assert journey.start(ready) == folder
    assert until(ready, folder, lambda state: state["status"] == "running")["parts"][2]["id"] == state["parts"][2]["id"]

    if job_folder.status(ready.runs / state["parts"][2]["id"]) != "finished":
        assert journey.stop(ready, folder.name) in ("stopping", "stopped")
        stopped = until(ready, folder, lambda state: state["status"] == "stopped")
        assert stopped["parts"][2]["status"] in ("stopped", "finished")
        wait(lambda: queue.holder(ready) is None)  # a moment after its last word
        assert journey.start(ready) == folder

    done = until(ready, folder, lambda state: state["status"] not in ("running", "queued"))
    assert done["status"] == "finished", done
    assert [part["status"] for part in done["parts"]] == ["finished"] * 4
    result = done["result"]
    assert result["rows"] == 120 and len(result["pairs"]) == 3 and result["metrics"]["exact_match"]["sentence"]
    assert [run.id for run in runs.list_runs(ready)] == [result["run"]]
    with pytest.raises(Refused):
        journey.stop(ready, folder.name)


def test_what_a_part_says_when_it_fails_is_what_the_whole_says(ready):
    folder = journey.start(ready, {**GIVEN, "model": "nobody"})
    state = until(ready, folder, lambda state: state["status"] not in ("running", "queued"))
    assert state["status"] == "failed" and "nobody" in state["error"]["what"] and state["error"]["next"]
    assert state["parts"][3]["status"] == "waiting" and state["result"] is None


def test_only_a_sample_run_is_one(ready):
    assert journey.latest(ready) is None
    other = job_folder.create(ready, "import_data", {"source": "/nowhere", "name": "demo"}, "demo")
    assert journey.latest(ready) is None
    with pytest.raises(NotFound):
        journey.open_one(ready, other.name)
