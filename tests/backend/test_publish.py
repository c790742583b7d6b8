"""A dataset goes to the hub in one commit, and only where its owner may write."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from studio.commands import publish
from studio.commands.frame import Context
from studio.datasets.importing.steps import import_file
from studio.datasets.store import Dataset
from studio.errors import StudioError
from studio.jobs import folder as job_folder
from studio.jobs import follow
from studio.jobs.follow import Terminal
from studio.preferences import Preferences, write
from studio.settings.importing import ImportSettings
from studio.settings.publishing import PublishSettings
from tests.worlds import ROOT

TOKEN = "hf_" + "x" * 30


class Hub(ThreadingHTTPServer):
    """What of the hub a commit of small files needs, with its answers; `files` is what arrived."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.files: dict[str, bytes] = {}
        self.private: bool | None = None  # None: there is no repository
        self.broken = False
        self.created: list[dict[str, Any]] = []
        self.commits = 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Answer(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: object) -> None:
        pass

    def say(self, answer: Any, status: int = 200) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        if self.server.private is None:
            return self.say({"error": "Repository not found"}, 404)
        if "/resolve/" in self.path:
            data = self.server.files[self.path.partition("/resolve/")[2].partition("/")[2]]
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            return
        tree = [
            {"type": "file", "path": name, "oid": "0" * 40, "size": len(data)}
            for name, data in self.server.files.items()
        ]
        if "/tree/" in self.path:
            return self.say(tree)
        siblings = [{"rfilename": name} for name in self.server.files]
        self.say({"id": "anna/desk", "sha": "1" * 40, "siblings": siblings, "private": self.server.private})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            return self.say({"error": "Invalid username or password."}, 401)
        if self.path == "/api/repos/create":
            if self.server.private is not None:
                return self.say({"error": "You already created this dataset repo"}, 409)
            self.server.created.append(json.loads(body))
            self.server.private = self.server.created[-1]["visibility"] == "private"
            return self.say({"url": f"{self.server.url}/datasets/anna/desk"})
        if self.path == "/api/validate-yaml":
            return self.say({"errors": [], "warnings": []})
        if "/preupload/" in self.path:
            names = [file["path"] for file in json.loads(body)["files"]]
            return self.say(
                {"files": [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names]}
            )
        if self.server.broken:
            return self.say({"error": "down"}, 501)  # 500 and its like are tried again for twenty seconds
        assert self.path == "/api/datasets/anna/desk/commit/main", self.path
        for line in map(json.loads, body.splitlines()):
            if line["key"] == "file":
                self.server.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            elif line["key"] == "deletedFile":
                self.server.files.pop(line["value"]["path"], None)
        self.server.commits += 1
        self.say({"commitUrl": f"{self.server.url}/datasets/anna/desk/commit/1", "commitOid": "1" * 40})


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def desk(workspace):
    source = ROOT / "assets" / "starter" / "support-desk.csv"
    import_file(workspace, ImportSettings(source=str(source), name="desk"))
    return Dataset.open(workspace, "desk")


def send(workspace, **given: Any) -> dict[str, Any]:
    settings = PublishSettings.model_validate({"dataset": "desk", "repo": "anna/desk", **given})
    folder = job_folder.create(workspace, "publish", settings.model_dump(mode="json"))
    return follow.start_and_follow(workspace, folder, Terminal())


def test_all_rows_and_a_card_arrive_and_load_again(workspace, desk, hub, tmp_path):
    result = send(workspace, licence="cc-by-4.0")
    assert result["address"] == f"{hub.url}/datasets/anna/desk" and hub.commits == 1
    assert hub.created[0]["visibility"] == "private" and hub.created[0]["type"] == "dataset"
    assert set(hub.files) == {"README.md", "data/train.jsonl", "data/validation.jsonl", "data/test.jsonl"}
    card = hub.files["README.md"].decode()
    assert card.startswith("---\npretty_name: ") and "license: cc-by-4.0" in card and "| train | 240 |" in card
    folder = tmp_path / "back"
    for name, data in hub.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    import datasets

    loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    assert {side: len(rows) for side, rows in loaded.items()} == {"train": 240, "validation": 40, "test": 120}
    assert [row["row_id"] for row in loaded["test"]] == [row.row_id for row in desk.rows(None, "test")]
    written = "".join(
        path.read_text("utf-8", "replace")
        for path in workspace.root.rglob("*")
        if path.suffix in (".json", ".jsonl", ".log")
    )
    assert TOKEN not in written and not list(workspace.jobs.glob("*/files-*"))


def test_what_is_gone_here_is_gone_there(workspace, desk, hub):
    hub.files = {"data/validation.jsonl": b"{}\n", "data/old.jsonl": b"{}\n", "notes.md": b"mine"}
    hub.private = True
    send(workspace, replace=True)
    assert "data/old.jsonl" not in hub.files and hub.files["notes.md"] == b"mine"
    hub.files["data/old.jsonl"] = b"{}\n"
    send(workspace)  # the card says whose it is
    assert "data/old.jsonl" not in hub.files and hub.commits == 2 and not hub.created


def test_a_new_repository_is_public_when_asked(workspace, desk, hub):
    send(workspace, public=True)
    assert hub.created[0]["visibility"] == "public"


def test_what_everybody_sees_is_not_written_to_unless_asked(workspace, desk, hub):
    hub.private = False
    with pytest.raises(StudioError, match="is public") as caught:
        send(workspace, replace=True)
    assert "--public" in caught.value.next and not hub.files and hub.commits == 0
    send(workspace, public=True)
    assert hub.commits == 1


@pytest.mark.parametrize("there", [{"notes.md": b"mine"}, {"README.md": b"# Mine", "data/train.jsonl": b"{}"}])
def test_files_of_others_are_left_alone_unless_asked(workspace, desk, hub, there):
    hub.private, hub.files = True, {".gitattributes": b"", **there}
    before = dict(hub.files)
    with pytest.raises(StudioError, match="did not write") as caught:
        send(workspace)
    assert "--replace" in caught.value.next and hub.files == before


def test_an_empty_repository_is_filled_and_a_failure_says_it_may_be_there(workspace, desk, hub):
    hub.broken = True
    with pytest.raises(StudioError, match="has a problem") as caught:
        send(workspace)
    assert "empty repository may have been made" in caught.value.next and hub.private is True
    hub.broken = False
    send(workspace)
    assert hub.commits == 1


@pytest.mark.parametrize(
    ("repo", "words"),
    [("desk", "owner/name"), ("a/b/c", "owner/name"), ("../desk", "owner/name"), ("a/" + "b" * 200, "")],
)
def test_a_name_that_is_none_is_refused_before_anything_is_made(workspace, desk, repo, words):
    from studio.settings.base import check

    with pytest.raises(StudioError) as caught:
        check(PublishSettings, {"dataset": "desk", "repo": repo}, "This can't be published.")
    assert words in caught.value.why and caught.value.field == "repo"


def test_who_may_not_write_is_told_what_to_do(workspace, desk, hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(StudioError, match="does not let you write") as caught:
        send(workspace)
    assert "HF_TOKEN" in caught.value.next and hub.commits == 0


def test_offline_nothing_is_asked(workspace, desk, hub):
    write(workspace, Preferences(offline=True))
    with pytest.raises(StudioError, match="can't be published") as caught:
        send(workspace)
    assert "offline" in caught.value.why and not hub.created


def test_the_command_says_where_it_is(workspace, desk, hub):
    import argparse

    parser = argparse.ArgumentParser()
    publish.add_arguments(parser)
    result = publish.run(parser.parse_args(["desk", "anna/desk"]), Context(workspace, Terminal()))
    assert hub.url in publish.show(result) and Path(workspace.root).exists()
