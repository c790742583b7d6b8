"""The feeds of the import form: several files, what documents become, the hub, merging."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient

from studio import preferences
from studio.datasets.importing.steps import import_file
from studio.datasets.reading import archives
from studio.errors import StudioError
from studio.jobs import folder as job_folder
from studio.settings.importing import ImportSettings
from tests.backend import fake_hub
from tests.backend.fake_hub import Repo
from tests.studio.datasets.malformed import packed
from ui import import_feeds
from ui.telling import words


@pytest.fixture
def page(workspace):
    app = FastAPI()
    app.include_router(import_feeds.router(workspace, 10**6))
    for kind in (StudioError, OSError):
        app.add_exception_handler(kind, lambda _, error: JSONResponse({"error": words(error)}, status_code=409))
    return TestClient(app)


def rows(start: int, count: int) -> bytes:
    return "".join(
        json.dumps({"question": f"q{n}", "answer": "a"}) + "\n" for n in range(start, start + count)
    ).encode()


def send(page: TestClient, name: str, data: bytes, upload: str = "") -> str:
    answer = page.post("/studio/imports/upload", params={"name": name, "upload": upload}, content=data)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["upload"])


def preview(page: TestClient, **body) -> dict:
    return dict(page.post("/studio/imports/preview", json=body).json())


def test_several_files_of_one_upload_are_previewed_together(page):
    upload = send(page, "train.jsonl", rows(0, 6))
    assert send(page, "test.jsonl", rows(6, 2), upload) == upload
    found = preview(page, upload=upload)
    assert (found["file"], found["bytes"]) == ("test.jsonl and 1 more", len(rows(0, 8)))
    assert found["sides"] == {"train": 6, "validation": 0, "test": 2}
    assert {row["file"] for row in found["rows"]} == {"test.jsonl", "train.jsonl"}


def test_rows_of_a_preview_are_short_until_they_are_asked_for_whole(page):
    turns = [{"role": role, "content": role * 1000} for role in ("user", "assistant") * 6]
    upload = send(page, "talk.jsonl", (json.dumps({"messages": turns}) + "\n").encode() * 2)
    first, second = preview(page, upload=upload, opened=[1])["rows"]
    assert (len(first["messages"]), first["more"], len(first["messages"][0]["content"])) == (4, 8, 1501)
    assert (len(second["messages"]), second["more"], second["messages"][0]["content"]) == (12, 0, "user" * 1000)


@pytest.mark.parametrize("data", [rows(0, 6), b"a,b\n1,2\n"])
def test_a_preview_unpacks_below_the_workspace_and_tidies_up(page, workspace, monkeypatch, data):
    upload = send(page, "a.zip", packed({"a.csv" if b"," in data[:2] else "a.jsonl": data}))
    monkeypatch.setattr(tempfile, "tempdir", str(workspace.root / "elsewhere"))
    unpacked = []
    extract = archives.extract
    monkeypatch.setattr(archives, "extract", lambda *given: (unpacked.append(given[3]), extract(*given)))
    found = preview(page, upload=upload)
    assert found["columns"] and unpacked
    uploads = workspace.jobs / ".uploads"
    assert all(uploads in path.parents for path in unpacked)
    assert [path.name for path in uploads.iterdir()] == [upload]


def test_a_document_is_cut_as_the_form_says(page):
    text = "# Fever\n\n" + "Take rest. " * 100 + "\n\n# Cough\n\nDrink tea.\n"
    upload = send(page, "handbook.md", text.encode())
    found = preview(page, upload=upload, chunk=300, overlap=0)
    assert found["cuts"] and found["unit"] == "line" and found["checked"] > 3
    assert (found["rows"][0]["heading"], found["rows"][0]["unit"]) == ("Fever", "line")
    wrong = preview(page, upload=upload, chunk=300, overlap=290)
    assert "more than half" in wrong["error"]["why"]


def test_the_datasets_of_the_hub_are_looked_up(page, workspace, monkeypatch):
    with fake_hub.serving() as hub:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        files = {"train.parquet": b"x" * 10, "test.parquet": b"y" * 5}
        hub.repos["datasets/org/data"] = Repo(files, card={"license": "mit"})
        found = page.post("/studio/imports/hub", json={"dataset": "https://huggingface.co/datasets/org/data"}).json()
        assert (found["dataset"], found["licence"]) == ("org/data", "mit")
        assert found["configs"] == {"default": {"train": 10, "test": 5}}
        wrong = page.post("/studio/imports/hub", json={"dataset": "org/none"})
        assert wrong.status_code == 409 and "no dataset org/none" in wrong.json()["error"]["what"]
        asked = len(hub.requests)
        preferences.write(workspace, preferences.Preferences(offline=True))
        wrong = page.post("/studio/imports/hub", json={"dataset": "org/data"}).json()["error"]
        assert "stay offline" in wrong["why"] and len(hub.requests) == asked
    for name in ("", "a b", "../x"):
        assert page.post("/studio/imports/hub", json={"dataset": name}).json()["error"]["what"]


def test_fetching_and_merging_start_jobs(page, workspace, tmp_path: Path, monkeypatch):
    started = []
    monkeypatch.setattr("studio.jobs.local.start", lambda folder: started.append(folder))
    for name in ("one", "two"):
        (tmp_path / f"{name}.jsonl").write_bytes(rows(0, 3))
        import_file(workspace, ImportSettings(source=[str(tmp_path / f"{name}.jsonl")], name=name))
    asked = {"dataset": "org/data", "config": "en", "hub_split": "train"}
    assert page.post("/studio/imports/fetch", json=asked).json().get("job")
    assert page.post("/studio/imports/merge", json={"datasets": ["one", "two"], "name": "all"}).json().get("job")
    fetch, merge = map(job_folder.read_settings, started)
    assert (fetch["job"], fetch["source"], fetch["config"]) == ("fetch_dataset", ["hub:org/data"], "en")
    assert (merge["job"], merge["datasets"]) == ("merge", ["one", "two"])
    assert page.get("/studio/imports").json()["datasets"] == ["one", "two"]
    wrong = page.post("/studio/imports/merge", json={"datasets": ["one"], "name": "all"}).json()["error"]
    assert wrong["field"] == "datasets"


def test_the_page_names_its_own_fields_instead_of_flags(page, tmp_path):
    said = {"a": {"file_name": "a.jsonl"}, "b": {"file_name": "a.jsonl", "formatting": "riddle"}}
    (tmp_path / "dataset_info.json").write_text(json.dumps(said))
    (tmp_path / "a.jsonl").write_text('{"instruction": "q", "output": "a"}\n')
    for entry in ("", "b"):
        found = preview(page, path=str(tmp_path / "dataset_info.json"), entry=entry)
        assert found["entries"] == ["a", "b"] and "--" not in found["error"]["next"]
    assert preview(page, path=str(tmp_path / "dataset_info.json"), entry="a")["rows"]


def test_the_form_is_told_of_the_import_before(page, workspace, tmp_path):
    source = tmp_path / "rows.jsonl"
    source.write_bytes(rows(0, 3))
    import_file(workspace, ImportSettings(source=str(source), name="set", mapping=["key=question"]))
    found = page.get("/studio/imports/before", params={"name": "set"}).json()
    assert (found["version"], found["key"], found["roles"]["user"]["columns"]) == (1, "question", ["question"])
    assert page.get("/studio/imports/before", params={"name": "none"}).status_code == 409
