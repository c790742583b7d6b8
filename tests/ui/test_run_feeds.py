"""What the Runs page is fed with."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.responses import JSONResponse

from studio import runs
from studio.errors import StudioError
from studio.jobs import folder as job_folder
from studio.logs import Log
from studio.settings.train import TrainSettings
from studio.workspace import Workspace, broken
from ui import run_feeds


@pytest.fixture
def page(workspace: Workspace) -> TestClient:
    app = FastAPI()
    app.include_router(run_feeds.router(workspace))
    app.add_exception_handler(StudioError, lambda _, error: JSONResponse({"error": broken(error)}, status_code=409))
    return TestClient(app)


def ended(workspace: Workspace, steps: int = 3):
    folder = runs.create(workspace, TrainSettings(dataset="letters"))
    with Log(folder / "events.jsonl") as log, Log(folder / "metrics.jsonl") as metrics:
        log.append("starting", pid=1)
        for step in range(1, steps + 1):
            metrics.append("step", step=step, loss=1 / (3 * step), tokens=100, grad_norm=None)
        log.append("eval", step=steps, loss=0.5)
        log.append("finished", steps=steps)
    return folder


def test_news_go_on_from_where_they_ended(workspace, page):
    folder = ended(workspace)
    first = page.get(f"/studio/runs/{folder.name}/news").json()
    assert first["run"]["status"] == "finished"
    assert first["steps"]["columns"]["step"] == [1, 2, 3]
    assert first["steps"]["columns"]["loss"] == [0.333333, 0.166667, 0.111111]
    assert "learning_rate" not in first["steps"]["columns"] and "log" not in first
    assert [line["text"] for line in first["events"]["lines"]][-1] == "Finished."

    at = {name: first[name]["offset"] for name in ("events", "steps", "samples")}
    again = page.get(f"/studio/runs/{folder.name}/news", params=at).json()
    assert again["steps"] == {"offset": at["steps"], "columns": {}}
    assert again["events"]["lines"] == [] and again["samples"]["lines"] == []
    with Log(folder / "metrics.jsonl") as log:
        log.append("step", step=4, loss=float("nan"))
    more = page.get(f"/studio/runs/{folder.name}/news", params=at).json()["steps"]
    assert more["columns"] == {"step": [4], "loss": [None]} and more["offset"] > at["steps"]


def test_the_log_comes_by_its_end(workspace, page):
    folder = ended(workspace)
    url = f"/studio/runs/{folder.name}/news"
    assert page.get(url, params={"log": 0}).json()["log"] == {"offset": 0, "start": 0, "text": ""}
    (folder / job_folder.OUTPUT).write_bytes(b"x" * 100_000 + "é\nlast".encode())
    told = page.get(url, params={"log": 0}).json()["log"]
    assert told["start"] > 0 and told["text"].endswith("é\nlast") and len(told["text"]) <= run_feeds.LOG_TAIL
    assert page.get(url, params={"log": told["offset"]}).json()["log"]["text"] == ""
    (folder / job_folder.OUTPUT).write_text("anew")
    assert page.get(url, params={"log": told["offset"]}).json()["log"]["text"] == "anew"


def test_a_run_that_is_gone_says_whether_it_can_be_restored(workspace, page):
    folder = ended(workspace)
    assert page.post(f"/studio/runs/{folder.name}/delete").json() == {"id": folder.name}
    told = page.get(f"/studio/runs/{folder.name}/news").json()
    assert told["deleted"]["id"] == folder.name and told["gone"]["what"]
    assert [run["id"] for run in page.get("/studio/deleted-runs").json()["runs"]] == [folder.name]
    page.post(f"/studio/runs/{folder.name}/restore")
    assert "deleted" not in page.get(f"/studio/runs/{folder.name}/news").json()
    for odd in ("nix", "x" * 5000, "%2e%2e"):
        assert page.get(f"/studio/runs/{odd}/news").json()["deleted"] is None


def test_settings_come_as_words_and_as_a_command(workspace, page):
    folder = runs.create(workspace, TrainSettings(dataset="letters", name="a 'b' $c", learning_rate=1e-4))
    told = page.get(f"/studio/runs/{folder.name}/settings").json()
    words = {one["key"]: one["value"] for one in told["settings"]}
    assert words["dataset"] == "letters" and "job" not in words
    assert told["command"].startswith("python3 launch.py train --dataset letters --name ")
    assert "--learning-rate 0.0001" in told["command"]
    rehearsal = job_folder.create(workspace, "rehearsal", {"steps": 5, "seconds": 0.1})
    told = page.get(f"/studio/runs/{rehearsal.name}/settings").json()
    assert [one["title"] for one in told["settings"]] == ["Steps", "Seconds"] and told["command"] == ""


def test_notes_are_kept_and_refused_in_words(workspace, page):
    folder = ended(workspace)
    kept = page.post(f"/studio/runs/{folder.name}/note", json={"name": "<b>", "text": "why"})
    assert kept.json() == {"name": "<b>", "text": "why"}
    assert page.get("/studio/runs").json()["runs"][0]["name"] == "<b>"
    refused = page.post(f"/studio/runs/{folder.name}/note", json={"name": "x" * 121, "text": ""})
    assert refused.status_code == 409 and refused.json()["error"]["field"] == "name"


def test_what_cannot_be_done_is_said(workspace, page):
    folder = ended(workspace)
    for action in ("resume", "fly"):
        answer = page.post(f"/studio/runs/{folder.name}/{action}")
        assert answer.status_code == 409 and answer.json()["error"]["what"]
    waiting = runs.create(workspace, TrainSettings(dataset="letters"))
    assert page.post(f"/studio/runs/{waiting.name}/stop").json()["status"] == "stopped"


def test_a_long_run_is_a_small_answer(workspace, page, capsys):
    folder = ended(workspace, steps=0)
    line = '{"type": "step", "time": 1700000000.123, "step": %d, "loss": %r, "grad_norm": %r, "tokens": 2000}\n'
    text = "".join(line % (step, 1 / step, 3 / step) for step in range(1, 20_001))
    (folder / "metrics.jsonl").write_text(text)
    told = page.get(f"/studio/runs/{folder.name}/news")
    assert len(told.json()["steps"]["columns"]["loss"]) == 20_000
    assert len(told.content) < len(text) / 2
    seconds = told.elapsed.total_seconds()
    with capsys.disabled():
        print(f"\n20,000 steps: {len(text):,} bytes on the disk, {len(told.content):,} told in {seconds:.2f} s")
