"""What the Data page is fed with."""

from __future__ import annotations

import json
import shutil
import time

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.responses import JSONResponse

from studio.datasets.importing.steps import import_file
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.store import Dataset
from studio.errors import StudioError
from studio.jobs import follow, local
from studio.settings.importing import ImportSettings
from ui import dataset_feeds, import_feeds, row_feeds
from ui.telling import words

LARGEST = 1 << 20


@pytest.fixture
def page(workspace):
    """The routes as the studio serves them; workers they start are waited for."""
    app = FastAPI()
    app.include_router(row_feeds.router(workspace))
    app.include_router(dataset_feeds.router(workspace))
    app.include_router(import_feeds.router(workspace, LARGEST))
    for kind in (StudioError, OSError):
        app.add_exception_handler(kind, lambda _, error: JSONResponse({"error": words(error)}, status_code=409))
    yield TestClient(app)
    for child in local._children:
        child.wait(60)
    local.reap()


@pytest.fixture
def put(workspace, tmp_path):
    def make(text, name="set", file="rows.csv", **settings):
        source = tmp_path / file
        source.write_text(text, encoding="utf-8")
        import_file(workspace, ImportSettings(source=str(source), name=name, **settings))

    return make


QUESTIONS = "question,answer,split\n" + "".join(
    f"Question {n}?,Answer {n}.,{'test' if n % 5 == 0 else 'train'}\n" for n in range(50)
)


def rows(page, name="set", **query):
    return page.get(f"/studio/datasets/{name}/rows", params=query).json()


def ended(workspace, job):
    """What a job came to."""
    return follow.result(workspace.jobs / job, follow.follow(workspace, workspace.jobs / job))


def test_the_list_shows_broken_and_deleted_ones_too(page, put, workspace):
    put(QUESTIONS)
    (workspace.datasets / "bad").mkdir()
    put(QUESTIONS, "gone")
    assert page.post("/studio/datasets/gone/delete").json() == {"name": "gone"}
    told = page.get("/studio/datasets").json()
    bad, good = told["datasets"]
    assert (bad["name"], good["name"], good["rows"], good["changes"]) == ("bad", "set", 50, 0)
    assert bad["error"]["why"] and good["kind_words"] == "Conversations"
    assert [item["name"] for item in told["deleted"]] == ["gone"]
    assert page.post("/studio/datasets/gone/restore").json() == {"name": "gone"}
    assert page.get("/studio/datasets").json()["deleted"] == []
    assert page.post("/studio/datasets/bad/delete").json() == {"name": "bad"}, "what is broken can be deleted too"
    assert page.post("/studio/datasets/never/delete").status_code == 409


def test_one_dataset_and_its_rows(page, put):
    put(QUESTIONS)
    told = page.get("/studio/datasets/set").json()
    assert (told["version"]["counts"], told["latest"], told["changes"]) == (
        {"train": 40, "validation": 0, "test": 10},
        1,
        0,
    )
    first = rows(page)
    assert (first["total"], len(first["rows"]), first["page"]) == (50, 20, 20)
    assert [turn["content"] for turn in first["rows"][0]["messages"]] == ["Question 0?", "Answer 0."]
    assert rows(page, start=40)["rows"][0]["line"] == 42
    assert rows(page, find="answer 17")["total"] == 1 and rows(page, side="test")["total"] == 10
    one = page.get(f"/studio/datasets/set/rows/{first['rows'][1]['id']}").json()
    assert one["place"] == {
        "number": 2,
        "total": 50,
        "exact": True,
        "previous": first["rows"][0]["id"],
        "next": first["rows"][2]["id"],
    }
    assert one["raw"]["source_line"] == 3 and "chosen" not in one["raw"]
    assert page.get("/studio/datasets/none").status_code == 409
    assert page.get("/studio/datasets/set/rows/none").json()["error"]["next"]


def test_long_texts_are_cut_in_lists_only(page, put):
    put(json.dumps({"text": "w " * 5000}), file="a.jsonl", read_as="text")
    (short,) = rows(page)["rows"]
    assert len(short["text"]) < 2000 and short["text"].endswith("…")
    whole = page.get(f"/studio/datasets/set/rows/{short['id']}").json()["row"]
    assert whole["text"].strip() == ("w " * 5000).strip()


def test_an_undo_takes_back_what_was_done_here_and_nothing_of_others(page, put, workspace):
    put(QUESTIONS)
    one = rows(page)["rows"][0]["id"]
    mine = page.post(f"/studio/datasets/set/rows/{one}/exclude").json()["number"]
    log = Reviews(Dataset.open(workspace, "set"))
    log.apply([{"type": "tag", "row": one, "tags": {"tone": "warm"}}], by="Bob")
    assert page.get(f"/studio/datasets/set/rows/{one}").json()["last"] == {"number": 2, "by": "Bob"}
    undo = "/studio/datasets/set/undo"
    assert page.post(undo, json={"number": mine}).json() == {"row": one, "type": "exclude", "count": 1}
    assert page.get(f"/studio/datasets/set/rows/{rows(page)['rows'][1]['id']}").json()["last"] is None
    assert log.pending()[one].tags == {"tone": "warm"} and not log.pending()[one].excluded
    assert "nothing to undo" in page.post(undo, json={"number": mine}).json()["error"]["what"]
    assert "can't be read" in page.post(undo, json={"number": "mine"}).json()["error"]["what"]
    assert log.last() == 3


def test_an_edit_is_kept_with_a_name_and_written_over_nothing_unseen(page, put, workspace):
    put(QUESTIONS)
    one = rows(page)["rows"][0]["id"]
    path = f"/studio/datasets/set/rows/{one}"
    seen = page.get(path).json()["seen"]

    def edit(text, **more):
        return page.post(f"{path}/edit", json={"texts": [{"of": "messages", "at": 1, "text": text}], **more}).json()

    assert edit("Ann's.", seen=seen, by="Ann") == {"changes": 1, "number": 1}
    there = edit("Bob's.", seen=seen, by="Bob")["conflict"]
    assert (there["by"], there["row"]["messages"][1]["content"]) == ("Ann", "Ann's.")
    assert ended(workspace, page.post("/studio/datasets/set/freeze").json()["job"])["version"] == 2
    assert page.get(path).json()["seen"] == there["seen"] == 1  # seen is seen, in a version or not
    assert edit("Bob's.", seen=there["seen"], by="Bob")["number"] == 2
    page.post(f"{path}/exclude", json={"by": "Bob"})
    log = Reviews(Dataset.open(workspace, "set")).log()
    assert [deed.get("by") for deed in log.by_row[one]] == ["Ann", "Bob", "Bob"]
    assert edit("No.", seen="2")["error"]["what"] == "This change can't be read."


def test_changes_are_shown_frozen_and_taken_back(page, put, workspace):
    put(QUESTIONS)
    one, other = (row["id"] for row in rows(page)["rows"][:2])
    edit = {"texts": [{"of": "messages", "at": 1, "text": "Better."}]}
    assert page.post(f"/studio/datasets/set/rows/{one}/edit", json=edit).json() == {"changes": 1, "number": 1}
    assert page.post(f"/studio/datasets/set/rows/{other}/exclude").json() == {"changes": 2, "number": 2}
    changed = rows(page, side="changed")["rows"]
    assert [(row["id"], row["edited"], row["excluded"]) for row in changed] == [
        (one, True, False),
        (other, False, True),
    ]
    assert changed[0]["messages"][1]["content"] == "Better."
    assert page.post("/studio/datasets/set/undo").json() == {"row": other, "type": "exclude", "count": 1}
    job = page.post("/studio/datasets/set/freeze").json()["job"]
    assert ended(workspace, job)["version"] == 2
    assert rows(page, side="changed")["total"] == 0
    assert rows(page)["rows"][0]["messages"][1]["content"] == "Better."
    assert rows(page, version=1)["rows"][0]["messages"][1]["content"] == "Answer 0."
    assert page.post("/studio/datasets/set/freeze").json()["error"]["what"] == "There is nothing to freeze."
    empty = page.post(
        f"/studio/datasets/set/rows/{one}/edit", json={"texts": [{"of": "messages", "at": 1, "text": " "}]}
    )
    assert empty.status_code == 409 and empty.json()["error"]["next"] == "Leave the row out instead."


def test_tokens_are_those_of_the_batches(page, put, workspace, tiny):
    put(QUESTIONS)
    shutil.copytree(tiny, workspace.models / "tiny")
    row = rows(page)["rows"][0]["id"]
    told = page.get(f"/studio/datasets/set/rows/{row}/tokens", params={"model": "tiny"}).json()
    assert "".join(text for text, kind in told["pieces"] if kind == "trained") == "Answer 0.<|im_end|>"
    cut = page.get(f"/studio/datasets/set/rows/{row}/tokens", params={"model": "tiny", "cutoff": 10}).json()
    assert [kind for _, kind in cut["pieces"]][9:11] != ["cut", "cut"] and cut["pieces"][-1][1] == "cut"
    page.post(f"/studio/datasets/set/rows/{row}/edit", json={"texts": [{"of": "messages", "at": 1, "text": "New."}]})
    new = page.get(f"/studio/datasets/set/rows/{row}/tokens", params={"model": "tiny"}).json()
    assert "".join(text for text, kind in new["pieces"] if kind == "trained") == "New.<|im_end|>"
    assert page.get("/studio/datasets/set").json()["models"] == ["tiny"]
    found = page.get("/studio/datasets/set/lengths", params={"model": "tiny"}).json()
    assert len(found["tokens"]) == found["rows"] == 50
    assert (found["left_out"], found["left_out_row"], found["why"]) == (0, "", "")
    none = page.get(f"/studio/datasets/set/rows/{row}/tokens", params={"model": "none"}).json()
    assert none["error"]["what"] and none["error"]["next"]


def test_a_model_without_a_template_offers_the_studios_own(page, put, workspace, tmp_path):
    from tests.tiny import tiny_tokenizer

    put(QUESTIONS)
    tiny_tokenizer(workspace.models / "base", template=None)
    row = rows(page)["rows"][0]["id"]
    address = f"/studio/datasets/set/rows/{row}/tokens"
    told = page.get(address, params={"model": "base"}).json()
    assert told["error"]["field"] == "template" and "--" not in told["error"]["next"] and "plain" in told["templates"]
    assert page.get(address, params={"model": "base", "template": "plain"}).json()["pieces"]


@pytest.mark.parametrize(
    ("form", "start", "file"),
    [
        ("messages", b'{"messages"', "set-v1.jsonl"),
        ("alpaca", b'{"instruction"', "set-v1.alpaca.jsonl"),
        ("csv", "\ufeffsystem,".encode(), "set-v1.csv"),
        ("parquet", b"PAR1", "set-v1.parquet"),
    ],
)
def test_downloads(page, put, form, start, file):
    put(QUESTIONS)
    answer = page.get("/studio/datasets/set/download", params={"form": form})
    assert answer.status_code == 200 and answer.content.startswith(start)
    assert f'filename="{file}"' in answer.headers["content-disposition"]


def test_renaming(page, put):
    put(QUESTIONS)
    assert page.post("/studio/datasets/set/rename", json={"name": " other "}).json() == {"name": "other"}
    assert page.get("/studio/datasets/set").json()["name"] == "other"
    told = page.post("/studio/datasets/other/rename", json={"name": "a/b"})
    assert told.status_code == 409 and told.json()["error"]["field"] == "name"


# ---- Importing ----


def preview(page, **body):
    return page.post("/studio/imports/preview", json=body).json()


def finished(workspace, job, seconds=60):
    from studio import events

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        state = events.read_state(workspace.jobs / job)
        if state.phase in events.TERMINAL:
            return state
        time.sleep(0.05)
    raise TimeoutError(job)


def test_an_upload_is_guessed_corrected_and_imported(page, workspace):
    data = "subject,body,reply\nHi,Where is it?,There.\nBye,Why?,Because.\n"
    sent = page.post("/studio/imports/upload", params={"name": "../Meine Post.csv"}, content=data.encode()).json()
    assert (sent["name"], sent["bytes"]) == ("Meine Post.csv", len(data))
    guess = preview(page, upload=sent["upload"])
    assert guess["suggested"] == "Meine-Post" and guess["columns"] == ["subject", "body", "reply"]
    mapping = ["user=Subject: {subject}\n{body}", "assistant=reply", "system= Be C:\\\\new."]
    shown = preview(page, upload=sent["upload"], mapping=mapping)
    assert [turn["content"] for turn in shown["rows"][0]["messages"]] == [
        "Be C:\\new.",
        "Subject: Hi\nWhere is it?",
        "There.",
    ]
    assert (shown["whole"], shown["checked"], shown["bad_count"]) == (True, 2, 0)
    started = page.post(
        "/studio/imports/start",
        json={"upload": sent["upload"], "name": "post", "mapping": mapping, "split": "train=1.0000", "skip_bad": False},
    ).json()
    assert finished(workspace, started["job"]).phase == "finished"
    assert rows(page, "post")["rows"][0]["messages"][1]["content"] == "Subject: Hi\nWhere is it?"
    page.post("/studio/imports/upload", params={"name": "b.csv"}, content=b"x")
    assert preview(page, upload=sent["upload"])["error"]["what"] == "The uploaded file is gone."


def test_what_is_too_large_or_breaks_off_leaves_nothing(page, workspace):
    told = page.post("/studio/imports/upload", params={"name": "a.csv"}, content=b"x" * (LARGEST + 1))
    assert told.status_code == 409 and "path" in told.json()["error"]["next"]
    assert list((workspace.jobs / ".uploads").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "data", "what"),
    [
        ("a.csv", b"", "empty"),
        ("a.csv", b"%PDF-1.4 x", "can't be read"),
        ("a.json", b'[{"a": "b"}, {"a', "can't be read"),
        ("a.csv", "question,answer\nä,b\n".encode("cp1252"), "not valid UTF-8"),
        ("a.csv", b"left,right\nsome words,other words\n", "not clear"),
    ],
)
def test_every_bad_file_gives_what_why_and_next_without_flags(page, workspace, name, data, what):
    sent = page.post("/studio/imports/upload", params={"name": name}, content=data).json()
    error = preview(page, upload=sent["upload"])["error"]
    assert what in error["what"] and error["why"] and error["next"] and "--" not in error["next"]
    assert workspace.names("datasets") == [] and workspace.names("jobs") == []


def test_a_file_that_is_not_understood_shows_its_columns(page, tmp_path):
    (tmp_path / "a.csv").write_text("left,right\nsome words,other words\n")
    told = preview(page, path=str(tmp_path / "a.csv"))
    assert told["columns"] == ["left", "right"] and told["first"] == {"left": "some words", "right": "other words"}
    assert preview(page, path=str(tmp_path / "a.csv"), mapping=["user=left", "assistant=right"])["rows"]
    assert preview(page, path=str(tmp_path / "none.csv"))["error"]["what"].startswith("There is no file")
    assert preview(page, path="")["error"]["what"] == "No file is named."


@pytest.mark.parametrize("sample", import_feeds.SAMPLES)
def test_samples_are_understood(page, sample):
    told = preview(page, sample=sample)
    assert told["whole"] and told["bad_count"] == 0 and told["suggested"] == sample


def test_bad_rows_are_named_and_left_out_by_consent(page, workspace, tmp_path):
    (tmp_path / "a.csv").write_text("question,answer\n" + "".join(f"q{n},{'' if n == 2 else 'a'}\n" for n in range(9)))
    asked = {"path": str(tmp_path / "a.csv"), "name": "set"}
    assert preview(page, **asked)["bad"] == [{"line": 4, "reason": "“answer” is empty"}]
    first = finished(workspace, page.post("/studio/imports/start", json=asked).json()["job"])
    assert first.phase == "failed" and first.last_event["bad_rows"] == 1 and workspace.names("datasets") == []
    again = page.post("/studio/imports/start", json=asked | {"skip_bad": True}).json()["job"]
    assert finished(workspace, again).result["rows"] == 8
    wrong = page.post("/studio/imports/start", json=asked | {"name": "x" * 5000})
    assert wrong.status_code == 409 and wrong.json()["error"]["next"]
