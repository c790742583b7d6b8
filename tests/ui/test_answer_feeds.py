"""What the Compare, Evaluate and Export pages are fed with."""

from __future__ import annotations

import io
import json
import time
import zipfile

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.responses import JSONResponse, StreamingResponse

from studio import events, migrate
from studio.errors import JobFailed, StudioError
from studio.jobs import folder as job_folder
from studio.jobs import local
from studio.logs import Log
from studio.settings.answering import Generation
from tests import adapters
from tests.backend.conftest import dataset
from ui import answer_feeds, evaluation_feeds, export_feeds
from ui.telling import words

LARGEST = 1 << 16
ASK = [{"role": "user", "content": "Where is my parcel?"}]


def wait_for(condition, seconds=90.0):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)
    return found


@pytest.fixture
def page(workspace):
    """The routes as the studio serves them; workers they start are ended."""
    app = FastAPI()
    app.include_router(answer_feeds.router(workspace, LARGEST))
    app.include_router(evaluation_feeds.router(workspace))
    app.include_router(export_feeds.router(workspace))
    for kind in (StudioError, OSError):
        app.add_exception_handler(kind, lambda _, error: JSONResponse({"error": words(error)}, status_code=409))
    with TestClient(app) as client:
        yield client
    for kind in ("jobs", "evaluations", "exports"):
        for name in workspace.names(kind):
            local.stop(workspace.root / kind / name)
    wait_for(lambda: local.reap() or not local._children)


@pytest.fixture
def run(workspace, tiny, tmp_path):
    """A run that can answer, on a dataset with 20 held-out rows."""
    model = adapters.install(tiny, workspace)
    dataset(workspace, tmp_path)
    made = adapters.run(workspace, "desk", "tiny")
    adapters.adapter(model, made / "adapter")
    return made


@pytest.fixture
def bare(workspace, tmp_path):
    """A run whose weights nobody loads: quick to make."""
    dataset(workspace, tmp_path)
    (workspace.models / "tiny").mkdir()
    made = adapters.run(workspace, "desk", "tiny")
    (made / "adapter").mkdir()
    return made


def test_the_settings_of_an_answer_are_those_that_are_declared(page, bare):
    found = page.get("/studio/answers/runs").json()
    assert [one["id"] for one in found["runs"]] == [bare.name]
    assert set(found["settings"]) == set(Generation.model_fields)
    assert (found["settings"]["temperature"]["minimum"], found["settings"]["temperature"]["maximum"]) == (0, 5)
    assert found["settings"]["max_new_tokens"]["maximum"] == 32_768
    assert found["settings"]["top_p"]["title"] == "Top p"
    assert found["settings"]["stop_repeats"]["default"] is True, "as in a chat by command"


def test_a_question_streams_from_the_engine_to_the_page(page, run):
    path = f"/studio/answers/{run.name}"
    refused = page.post(path, json={"messages": ASK})
    assert refused.status_code == 409 and "No model is loaded" in refused.json()["error"]["what"]
    assert page.post(f"{path}/engine/start", json={}).json()["phase"] in ("loading", "ready")
    engine = wait_for(lambda: (found := page.get(f"{path}/engine").json())["phase"] == "ready" and found)
    with page.stream("POST", path, json={"messages": ASK, "options": {"max_new_tokens": 12}}) as answer:
        assert answer.headers["content-type"].startswith("application/x-ndjson")
        lines = [json.loads(line) for line in answer.iter_lines()]
    answers = lines[-1]["answers"]
    for side in ("base", "tuned"):
        assert "".join(line["text"] for line in lines[:-1] if line["side"] == side) == answers[side]["text"]
        assert answers[side]["weights"] == engine["weights"][side]
    alone = page.post(path, json={"messages": ASK, "weights": "tuned", "options": {"max_new_tokens": 12}}).text
    assert json.loads(alone.splitlines()[-1])["answers"]["tuned"]["tokens"] == answers["tuned"]["tokens"]
    wrong = page.post(path, json={"messages": ASK, "options": {"temperature": 9}}).text
    assert "temperature" in json.loads(wrong)["error"]["why"]
    assert page.post(path, json={"messages": ASK, "weights": "both of them"}).status_code == 409
    long = page.post(path, json={"messages": [{"role": "user", "content": "parcel " * 900}]}).text
    assert "under “Longest answer”" in json.loads(long)["error"]["next"]
    page.post(f"{path}/engine/stop")
    wait_for(lambda: page.get(f"{path}/engine").json()["phase"] == "off")


def test_an_engine_that_dies_in_an_answer_is_told_on_the_stream():
    class Dying:
        closed = False
        said = iter([b'{"side": "base", "text": "Hel"}\n'])

        def line(self):
            try:
                return next(self.said)
            except StopIteration:
                raise JobFailed("The engine does not answer.", "it is gone") from None

        def close(self):
            self.closed = True

    stream, app = Dying(), FastAPI()
    app.add_api_route("/said", lambda: StreamingResponse(answer_feeds.relay(stream)))
    lines = TestClient(app).get("/said").text.splitlines()
    assert json.loads(lines[0])["text"] == "Hel"
    assert json.loads(lines[1])["error"]["what"] == "The engine does not answer."
    assert stream.closed


def test_who_shares_the_device_is_told(workspace, page, bare):
    assert page.get(f"/studio/answers/{bare.name}/engine").json()["sharer"] is None
    from studio.jobs import queue

    other = job_folder.create(workspace, "train", {"dataset": "desk", "model": "tiny"})
    with queue.take_device(workspace, other):
        sharer = page.get(f"/studio/answers/{bare.name}/engine").json()["sharer"]
    assert (sharer["id"], sharer["kind"]) == (other.name, "runs") and sharer["device"]
    assert sharer["words"] == f"training “desk {other.name[-4:]}”"


def test_held_out_rows_are_prompts_with_their_answers(page, run, workspace, tmp_path):
    path = f"/studio/answers/{run.name}/prompts"
    found = page.get(path, params={"limit": 6}).json()
    assert (found["split"], found["total"], len(found["prompts"])) == ("test", 20, 6)
    first = found["prompts"][0]
    assert first["messages"][-1]["role"] == "user" and first["expected"].startswith("QUEUE: ")
    later = page.get(path, params={"start": 18}).json()
    assert [one["number"] for one in later["prompts"]] == [18, 19]
    searched = page.get(path, params={"find": "number 7?"}).json()
    assert searched["total"] == 1 and "number 7?" in searched["prompts"][0]["messages"][-1]["content"]

    from studio.datasets.importing.steps import import_file
    from studio.settings.importing import ImportSettings

    source = tmp_path / "all.csv"
    source.write_text("prompt,completion,split\nA?,b,train\n", encoding="utf-8")
    import_file(workspace, ImportSettings(source=str(source), name="all"))
    none = adapters.run(workspace, "all", "tiny")
    (none / "adapter").mkdir()
    assert page.get(f"/studio/answers/{none.name}/prompts").json()["split"] == ""


def test_a_file_is_answered_row_by_row_and_downloaded(page, run):
    path = f"/studio/answers/{run.name}"
    sent = page.post(
        f"{path}/file", params={"name": "../mails.csv", "form": "jsonl", "longest": 4}, content="message\nHi\nHo\n"
    )
    job = sent.json()["job"]
    (told,) = wait_for(
        lambda: [one for one in page.get(f"{path}/files").json()["files"] if one["status"] == "finished"]
    )
    assert (told["id"], told["file"], told["rows"], told["answered"]) == (job, "mails.csv", 2, 2)
    assert page.get(f"{path}/files").json()["columns"] == ["message"]
    answer = page.get(f"/studio/answers/files/{job}/download")
    assert 'filename="mails.answers.jsonl"' in answer.headers["content-disposition"]
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert [row["message"] for row in rows] == ["Hi", "Ho"] and all("answer" in row for row in rows)
    refused = page.post(f"{path}/files/{job}/resume")
    assert "It is finished" in refused.json()["error"]["why"]


def test_what_is_wrong_with_a_file_is_told_at_once(page, bare, workspace):
    path = f"/studio/answers/{bare.name}/file"
    assert page.post(path, json={"path": " "}).json()["error"]["what"] == "No file is named."
    assert page.post(path, json={"path": "/nowhere/mails.csv"}).json()["error"]["what"] == "mails.csv is not there."
    large = page.post(path, params={"name": "large.csv"}, content=b"x" * (LARGEST + 1))
    assert "too large" in large.json()["error"]["what"]
    assert not list((workspace.jobs / ".uploads").glob("*/file/*"))
    assert page.post("/studio/answers/gone/file", params={"name": "a.csv"}, content="a").status_code == 409
    assert page.get(f"/studio/answers/files/{'x' * 10}/download").status_code == 409


def finished_evaluation(workspace, run):
    import pyarrow as pa
    import pyarrow.parquet as pq

    from tests.studio.test_evaluations import ROWS

    folder = job_folder.create(workspace, "evaluate", {"run": run, "split": "test"})
    pq.write_table(pa.Table.from_pylist(ROWS), folder / "predictions.parquet")
    figures = {"base": 0.2, "tuned": 0.4, "difference": 0.2, "low": -0.1, "high": 0.5, "verdict": "can't tell"}
    metrics = {"exact_match": figures, "token_f1": figures}
    migrate.save(folder / "verdict.json", "verdict", {"rows": len(ROWS), "metrics": metrics})
    with Log(folder / events.EVENTS) as log:
        log.append("starting", pid=0)
        log.append("finished")
    return folder.name


def test_evaluations_are_listed_read_downloaded_deleted_and_restored(page, bare, workspace):
    name = finished_evaluation(workspace, bare.name)
    path = f"/studio/evaluations/{name}"
    assert [one["id"] for one in page.get("/studio/evaluations").json()["evaluations"]] == [name]
    assert page.get(path).json()["metrics"]["token_f1"]["high"] == 0.5
    found = page.get(f"{path}/rows", params={"show": "worse"}).json()
    assert [row["row_id"] for row in found["rows"]] == ["r2"] and found["counts"]["all"] == 5
    assert page.get(f"{path}/rows", params={"show": "odd"}).status_code == 422
    assert page.get(f"{path}/download", params={"form": "csv"}).text.count("\r\n") == 6
    assert len(page.get(f"{path}/download", params={"form": "jsonl"}).text.splitlines()) == 5
    assert page.get(f"/studio/evaluations/for/{bare.name}").json()["held_out"] == {
        "test": 20,
        "validation": 20,
        "train": 40,
    }
    page.post(f"{path}/delete")
    assert page.get(path).status_code == 409
    page.post(f"{path}/restore")
    assert page.get(path).json()["status"] == "finished"
    waiting = job_folder.create(workspace, "evaluate", {"run": bare.name})
    assert "Stop it first" in page.post(f"/studio/evaluations/{waiting.name}/delete").json()["error"]["next"]
    assert page.get(f"/studio/evaluations/{waiting.name}/download").status_code == 409


def test_exports_are_listed_sized_downloaded_deleted_and_restored(page, bare, workspace):
    from tests.studio.test_exports import export

    (bare / "adapter" / "adapter_config.json").write_text("{}", encoding="utf-8")
    name = export(workspace).name
    found = page.get("/studio/exports").json()
    assert found["runs"][0]["sizes"] == {"adapter": 2, "merged": 0}
    assert found["exports"][0]["same"] is True
    one = page.get(f"/studio/exports/{name}").json()
    assert one["parity"]["rows"][0]["expected"] == "Paris" and "base =" in one["snippet"]
    answer = page.get(f"/studio/exports/{name}/download")
    assert answer.headers["content-disposition"].endswith('.zip"')
    assert int(answer.headers["content-length"]) == len(answer.content)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as pack:
        assert pack.testzip() is None and any(each.endswith("/README.md") for each in pack.namelist())
    page.post(f"/studio/exports/{name}/delete")
    assert page.get("/studio/exports").json()["exports"] == []
    page.post(f"/studio/exports/{name}/restore")
    assert page.get(f"/studio/exports/{name}").status_code == 200
