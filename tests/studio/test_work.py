"""What is at work is told in words, with the names that people gave."""

from __future__ import annotations

from pathlib import Path

import pytest
from filelock import FileLock

from studio import runs, work
from studio.jobs import folder as job_folder
from studio.jobs import queue
from studio.logs import Log
from studio.settings.train import TrainSettings
from studio.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def space(tmp_path):
    return Workspace.open(tmp_path / "ws")


def at_work(folder):
    """As a worker holds it."""
    with Log(folder / "events.jsonl") as log:
        log.append("starting", pid=0)
    lock = FileLock(folder / job_folder.LOCK, is_singleton=False)
    lock.acquire()
    return lock


@pytest.mark.parametrize(
    ("job", "settings", "words"),
    [
        ("import_data", {"name": "mails"}, "importing “mails”"),
        ("doctor", {"dataset": "mails"}, "examining “mails”"),
        ("add_model", {"source": "org/small", "name": ""}, "downloading a model"),
        ("predict", {"run": "gone"}, "answering a file"),
        ("something_new", {}, "working"),
    ],
)
def test_a_job_is_told_by_what_it_does(space, job, settings, words):
    folder = job_folder.create(space, job, settings)
    assert work.told(space, folder).words == words


def test_a_job_of_a_run_bears_the_runs_name(space):
    run = runs.create(space, TrainSettings(dataset="mails", name="First try"))
    assert work.told(space, run).words == "training “First try”"
    scored = job_folder.create(space, "evaluate", {"run": run.name})
    assert work.told(space, scored).as_dict() == {
        "kind": "evaluations",
        "id": scored.name,
        "doing": "evaluating",
        "of": "First try",
        "words": "evaluating “First try”",
    }


def test_every_job_of_the_house_has_words():
    """One that is added later would be told as “working” alone."""
    workers = {path.stem for path in (ROOT / "backend").glob("*.py") if "run_job(main)" in path.read_text("utf-8")}
    assert workers - {"job"} <= set(work.DOING) and len(workers) > 15


def test_only_what_works_is_told_and_who_has_the_device_first(space):
    importing = job_folder.create(space, "import_data", {"name": "mails"})
    engine = job_folder.create(space, "engine", {"run": "gone"})
    run = runs.create(space, TrainSettings(dataset="mails"))
    here = work.AtWork(space)
    assert here.now() == []
    locks = [at_work(folder) for folder in (engine, importing, run)]
    with queue.take_device(space, importing):
        assert [one.doing for one in here.now()] == ["importing", "training"]
    with queue.take_device(space, run):
        assert [one.doing for one in here.now()] == ["training", "importing"]
    with Log(importing / "events.jsonl") as log:
        log.append("finished")
    assert [one.id for one in here.now()] == [run.name]
    for lock in locks:
        lock.release()
    assert here.now() == []


def test_a_run_that_is_taken_up_again_is_told_again(space):
    run = runs.create(space, TrainSettings(dataset="mails"))
    here = work.AtWork(space)
    with Log(run / "events.jsonl") as log:
        log.append("stopped")
    assert here.now() == []
    lock = at_work(run)
    assert [one.id for one in here.now()] == [run.name]
    lock.release()
