"""The benchmark of open pages, on a rehearsal: it finds what the pages show, and no cheaper than it is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Browser

from backend.benchmarks import pages
from backend.benchmarks.studio_process import StudioProcess
from studio.jobs import folder as job_folder
from studio.jobs import queue
from studio.workspace import Workspace


@pytest.mark.full
def test_open_pages_are_measured(chromium: Browser, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PAGES", 2)
    monkeypatch.setattr(pages, "WATCHED_SECONDS", 3)
    monkeypatch.setattr(pages, "LONG", 500)
    settings = SimpleNamespace(rounds=1, model="tiny")
    bench: Any = SimpleNamespace(scratch=workspace, settings=settings, say=lambda text: None)
    run = job_folder.create(workspace, "rehearsal", {"dataset": "desk", "model": "tiny", "steps": 5000, "seconds": 0.1})
    with StudioProcess(workspace) as studio:
        studio.wait_until_ready()
        (watched,) = pages._watch(bench, chromium, studio, run)
        queue.stop(workspace, run)
        opened = pages._open(bench, chromium, studio)
    assert 0 < watched["share_of_a_core"] < 2
    # A page asks again after a second, so of many steps some wait for that; none is drawn before it was logged.
    assert len(watched["waits"]) > 10 and max(watched["waits"]) > 0.2 and min(watched["waits"]) > -0.01
    assert watched["bytes"] and opened["link"][0] > 0 and opened["address"][0] > 0
    assert 0 < opened["bytes"] < 5000  # one step of 501
