"""The list of runs tells what changed, and nothing twice."""

from __future__ import annotations

import shutil
import time

import pytest

from studio import runs
from studio.jobs import folder as job_folder
from studio.logs import Log
from studio.settings.train import TrainSettings
from studio.workspace import Workspace
from ui.run_list import RunList


@pytest.fixture
def listed(workspace: Workspace) -> RunList:
    return RunList(workspace)


def made(workspace: Workspace, *events: str, **fields: object):
    folder = runs.create(workspace, TrainSettings(dataset="letters"))
    with Log(folder / "events.jsonl") as log:
        for event in events:
            log.append(event, **fields)
    return folder


def news(listed: RunList, since: str = "") -> dict:
    listed.look_again()
    return listed.changes(since)


def test_only_what_changed_is_told(workspace, listed):
    first, second = made(workspace, "starting", "finished"), made(workspace, "starting", "finished")
    told = news(listed)
    assert told["whole"] and [run["id"] for run in told["runs"]] == sorted([first.name, second.name], reverse=True)
    same = news(listed, told["mark"])
    assert (same["runs"], same["gone"], same["whole"], same["mark"]) == ([], [], False, told["mark"])

    runs.write_note(second, "renamed", "")
    third = made(workspace)
    told = news(listed, same["mark"])
    assert {run["id"]: run["name"] for run in told["runs"]} == {second.name: "renamed", third.name: ""}
    assert next(run for run in told["runs"] if run["id"] == third.name)["place"] == 1

    runs.delete(workspace, first.name)
    gone = news(listed, told["mark"])
    assert (gone["runs"], gone["gone"]) == ([], [first.name])
    runs.restore(workspace, first.name)
    back = news(listed, gone["mark"])
    assert ([run["id"] for run in back["runs"]], back["gone"]) == ([first.name], [])


def test_a_mark_of_another_life_gets_everything(workspace, listed):
    made(workspace)
    assert news(listed, RunList(workspace).changes()["mark"])["whole"]
    for odd in ("x", "x.y", ".", f"{listed.life}.-1", f"{listed.life}.9x"):
        assert news(listed, odd)["whole"]


def test_a_killed_worker_and_a_broken_folder_are_noticed(workspace, listed):
    folder = made(workspace, "starting")
    mark = news(listed)["mark"]
    with job_folder.FileLock(folder / job_folder.LOCK):
        told = news(listed, mark)
        assert [run["status"] for run in told["runs"]] == ["running"]
    told = news(listed, told["mark"])
    assert [run["status"] for run in told["runs"]] == ["interrupted"]
    (folder / "settings.json").write_text("{")
    (run,) = news(listed, told["mark"])["runs"]
    assert run["status"] == "broken" and run["error"]["what"]


def test_the_price_of_a_long_list(workspace, listed, capsys):
    """Printed: what one more look costs when nothing has changed in 200 ended runs."""
    folder = made(workspace, "starting", "finished")
    for number in range(199):
        shutil.copytree(folder, folder.with_name(f"run-{number:03}"))
    mark = news(listed)["mark"]
    began = time.perf_counter()
    assert news(listed, mark)["runs"] == []
    with capsys.disabled():
        print(f"\n200 ended runs looked at again in {1000 * (time.perf_counter() - began):.1f} ms")
