"""What the Train page is fed with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from studio import headroom
from studio.workspace import Workspace
from tests.studio.test_machine import made
from ui import train_feeds


def test_which_models_fit_is_judged_by_the_memory_that_a_run_will_find(
    workspace: Workspace, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that rests in memory gives way to it."""
    shutil.copytree(tiny, workspace.models / "tiny")
    monkeypatch.setattr(headroom, "at_turn", lambda _: (made(memory_available=123 * 10**9), True))
    app = FastAPI()
    app.include_router(train_feeds.router(workspace))
    found = TestClient(app).get("/studio/train/choices").json()
    assert {one["fit"]["free_gb"] for one in found["models"] + found["known"]} == {123.0}
