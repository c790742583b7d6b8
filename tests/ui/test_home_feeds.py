"""What the front page is fed with."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from studio import headroom
from studio.workspace import Workspace
from tests.studio.test_machine import made
from ui import home_feeds


def test_what_fits_is_judged_by_the_memory_that_runs_will_find(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that rests in memory gives way to them."""
    monkeypatch.setattr(headroom, "at_turn", lambda _: (made(memory_available=123 * 10**9), True))
    app = FastAPI()
    app.include_router(home_feeds.router(workspace))
    found = TestClient(app).get("/studio/home/machine").json()
    assert {one["fit"]["free_gb"] for one in found["fits"] if one["model"]} == {123.0}
