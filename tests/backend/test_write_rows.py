"""Rows written by a model wait in the review queue; they are never held out and never come from held-out rows."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator

import pytest

from backend.job import Job
from backend.write_rows import write_all
from studio.datasets.additions import PARENTS, SYNTHETIC, Additions
from studio.datasets.importing.steps import import_file
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.store import Dataset
from studio.datasets.versions.freezing import freeze
from studio.errors import StudioError
from studio.jobs import folder as job_folder
from studio.jobs import follow, queue
from studio.jobs.follow import Terminal
from studio.preferences import Preferences, write
from studio.settings.importing import ImportSettings
from studio.settings.writing import WriteSettings
from tests.openai_writer import KEY, Writer, serving
from tests.worlds import ROOT


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Writer]:
    monkeypatch.setenv("FLEXTUNE_API_KEY", KEY)
    with serving() as server:
        yield server


@pytest.fixture
def desk(workspace):
    source = ROOT / "assets" / "starter" / "support-desk.csv"
    import_file(workspace, ImportSettings(source=str(source), name="desk"))
    return Dataset.open(workspace, "desk")


def run(workspace, **given):
    settings = WriteSettings.model_validate({"dataset": "desk", **given})
    job = "write_elsewhere" if settings.address else "write_rows"
    folder = job_folder.create(workspace, job, settings.model_dump(mode="json"))
    if settings.address:
        return follow.start_and_follow(workspace, folder, Terminal())
    queue.advance(workspace)
    return follow.result(folder, follow.follow(workspace, folder, Terminal()))


def test_what_an_address_writes_waits_and_is_trained_on_when_accepted(workspace, desk, writer):
    result = run(workspace, address=writer.url, writer="big", count=20, temperature=0.5)
    assert (result["tried"], result["added"], result["into"]) == (20, 20, "desk")
    assert {body["path"] for body in writer.asked} == {"/v1/chat/completions"}
    assert {(body["model"], body["temperature"], body["key"]) for body in writer.asked} == {
        ("big", 0.5, f"Bearer {KEY}")
    }
    assert len({body["seed"] for body in writer.asked}) == 20
    waiting = Additions(desk.folder).rows()
    train = {row.row_id for row in desk.rows(None, "train")}
    assert len(waiting) == 20 and all(row.extra[PARENTS][0] in train for row in waiting.values())
    assert {row.tags[SYNTHETIC] for row in waiting.values()} == {"paraphrase"}
    assert {row.extra["made_by"] for row in waiting.values()} == {f"big at {writer.url}"}
    Reviews(desk).apply([{"type": "judge", "row": row, "status": "accepted"} for row in list(waiting)[:5]])
    freeze(workspace, "desk")
    assert Dataset.open(workspace, "desk").counts()["train"] == 245
    written = "".join(
        path.read_text("utf-8", "replace") for path in workspace.root.rglob("*.*") if path.suffix != ".parquet"
    )
    assert KEY not in written


def test_drafts_that_repeat_or_give_away_are_left_out(workspace, desk, writer):
    held_out = next(desk.rows(None, "test")).messages[-1]["content"]
    said = iter([held_out, held_out[:-1] + "!", "A text that is new."] + ["A text that is new."] * 50)
    writer.say = lambda _: next(said)
    result = run(workspace, address=writer.url, count=6)
    assert result["added"] == 1 and result["left_out"] == {"like a held-out row": 2, "there already": 3}


def test_answers_that_were_cut_off_are_no_drafts(workspace, desk, writer):
    writer.finish = "length"
    result = run(workspace, address=writer.url, count=2)
    assert result["added"] == 0 and not Additions(desk.folder).rows()


def test_busy_addresses_are_asked_again_and_others_explained(workspace, desk, writer):
    writer.statuses = [429, 503]
    assert run(workspace, address=writer.url, count=2)["added"] == 2
    for status, words in ((401, "does not let you in"), (404, "no such address or model"), (400, "has a problem")):
        writer.statuses = [status] * 50
        with pytest.raises(StudioError, match=words) as caught:
            run(workspace, address=writer.url, count=1)
        assert KEY not in str(caught.value) and caught.value.next
    writer.statuses, writer.raw = [], b"<html>"
    with pytest.raises(StudioError, match="does not answer as OpenAI"):
        run(workspace, address=writer.url, count=1)
    with pytest.raises(StudioError, match="does not answer"):
        run(workspace, address="http://127.0.0.1:9/v1", count=1)


def test_offline_no_other_machine_is_asked(workspace, desk, writer):
    write(workspace, Preferences(offline=True))
    with pytest.raises(StudioError, match="can't be asked"):
        run(workspace, address="https://writer.example/v1", count=1)
    assert run(workspace, address=writer.url, count=1)["added"] == 1


def test_questions_about_a_document_wait_in_a_dataset_of_their_own(workspace, tmp_path, writer):
    source = tmp_path / "book.txt"
    source.write_text("\n\n".join(f"Chapter {n}. The lighthouse number {n} stood on a rock." for n in range(12)))
    import_file(workspace, ImportSettings(source=str(source), name="book"))
    writer.say = lambda text: f"Question: Where did number {len(writer.asked)} stand?\nAnswer: On a rock."
    result = run(workspace, dataset="book", way="questions", address=writer.url, count=5)
    assert result["into"] == "book-questions" and result["added"] >= 1
    made = Dataset.open(workspace, "book-questions")
    assert made.version_info()["rows"] == 0 and made.version_info()["kind"] == "chat"
    waiting = Additions(made.folder).rows()
    Reviews(made).apply([{"type": "judge", "row": row, "status": "accepted"} for row in waiting])
    freeze(workspace, "book-questions")
    assert Dataset.open(workspace, "book-questions").counts()["train"] == len(waiting)
    with pytest.raises(StudioError, match="can't take these rows"):
        run(workspace, dataset="book", way="questions", into="book", address=writer.url, count=1)
    with pytest.raises(StudioError, match="by way of paraphrase"):
        run(workspace, dataset="book", address=writer.url, count=1)


def test_a_model_of_the_workspace_writes(workspace, desk, tiny):
    shutil.copytree(tiny, workspace.models / "tiny")
    result = run(workspace, writer="tiny", count=2, temperature=1.5)
    assert result["tried"] == 2 and result["added"] + sum(result["left_out"].values()) == 2
    with pytest.raises(StudioError, match="no writer"):
        run(workspace, writer="nobody", count=1)


def test_each_try_after_a_row_has_a_seed_of_its_own(workspace, desk):
    seen = []

    def make(job, settings):
        def write(prompts, seeds):
            seen.extend(zip(map(str, prompts), seeds, strict=True))
            return [f"A text of the try {seed}." for seed in seeds]

        return write

    settings = WriteSettings.model_validate({"dataset": "desk", "count": 3, "each": 8, "seed": 5})
    folder = job_folder.create(workspace, "write_rows", settings.model_dump(mode="json"))
    job = Job(folder)
    with job.log, job.metrics:
        result = write_all(job, settings, make)
    assert len({asked for asked, _ in seen}) == 3 and len({seed for _, seed in seen}) == len(seen) == 24
    assert result["added"] == 24


def test_a_stop_keeps_what_was_written(workspace, desk, writer):
    settings = WriteSettings.model_validate({"dataset": "desk", "address": writer.url, "count": 200})
    folder = job_folder.create(workspace, "write_elsewhere", settings.model_dump(mode="json"))
    first = threading.Event()
    say = writer.say

    def slow(text: str) -> str:
        if len(writer.asked) == 40:
            (folder / job_folder.STOP).touch()
            first.set()
        return say(text)

    writer.say = slow
    with pytest.raises(StudioError, match="stopped"):
        follow.start_and_follow(workspace, folder, Terminal())
    assert first.is_set() and 16 <= len(Additions(desk.folder).rows()) < 200
