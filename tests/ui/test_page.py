"""The page as a whole: what it says when the studio's own code fails."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.testclient import TestClient

from studio.workspace import Workspace
from ui import feeds, page


def test_a_fault_of_the_studio_is_told_and_not_hidden(workspace: Workspace, monkeypatch) -> None:
    """As when its files are updated while it runs, and a module that is only now imported fits no more."""

    def broken(*_: object) -> None:
        raise ImportError("cannot import name 'Machine'")

    monkeypatch.setattr(feeds, "machine", broken)
    app = FastAPI()
    app.include_router(feeds.router(workspace))
    app.add_exception_handler(Exception, page.our_fault)
    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get("/studio/machine")
        assert client.get("/studio/ready").json()["ready"], "the others go on"
    assert answer.status_code == 500
    told = answer.json()["error"]
    assert told["what"] == "The studio itself failed at this." and "cannot import name" in told["why"]
    assert "start it again" in told["next"]


def test_a_fault_after_an_update_says_what_it_comes_from(monkeypatch) -> None:
    app = FastAPI()
    app.add_exception_handler(Exception, page.our_fault)
    app.add_api_route("/", lambda: 1 // 0)
    app.state.edition = page.Edition()
    with TestClient(app, raise_server_exceptions=False) as client:
        assert client.get("/").json()["error"]["what"] == "The studio itself failed at this."
        app.state.edition.name = "before"
        assert client.get("/").json()["error"]["what"] == "The studio was updated while it was open."

        def vanished() -> None:
            raise FileNotFoundError("assets/page/chat.js")

        monkeypatch.setattr(page, "Edition", vanished)
        answer = client.get("/")
    assert answer.status_code == 500 and "ZeroDivisionError" in answer.json()["error"]["why"]
    assert answer.json()["error"]["what"] == "The studio was updated while it was open."
