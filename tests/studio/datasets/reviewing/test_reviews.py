"""What people do to rows stands beside the versions, and can be taken back until it is in one."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from studio import logs
from studio.datasets.importing.steps import import_file
from studio.datasets.reviewing.reviews import REVIEWS, Conflict, Reviews
from studio.datasets.store import Dataset
from studio.datasets.versions.freezing import freeze
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


def test_whose_the_last_change_is_is_known_before_it_is_taken_back(workspace, dataset):
    reviews, (one, other, *_) = Reviews(dataset), ids(dataset)
    assert reviews.last_standing() is None
    reviews.edit(one, answer("first"), by="Ann")
    reviews.apply([{"type": "exclude", "row": other}], by="Zoe")
    last = reviews.last_standing()
    assert last["by"] == "Zoe"
    assert reviews.undo(number=last["number"], by="Bob")["type"] == "exclude"
    assert logs.read(reviews.path)[0][-1]["by"] == "Bob"
    assert reviews.last_standing()["by"] == "Ann"
    freeze(workspace, "set")
    assert Reviews(Dataset.open(workspace, "set")).last_standing() is None


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
from studio.datasets.reviewing.reviews import Reviews
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


def test_many_at_once_are_one_line_and_one_undo(dataset, workspace):
    reviews, rows = Reviews(dataset), ids(dataset)
    reviews.exclude(rows[0])
    number = reviews.apply(
        [
            {"type": "exclude", "row": rows[1]},
            {"type": "move", "row": rows[2], "split": "test"},
            {"type": "tag", "row": rows[3], "tags": {"domain": "law", "tone": None}},
            {"type": "edit", "row": rows[4], "content": {"messages": [{"role": "user", "content": "q"}]}},
        ],
        by="Ada",
        why="a fix",
    )
    assert number == 2 and len(reviews.path.read_text().splitlines()) == 2
    pending = reviews.pending()
    assert set(pending) == set(rows[:5]) and pending[rows[2]].split == "test"
    assert pending[rows[3]].applied(dataset.row(None, rows[3])).tags == {"domain": "law"}
    assert reviews.undo(rows[1])["count"] == 1 and set(reviews.pending()) == {rows[0], *rows[2:5]}
    assert reviews.undo()["count"] == 3 and set(reviews.pending()) == {rows[0]}
    assert reviews.undo()["type"] == "exclude" and reviews.pending() == {}


def test_many_alike_are_one_deed(dataset):
    one, other, third = ids(dataset)[:3]
    reviews = Reviews(dataset)
    number = reviews.apply([{"type": "move", "rows": [one, other], "split": "test"}, {"type": "exclude", "row": third}])
    assert {row: (change.split, change.excluded) for row, change in reviews.pending().items()} == {
        one: ("test", False), other: ("test", False), third: (None, True)
    }  # fmt: skip
    assert [len(line["deeds"]) for line in logs.read(reviews.path)[0]] == [2]
    assert reviews.undo(other, number=number)["count"] == 1 and set(reviews.pending()) == {one, third}
    assert reviews.undo()["count"] == 2 and not reviews.pending()
    reviews.apply([{"type": "exclude", "rows": [one]}])
    assert logs.read(reviews.path)[0][-1]["type"] == "exclude"


def test_deeds_that_say_the_same_are_written_once_where_no_row_has_two(dataset):
    reviews, rows = Reviews(dataset), ids(dataset)
    reviews.apply(
        [{"type": "exclude", "row": row} for row in rows[:3]] + [{"type": "move", "row": rows[3], "split": "test"}]
    )
    line = logs.last(reviews.path)
    assert line["deeds"] == [{"type": "exclude", "rows": rows[:3]}, {"type": "move", "row": rows[3], "split": "test"}]
    reviews.apply([{"type": kind, "row": row} for row in rows[:2] for kind in ("include", "exclude")])
    assert [deed["type"] for deed in logs.last(reviews.path)["deeds"]] == ["include", "exclude"] * 2
    assert {row for row, change in reviews.pending().items() if change.excluded} == set(rows[:3])
    assert [reviews.undo()["count"] for _ in range(2)] == [4, 4] and not reviews.pending()


def test_one_row_of_a_number_is_taken_back_whatever_came_after(dataset):
    reviews, (one, other, third, *_) = Reviews(dataset), ids(dataset)
    number = reviews.apply([{"type": "exclude", "row": row} for row in (one, other)])
    reviews.apply([{"type": "tag", "row": one, "tags": {"tone": "warm"}}])
    assert reviews.undo(one, number=number)["count"] == 1
    assert reviews.pending()[other].excluded and not reviews.pending()[one].excluded
    assert reviews.pending()[one].tags == {"tone": "warm"}
    for row in (one, third):
        with pytest.raises(Refused, match="nothing to undo"):
            reviews.undo(row, number=number)


def test_a_version_has_moves_and_tags(dataset, workspace):
    reviews, rows = Reviews(dataset), ids(dataset)
    deeds = [{"type": "move", "row": row, "split": "validation"} for row in rows[:9]]
    reviews.apply([*deeds, {"type": "tag", "row": rows[0], "tags": {"tone": "kind"}}])
    assert freeze(workspace, "set") == 2
    new = Dataset.open(workspace, "set")
    assert {new.row(2, row).split for row in rows[:9]} == {"validation"} and new.row(2, rows[0]).tags == {
        "tone": "kind"
    }
    assert (new.version_info()["moved"], new.version_info()["tagged"]) == (9, 1)
    assert sum(new.counts(2).values()) == 30


@pytest.mark.parametrize(
    "deed",
    [
        {"type": "move", "row": "a", "split": "elsewhere"},
        {"type": "judge", "row": "a", "status": "fine"},
        {"type": "edit", "row": "a"},
        {"type": "undo", "row": "a", "of": 1},
        {"type": "exclude"},
        {"type": "tag", "row": "a", "tags": {"synthetic": None}},
        {"type": "tag", "row": "a", "tags": "warm"},
        {"type": "exclude", "rows": []},
        {"type": "exclude", "rows": ["a", 1]},
        {"type": "exclude", "rows": "ab"},
    ],
)
def test_a_deed_that_is_none_is_refused_with_all_of_its_batch(dataset, deed):
    reviews = Reviews(dataset)
    with pytest.raises(BadInput, match="can't be read"):
        reviews.apply([{"type": "exclude", "row": ids(dataset)[0]}, deed])
    with pytest.raises(BadInput, match="nothing to change"):
        reviews.apply([])
    assert reviews.last() == 0


def test_a_row_that_no_file_can_name_is_refused_before_it_is_written(dataset):
    reviews = Reviews(dataset)
    with pytest.raises(BadInput, match="can't be read"):
        reviews.apply([{"type": "exclude", "rows": ["a", "\ud800"]}])
    assert not reviews.path.exists() and reviews.pending() == {}


def test_nobody_overwrites_what_they_have_not_seen(dataset):
    reviews, row = Reviews(dataset), ids(dataset)[0]
    reviews.edit(row, answer("mine"), by="Ada", seen=0)
    with pytest.raises(Conflict) as caught:
        reviews.edit(row, answer("yours"), by="Bob", seen=0)
    assert (caught.value.row, caught.value.number) == (row, 1)
    with pytest.raises(Conflict):
        reviews.apply([{"type": "exclude", "row": row}], seen={row: 0})
    reviews.edit(row, answer("yours"), by="Bob", seen=1)
    assert reviews.pending()[row].content["messages"][-1]["content"] == "yours"


def test_a_discarded_row_is_left_out_and_a_draft_waits(dataset):
    reviews, (one, other, third, *_) = Reviews(dataset), ids(dataset)
    content = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "better"}]}
    reviews.apply([{"type": "judge", "row": one, "status": "discarded"}])
    reviews.apply([{"type": "judge", "row": other, "status": "draft", "content": content}])
    reviews.apply([{"type": "judge", "row": third, "status": "accepted", "content": content}])
    assert reviews.pending().keys() == {one, third} and reviews.pending()[one].excluded
    assert reviews.pending()[third].content == content
    reviews.apply([{"type": "judge", "row": one, "status": "accepted"}])
    assert set(reviews.pending()) == {third}
