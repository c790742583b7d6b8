"""Rows on the disk as tokens are the rows that were encoded, and an update is what the plan says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.job import Job, StopRequested
from backend.training import prepare
from studio.batches.encode import encode_rows
from studio.batches.tokenizer import load_tokenizer
from studio.datasets.store import Dataset
from studio.errors import Refused
from studio.runs import settings_of
from tests.worlds import told


def prepared(folder: Path, packs: bool = True) -> tuple[prepare.Updates, Any]:
    job = Job(folder)
    with job.log, job.metrics:
        settings = settings_of(folder)
        tokenizer = load_tokenizer(job.workspace.models / "tiny")
        return prepare.prepare(job, settings, tokenizer, packs), settings


def test_rows_come_back_as_they_were_encoded(world: Any) -> None:
    updates, settings = prepared(world.run())
    rows = Dataset.open(world.workspace, "places").rows(1, "train")
    expected, _ = encode_rows(load_tokenizer(world.workspace.models / "tiny"), rows, cutoff=settings.cutoff)
    found = updates.rows.take(list(range(len(expected))))
    assert len(updates.rows) == len(expected) == 30
    for one, other in zip(found, expected, strict=True):
        assert one.row_id == other.row_id
        for name in ("ids", "labels", "special"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert updates.rows.lengths.tolist() == [len(row) for row in expected]
    assert updates.rows.names(np.array([3, 1])).to_pylist() == [expected[3].row_id, expected[1].row_id]


def test_an_update_holds_the_rows_of_the_plan(world: Any) -> None:
    updates, settings = prepared(world.run(tokens_per_pass=130))
    for step in range(len(updates)):
        update = updates[step]
        assert [numbers for numbers, _ in update.passes] == updates.plan.updates(step)
        assert update.rows == settings.batch_size
        assert update.tokens == sum(int(updates.rows.lengths[n]) for numbers, _ in update.passes for n in numbers)
        assert update.trained == sum(row.trained for row in updates.rows.take(updates.plan.rows(step)))
    assert max(len(update.passes) for update in map(updates.__getitem__, range(len(updates)))) > 1


def test_rows_go_alone_in_a_model_that_mixes_them(world: Any) -> None:
    folder = world.run()
    updates, _ = prepared(folder, packs=False)
    assert all(len(numbers) == 1 for step in range(len(updates)) for numbers, _ in updates[step].passes)
    assert "slower" in told(folder, "message")[0]["text"]


def test_rows_that_train_nothing_are_counted_and_named(world: Any) -> None:
    talk = {"role": "user", "content": "Where is it?"}
    world.dataset(
        "mixed",
        [{"messages": [talk, {"role": "assistant", "content": "Here."}], "split": "train"}] * 4
        + [
            {"messages": [talk | {"content": "long " * 60}, {"role": "assistant", "content": "Cut."}], "split": "train"}
        ],
    )
    folder = world.run(dataset="mixed", cutoff=40)
    updates, _ = prepared(folder)
    (line,) = told(folder, "preflight")
    assert (line["rows"], line["sequences"], line["rows_without_training"]) == (5, 4, 1)
    assert line["tokens"] == int(updates.rows.lengths.sum())
    nothing, cut = (told(folder, "message")[at]["text"] for at in (0, 1))
    assert "1 of 5 rows train nothing" in nothing
    assert cut.startswith("1 of 5 rows is longer than the cut-off of 40 tokens: ") and "--cutoff" in cut


def test_a_set_that_trains_nothing_is_refused_before_the_first_step(world: Any, train: Any) -> None:
    folder = world.run()
    settings = (folder / "settings.json").read_text(encoding="utf-8").replace('"cutoff": 128', '"cutoff": 8')
    (folder / "settings.json").write_text(settings, encoding="utf-8")
    with pytest.raises(Refused, match="nothing to learn"):
        prepared(folder)
    assert not (folder / prepare.CACHE).exists()
    end = train(folder)
    assert (end["type"], end["what"]) == ("failed", "There is nothing to learn in these rows.")
    assert not (folder / "checkpoints").exists()


def test_texts_are_split_and_nothing_of_them_is_lost(world: Any) -> None:
    world.dataset(
        "texts", [{"text": f"Text {n}. " + "words and more words. " * 40, "split": "train"} for n in range(3)]
    )
    folder = world.run(dataset="texts", cutoff=64)
    updates, _ = prepared(folder)
    (line,) = told(folder, "preflight")
    assert line["rows"] == 3 < line["sequences"] == len(updates.rows)
    assert updates.rows.lengths.max() == 64


def test_stopped_while_tokens_are_made_leaves_no_half_file(world: Any) -> None:
    rows = [
        {"messages": [{"role": "user", "content": str(n)}, {"role": "assistant", "content": "a"}]} for n in range(600)
    ]
    world.dataset("many", rows)
    folder = world.run(dataset="many")
    (folder / "stop").touch()
    with pytest.raises(StopRequested):
        prepared(folder)
    assert not list(folder.glob("*cache*")) and not list(folder.glob(".*cache*"))


def test_tokens_of_an_interrupted_life_are_used_again(world: Any) -> None:
    folder = world.run()
    first, _ = prepared(folder)
    made = (folder / prepare.CACHE / "train.arrow").stat().st_mtime_ns
    second, _ = prepared(folder)
    assert (folder / prepare.CACHE / "train.arrow").stat().st_mtime_ns == made
    assert second.rows.report == first.rows.report


def test_validation_rows_are_the_first_of_their_side(world: Any) -> None:
    folder = world.run(eval_rows=4, samples=2, tokens_per_pass=130)
    job = Job(folder)
    with job.log, job.metrics:
        found = prepare.validation(job, settings_of(folder), load_tokenizer(world.workspace.models / "tiny"), True)
    expected = [row.row_id for row in Dataset.open(world.workspace, "places").rows(1, "validation")]
    assert found is not None and found.rows == 4
    assert [row.row_id for row in found.samples] == expected[:2]
    assert len(found.passes) > 1
