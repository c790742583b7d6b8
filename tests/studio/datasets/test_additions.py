"""Rows that no file brought wait until somebody accepts them, and are never held out."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from studio.datasets.additions import MADE_BY, PARENTS, SYNTHETIC, Additions, new_id
from studio.datasets.importing.steps import import_file
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.rows import Row
from studio.datasets.store import Dataset
from studio.datasets.versions.freezing import freeze
from studio.errors import BadInput, Refused
from studio.settings.importing import ImportSettings


@pytest.fixture
def dataset(workspace, tmp_path):
    source = tmp_path / "rows.jsonl"
    sides = ["train", "train", "test"] * 4
    records = [{"prompt": f"q{n}", "completion": f"a{n}", "split": side} for n, side in enumerate(sides)]
    source.write_text("".join(json.dumps(record) + "\n" for record in records))
    import_file(workspace, ImportSettings(source=str(source), name="set"))
    return Dataset.open(workspace, "set")


def written(question, parent):
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": "so"}]
    row = Row("", "chat", turns, tags={SYNTHETIC: "paraphrase"}, extra={PARENTS: [parent], MADE_BY: "starter"})
    return replace(row, row_id=new_id(row))


def accept(reviews, *rows, status="accepted"):
    reviews.apply([{"type": "judge", "row": row.row_id, "status": status} for row in rows], by="Ada")


def test_only_accepted_rows_enter_and_they_stay(dataset, workspace):
    parent = next(dataset.rows(None, "train")).row_id
    yes, no, later = (written(words, parent) for words in ("Is it?", "Isn't it?", "Was it?"))
    reviews = Reviews(dataset)
    assert reviews.additions.add([yes, no, later, yes], "paraphrases") == [yes.row_id, no.row_id, later.row_id]
    assert reviews.additions.add([yes], "again") == [] and reviews.undecided() == 3
    assert reviews.accepted() == {} and reviews.unfrozen() == 0
    with pytest.raises(Refused, match="nothing to freeze"):
        freeze(workspace, "set")
    accept(reviews, yes)
    accept(reviews, no, status="discarded")
    assert reviews.undecided() == 1
    reviews.edit(yes.row_id, [{"of": "messages", "at": 1, "text": "It is."}])
    assert list(reviews.accepted()) == [yes.row_id] and reviews.pending() == {}
    assert freeze(workspace, "set") == 2

    new = Dataset.open(workspace, "set")
    row = new.row(2, yes.row_id)
    assert row == replace(yes, messages=[yes.messages[0], {"role": "assistant", "content": "It is."}])
    assert (new.version_info()["added"], new.version_info()["rows"], new.counts(2)["train"]) == (1, 13, 9)
    assert set(Reviews(new).additions.rows()) == {no.row_id, later.row_id}
    accept(Reviews(new), later)
    Reviews(new).exclude(yes.row_id)
    assert freeze(workspace, "set") == 3
    assert later.row_id in {row.row_id for row in Dataset.open(workspace, "set").rows()}
    assert Dataset.open(workspace, "set").version_info()["rows"] == 13  # one more, one less, and none twice


def test_what_a_model_wrote_is_never_held_out(dataset, workspace):
    parent = next(dataset.rows(None, "train")).row_id
    with pytest.raises(BadInput, match="can't be held out"):
        Additions(dataset.folder).add([replace(written("?", parent), split="test")], "x")
    row = written("Is it?", parent)
    reviews = Reviews(dataset)
    reviews.additions.add([row], "paraphrases")
    accept(reviews, row)
    freeze(workspace, "set")
    Reviews(Dataset.open(workspace, "set")).apply([{"type": "move", "row": row.row_id, "split": "test"}])
    freeze(workspace, "set")
    assert Dataset.open(workspace, "set").row(None, row.row_id).split == "train"


def test_what_was_written_after_a_held_out_row_does_not_train(dataset, workspace):
    train, test = (next(dataset.rows(None, side)).row_id for side in ("train", "test"))
    near, far = written("Is it?", test), written("Was it?", train)
    reviews = Reviews(dataset)
    reviews.additions.add([near, far], "paraphrases")
    accept(reviews, near, far)
    freeze(workspace, "set")
    new = Dataset.open(workspace, "set")
    assert new.has(None, [near.row_id, far.row_id]) == {far.row_id}
    assert (new.version_info()["added"], new.version_info()["orphaned"]) == (1, 1)
    Reviews(new).apply([{"type": "move", "row": train, "split": "validation"}])  # held out after all
    freeze(workspace, "set")
    last = Dataset.open(workspace, "set")
    assert last.has(None, [far.row_id]) == set() and last.version_info()["orphaned"] == 1


def test_a_row_written_after_a_written_one_goes_with_the_held_out_row_it_comes_from(dataset, workspace):
    first, second, *_ = (row.row_id for row in dataset.rows(None, "train"))
    near = written("Is it?", first)
    far = written("Or is it?", near.row_id)
    gone = written("Was it?", second)
    last = written("Or was it?", gone.row_id)
    reviews = Reviews(dataset)
    reviews.additions.add([near, far, gone, last], "paraphrases")
    accept(reviews, near, far, gone, last)
    freeze(workspace, "set")
    Reviews(Dataset.open(workspace, "set")).exclude(gone.row_id)
    freeze(workspace, "set")
    new = Dataset.open(workspace, "set")
    assert new.has(None, [near.row_id, far.row_id, last.row_id]) == {near.row_id, far.row_id, last.row_id}
    Reviews(new).apply([{"type": "move", "row": row, "split": "test"} for row in (first, second)])
    freeze(workspace, "set")
    new = Dataset.open(workspace, "set")
    assert not new.written_by_models() and new.version_info()["orphaned"] == 3


def test_a_freeze_that_was_killed_at_its_end_adds_nothing_twice(dataset, workspace):
    row = written("Is it?", next(dataset.rows(None, "train")).row_id)
    additions = Additions(dataset.folder)
    additions.add([row], "paraphrases")
    before = additions.path.read_bytes()
    accept(Reviews(dataset), row)
    freeze(workspace, "set")
    additions.path.write_bytes(before)  # as if it had never come to say so
    new = Dataset.open(workspace, "set")
    Reviews(new).exclude(next(new.rows()).row_id)
    freeze(workspace, "set")
    rows = [each.row_id for each in Dataset.open(workspace, "set").rows()]
    assert rows.count(row.row_id) == 1 and len(rows) == len(set(rows)) == 12


def test_a_correction_that_a_killed_freeze_wrote_stays(dataset, workspace):
    row = written("Is it?", next(dataset.rows(None, "train")).row_id)
    additions = Additions(dataset.folder)
    additions.add([row], "paraphrases")
    before = additions.path.read_bytes()
    accept(Reviews(dataset), row)
    Reviews(dataset).edit(row.row_id, [{"of": "messages", "at": 1, "text": "Corrected."}])
    freeze(workspace, "set")
    additions.path.write_bytes(before)
    new = Dataset.open(workspace, "set")
    assert Reviews(new).waiting() == {} and Reviews(new).accepted() == {}
    Reviews(new).exclude(next(new.rows()).row_id)
    freeze(workspace, "set")
    assert Dataset.open(workspace, "set").row(None, row.row_id).messages[1]["content"] == "Corrected."
