from __future__ import annotations

from pathlib import Path

import pytest

from studio import applied
from studio.errors import BadInput, NotFound, Refused
from studio.jobs import folder as job_folder
from studio.logs import Log
from studio.workspace import Workspace


@pytest.fixture
def run(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run with weights; nothing is started."""
    monkeypatch.setattr("studio.jobs.queue.advance", lambda workspace: None)
    made = job_folder.create(workspace, "train", {"dataset": "desk", "model": "tiny"})
    (made / "adapter").mkdir()
    return made


def test_an_upload_moves_into_the_job_and_the_answers_lie_there_too(workspace: Workspace, run: Path) -> None:
    upload = workspace.jobs / "mails.csv"
    upload.write_text("message\nHello\n", encoding="utf-8")
    job = applied.start(workspace, run.name[-4:], upload, "xlsx", bring=True, max_new_tokens=5)
    given = job_folder.read_settings(job)
    assert not upload.exists() and (job / "input" / "mails.csv").is_file()
    assert [given[key] for key in ("run", "file", "output")] == [run.name, "input/mails.csv", "mails.answers.xlsx"]
    (told,) = applied.list_applied(workspace, run.name)
    assert [told[key] for key in ("id", "file", "status")] == [job.name, "mails.csv", "queued"]
    with pytest.raises(NotFound, match="no answers to download"):
        applied.output(workspace, job.name)
    (job / "mails.answers.xlsx").write_bytes(b"PK")
    with Log(job / "events.jsonl") as log:
        log.append("starting", pid=0)
        log.append("finished", rows=1, answered=1)
    assert applied.output(workspace, job.name) == job / "mails.answers.xlsx"
    assert applied.summary(job)["rows"] == 1


def test_a_file_of_this_machine_stays_where_it_is(workspace: Workspace, run: Path, tmp_path: Path) -> None:
    file = tmp_path / "mails.csv"
    file.write_text("message\nHello\n", encoding="utf-8")
    job = applied.start(workspace, run.name, file, "csv", bring=False)
    assert job_folder.read_settings(job)["file"] == str(file) and file.exists()


def test_what_can_not_be_applied_is_refused_at_once(workspace: Workspace, run: Path, tmp_path: Path) -> None:
    file = tmp_path / "mails.csv"
    with pytest.raises(NotFound, match="no file"):
        applied.start(workspace, run.name, file, "csv", bring=False)
    with pytest.raises(NotFound, match="is a folder"):
        applied.start(workspace, run.name, tmp_path, "csv", bring=False)
    file.write_text("message\nHello\n", encoding="utf-8")
    with pytest.raises(BadInput, match="csv, xlsx or jsonl"):
        applied.start(workspace, run.name, file, "exe", bring=False)  # type: ignore[arg-type]
    (run / "adapter").rmdir()
    with pytest.raises(Refused, match="no trained weights"):
        applied.start(workspace, run.name, file, "csv", bring=False)
    assert not workspace.names("jobs")


def test_other_jobs_have_no_answers(workspace: Workspace) -> None:
    other = job_folder.create(workspace, "engine", {"run": "x", "output": "settings.json"})
    with pytest.raises(NotFound):
        applied.output(workspace, other.name)
