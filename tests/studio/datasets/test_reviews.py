"""What people do to rows stands beside the versions, and can be taken back until it is in one."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from studio.datasets.freezing import freeze
from studio.datasets.importing import import_file
from studio.datasets.reviews import REVIEWS, Reviews
from studio.datasets.store import Dataset
from studio.errors import BadInput, NotFound, Refused
from studio.settings.importing import ImportSettings


def put(workspace, tmp_path, records, name="set", **settings):
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    import_file(workspace, ImportSettings(source=str(source), name=name, **settings))
    return Dataset.open(workspace, name)


@pytest.fixture
def dataset(workspace, tmp_path):
    return put(workspace, tmp_path, [{"prompt": f"q{n}", "completion": f"a{n}"} for n in range(30)])


def ids(dataset):
    return [row.row_id for row in dataset.rows()]


def answer(words):
    return [{"of": "messages", "at": 1, "text": words}]


def test_an_edit_changes_what_is_pending_and_never_the_version(dataset):
    reviews, row = Reviews(dataset), ids(dataset)[3]
    before = dataset.path().read_bytes()
    change = reviews.edit(row, answer("better"))
    assert change.content["messages"] == [
        {"role": "user", "content": "q3"},
        {"role": "assistant", "content": "better"},
    ]
    shown = change.applied(dataset.row(None, row))
    assert shown.row_id == row and shown.messages[-1]["content"] == "better"
    reviews.edit(row, [{"of": "messages", "at": 0, "text": "asked otherwise"}])
    assert [turn["content"] for turn in reviews.pending()[row].content["messages"]] == ["asked otherwise", "better"]
    assert dataset.path().read_bytes() == before


def test_what_is_as_it_was_is_no_change(dataset):
    reviews, row = Reviews(dataset), ids(dataset)[0]
    reviews.edit(row, answer("other"))
    assert reviews.edit(row, answer("a0")) is None
    assert reviews.exclude(row).excluded and reviews.include(row) is None
    assert reviews.pending() == {}


def test_undo_takes_back_the_last_one_and_then_the_one_before(dataset):
    reviews, (one, other, *_) = Reviews(dataset), ids(dataset)
    reviews.edit(one, answer("first"))
    reviews.exclude(other)
    reviews.edit(one, answer("second"))
    assert reviews.undo()["type"] == "edit"
    assert reviews.pending()[one].content["messages"][-1]["content"] == "first"
    assert reviews.undo(one)["row"] == one and set(reviews.pending()) == {other}
    assert reviews.undo()["type"] == "exclude" and reviews.pending() == {}
    with pytest.raises(Refused, match="nothing to undo"):
        reviews.undo()


@pytest.mark.parametrize(
    "texts",
    [
        answer("  "),
        [{"of": "messages", "at": 9, "text": "x"}],
        [{"of": "text", "at": None, "text": "x"}],
        [{"of": "row_id", "at": None, "text": "x"}],
        answer("x" * (5 << 20)),
    ],
)
def test_what_can_t_be_learned_from_is_refused_and_leaves_nothing(dataset, texts):
    reviews = Reviews(dataset)
    with pytest.raises(BadInput) as caught:
        reviews.edit(ids(dataset)[0], texts)
    assert caught.value.what and caught.value.next
    assert reviews.pending() == {} and not reviews.path.exists()


def test_a_row_that_is_not_there(dataset):
    with pytest.raises(NotFound, match="has no row"):
        Reviews(dataset).exclude("ffff")


def test_every_kind_of_row_can_be_edited(workspace, tmp_path):
    cases = {
        "label": ({"text": "good day", "label": "x"}, {"of": "label", "at": None, "text": "y"}, "label", "y"),
        "text": ({"text": "some words"}, {"of": "text", "at": None, "text": "other words"}, "text", "other words"),
    }
    for name, (record, edit, field, expected) in cases.items():
        dataset = put(workspace, tmp_path, [record], name)
        change = Reviews(dataset).edit(ids(dataset)[0], [edit])
        assert getattr(change.applied(next(dataset.rows())), field) == expected
    pair = put(workspace, tmp_path, [{"prompt": "p", "chosen": "c", "rejected": "r"}], "pair")
    Reviews(pair).edit(ids(pair)[0], [{"of": "rejected", "at": 0, "text": "worse"}])
    freeze(workspace, "pair")
    assert next(Dataset.open(workspace, "pair").rows()).rejected == [{"role": "assistant", "content": "worse"}]
    judged = put(workspace, tmp_path, [{"prompt": "p", "completion": "c", "label": True}], "judged")
    with pytest.raises(BadInput, match="judgement"):
        Reviews(judged).edit(ids(judged)[0], [{"of": "label", "at": None, "text": "maybe"}])


def test_reviews_carry_over_when_the_file_is_imported_again(workspace, tmp_path):
    """With a key column even where the row itself changed."""
    records = [{"id": f"r{n}", "prompt": f"q{n}", "completion": f"a{n}"} for n in range(5)]
    first = put(workspace, tmp_path, records, mapping=["key=id"])
    kept, gone = ids(first)[1:3]
    Reviews(first).exclude(kept)
    Reviews(first).exclude(gone)
    freeze(workspace, "set")
    records[1]["completion"] = "corrected"
    del records[2]
    again = put(workspace, tmp_path, records, mapping=["key=id"])
    assert again.latest == 3 and again.row(None, kept).messages[-1]["content"] == "corrected"
    assert set(Reviews(again).pending()) == {kept}


WRITER = """
import sys
from studio.workspace import Workspace
from studio.datasets.store import Dataset
from studio.datasets.reviews import Reviews
reviews = Reviews(Dataset.open(Workspace.open(sys.argv[1]), "set"))
for row in sys.argv[2:]:
    reviews.exclude(row)
"""


def test_several_writers_at_once_lose_nothing(dataset, workspace):
    rows = ids(dataset)
    parts = [rows[at::3] for at in range(3)]
    workers = [subprocess.Popen([sys.executable, "-c", WRITER, str(workspace.root), *part]) for part in parts]
    assert [worker.wait(60) for worker in workers] == [0, 0, 0]
    assert set(Reviews(dataset).pending()) == set(rows)
    lines = [json.loads(line) for line in (dataset.folder / REVIEWS).read_text().splitlines()]
    assert [line["number"] for line in lines] == list(range(1, len(rows) + 1))


def test_a_torn_or_strange_line_hides_no_other(dataset):
    reviews, (one, other, *_) = Reviews(dataset), ids(dataset)
    reviews.exclude(one)
    with open(reviews.path, "ab") as file:
        file.write(b'[1]\n{"type": "note", "number": 2}\n{"type": "exclude", "row": "' + other.encode())
    assert set(reviews.pending()) == {one}
    reviews.exclude(other)
    assert set(reviews.pending()) == {one, other}
