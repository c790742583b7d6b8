from __future__ import annotations

import csv
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from backend.engine.conversation import Prompt
from backend.engine.engine import Engine
from backend.job import StopRequested
from backend.predict import main
from studio import events, logs
from studio.datasets.saving.tables import NOT_IN_XML
from studio.errors import BadInput
from studio.jobs import folder as job_folder
from studio.settings.answering import Generation
from studio.workspace import Workspace
from tests.adapters import adapter, work

QUESTIONS = ["Where is my parcel?", "=HYPERLINK(1)", "Write to the desk", "", "Where is my invoice?"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "new.csv"
    with open(path, "w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["number", "message"])
        writer.writerows([[number, text] for number, text in enumerate(QUESTIONS)])
    return path


def prediction(workspace: Workspace, run: Path, file: Path, output: Path, **settings: Any) -> Path:
    paths = {"run": run.name, "file": str(file), "output": str(output)}
    return job_folder.create(workspace, "predict", {"threads": 1, "max_new_tokens": 8, **paths, **settings})


def messages(folder: Path) -> str:
    return " ".join(line["text"] for line in events.read_state(folder).messages)


def read_csv(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_each_row_gets_the_tuned_answer(workspace: Workspace, tuned_run: Path, file: Path, tmp_path: Path) -> None:
    folder = prediction(workspace, tuned_run, file, tmp_path / "out.csv")
    result = work(main, folder)
    rows = read_csv(tmp_path / "out.csv")
    assert [row["message"] for row in rows] == QUESTIONS
    assert list(rows[0]) == ["number", "message", "answer", "weights", "problem"]
    engine = Engine(workspace.models / "tiny", {"tuned": tuned_run / "adapter"}, device="cpu", threads=1)
    for row in rows:
        if row["message"]:
            prompt = Prompt([{"role": "user", "content": row["message"]}])
            assert row["answer"] == engine.answer([prompt], "tuned", Generation(max_new_tokens=8))[0].text
            assert row["weights"] == result["weights"] == engine.stamps["tuned"]
    assert (rows[3]["answer"], rows[3]["problem"]) == ("", "“message” is empty")
    assert (result["rows"], result["answered"]) == (5, 4)
    assert "1 row not answered: row 4: “message” is empty" in messages(folder)
    assert not list(tmp_path.glob("*.partial*"))


def test_a_zip_is_unpacked_in_the_workspace_and_nothing_of_it_stays(
    workspace: Workspace, tuned_run: Path, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "never made"))
    zipped = tmp_path / "new.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.write(file, file.name)
    work(main, prediction(workspace, tuned_run, zipped, tmp_path / "out.csv"))
    assert [row["message"] for row in read_csv(tmp_path / "out.csv")] == QUESTIONS
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.csv", b"0" * (200 << 20))
    with pytest.raises(BadInput, match="made to fill disks"):
        work(main, prediction(workspace, tuned_run, zipped, tmp_path / "none.csv"))
    assert not list((workspace.jobs / ".uploads").iterdir())


def test_all_three_forms_say_the_same(workspace: Workspace, tuned_run: Path, file: Path, tmp_path: Path) -> None:
    for ending in ("csv", "jsonl", "xlsx"):
        work(main, prediction(workspace, tuned_run, file, tmp_path / f"out.{ending}"))
    wanted = [row["answer"] for row in read_csv(tmp_path / "out.csv")]
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["answer"] or "" for line in lines] == wanted
    sheet = list(openpyxl.load_workbook(tmp_path / "out.xlsx").active.iter_rows(values_only=True))
    place = sheet[0].index("answer")
    assert [row[place] or "" for row in sheet[1:]] == [NOT_IN_XML.sub("\ufffd", text) for text in wanted]
    assert sheet[2][1] == "=HYPERLINK(1)"


def test_stopped_in_between_it_goes_on_where_it_was(
    workspace: Workspace, tuned_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.engine.engine.ROWS", {"cpu": 4})
    file, output = tmp_path / "desk.csv", tmp_path / "out.csv"
    whole = tmp_path / "whole.csv"
    work(main, prediction(workspace, tuned_run, file, whole))
    folder = prediction(workspace, tuned_run, file, output)
    kept = tmp_path / "out.csv.partial.jsonl"
    answered = Engine.answer

    def answer_then_stop(self: Engine, *args: Any, **keywords: Any) -> Any:
        if kept.exists() and len(logs.read(kept)[0]) > 20:
            (folder / "stop").touch()
        return answered(self, *args, **keywords)

    monkeypatch.setattr(Engine, "answer", answer_then_stop)
    with pytest.raises(StopRequested):
        work(main, folder)
    assert not output.exists()
    before = logs.read(kept)[0]
    assert len(before) == 21
    monkeypatch.setattr(Engine, "answer", answered)
    again = prediction(workspace, tuned_run, file, output)
    work(main, again)
    assert "20 rows answered before" in messages(again)
    assert output.read_bytes() == whole.read_bytes()


def test_other_weights_begin_anew(workspace: Workspace, tuned_run: Path, file: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    with logs.Log(tmp_path / "out.csv.partial.jsonl") as log:
        log.append("for", identity="something else")
        log.append("answer", row=0, text="stale", weights="old", finish="stop", cut=0)
    work(main, prediction(workspace, tuned_run, file, output))
    assert "stale" not in output.read_text(encoding="utf-8")
    first = read_csv(output)
    adapter(workspace.models / "tiny", tuned_run / "adapter", seed=8)
    work(main, prediction(workspace, tuned_run, file, output))
    assert read_csv(output)[0]["weights"] != first[0]["weights"]


def test_columns_of_the_file_keep_their_names(workspace: Workspace, tuned_run: Path, tmp_path: Path) -> None:
    file = tmp_path / "answered.jsonl"
    lines = [{"message": "Where is it?", "answer": "mine"}, {"message": "Hello", "answer": "also mine", "late": [1]}]
    file.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    folder = prediction(workspace, tuned_run, file, tmp_path / "out.csv")
    work(main, folder)
    rows = read_csv(tmp_path / "out.csv")
    assert [row["answer"] for row in rows] == ["mine", "also mine"]
    assert rows[1]["late"] == "[1]"
    assert rows[0]["tuned_answer"]
    assert "“tuned_answer”" in messages(folder)


def test_what_can_not_be_asked_or_written_is_explained(
    workspace: Workspace, tuned_run: Path, file: Path, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=r"can't be written as “out.docx”"):
        work(main, prediction(workspace, tuned_run, file, tmp_path / "out.docx"))
    with pytest.raises(BadInput, match="would replace the file"):
        work(main, prediction(workspace, tuned_run, file, file))
    other = tmp_path / "other.csv"
    other.write_text("question\nWhere?\n", encoding="utf-8")
    with pytest.raises(BadInput) as error:
        work(main, prediction(workspace, tuned_run, other, tmp_path / "out.csv"))
    assert "“message”" in error.value.why
    assert "“question”" in error.value.why
