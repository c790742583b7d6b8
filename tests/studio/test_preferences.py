from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from studio import events, preferences
from studio.errors import Broken, NewerFormat, Offline
from studio.jobs import folder as job_folder
from studio.jobs import local
from studio.preferences import Preferences
from studio.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]


def test_nobody_chose_so_online(workspace: Workspace) -> None:
    assert preferences.read(workspace) == Preferences(offline=False)
    preferences.check_online(workspace, "Nothing is refused.")
    assert preferences.environment(workspace) == {}


def test_offline_is_kept_and_taken_back(workspace: Workspace) -> None:
    preferences.write(workspace, Preferences(offline=True))
    with pytest.raises(Offline, match="told to stay offline") as told:
        preferences.check_online(Workspace.open(workspace.root), "The hub can't be searched.")
    assert told.value.what == "The hub can't be searched." and "Settings" in told.value.next
    preferences.write(workspace, Preferences(offline=False))
    preferences.check_online(workspace, "")


@pytest.mark.parametrize(("text", "error"), [("{", Broken), ("[]", Broken), ('{"format": 99}', NewerFormat)])
def test_a_file_that_cant_be_read_is_not_guessed(workspace: Workspace, text: str, error: type[Exception]) -> None:
    (workspace.root / preferences.FILE).write_text(text)
    with pytest.raises(error):
        preferences.read(workspace)


def test_the_workers_of_an_offline_workspace_are_told(workspace: Workspace) -> None:
    run = job_folder.create(workspace, "rehearsal", {"steps": 1})
    assert local.environment(run).get("PIP_NO_INDEX") is None
    preferences.write(workspace, Preferences(offline=True))
    assert local.environment(run).items() >= {"HF_HUB_OFFLINE": "1", "PIP_NO_INDEX": "1"}.items()


@pytest.mark.parametrize("source", ["starter", "org/model"])
def test_the_command_refuses_at_once(workspace: Workspace, source: str) -> None:
    """No attempt is made: the tests' guard would see one."""
    preferences.write(workspace, Preferences(offline=True))
    command = [sys.executable, "launch.py", "models", "add", source, "--workspace", str(workspace.root), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    error = json.loads(done.stdout)["error"]
    assert done.returncode == 1 and "can't be fetched" in error["what"]
    assert error["why"] == "The studio is told to stay offline." and "Stay offline" in error["next"]


def test_a_job_started_from_a_page_says_the_same(workspace: Workspace) -> None:
    preferences.write(workspace, Preferences(offline=True))
    job = job_folder.create(workspace, "add_model", {"source": "org/model", "name": ""})
    local.start(job)
    deadline = time.monotonic() + 30
    while job_folder.status(job) != "failed":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    while local._children:
        local.reap()
    assert (events.read_state(job).error or {})["why"] == "The studio is told to stay offline."
