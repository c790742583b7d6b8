"""Which rows belong together."""

from __future__ import annotations

import pytest

from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.rows import Row
from studio.datasets.splitting.grouping import Groups, group, text_of, value_of
from studio.settings.splitting import SplitSettings
from tests.sets import make_set


@pytest.fixture
def make(workspace):
    return lambda rows, name="set": make_set(workspace, name, rows)


def no_watch(done, total, what):
    pass


def grouped(dataset, **settings):
    """The groups of two rows or more, as sets of source lines, with why."""
    groups = group(dataset, SplitSettings(dataset=dataset.name, **settings), no_watch)
    lines = {row.row_id: row.source_line for row in dataset.rows()}
    return {
        frozenset(lines[groups.ids[row]] for row in rows): groups.reasons(rows)
        for rows in groups.members().values()
        if len(rows) > 1
    }


def talk(*said, **more):
    roles = ("user", "assistant") * len(said)
    return {"messages": [{"role": role, "content": text} for role, text in zip(roles, said, strict=False)], **more}


def test_rows_that_ask_the_same_belong_together(make):
    rows = [
        talk("Where is my parcel?", "On its way."),
        talk("Where is  my parcel?", "At your neighbour’s."),
        talk("Where are you?", "Here."),
    ]
    dataset = make(rows)
    assert grouped(dataset, near=False) == {frozenset({1, 2}): ["question"]}
    assert grouped(dataset, near=False, questions=False) == {}


def test_a_conversation_and_those_that_go_on_from_it_belong_together(make):
    rows = [
        talk("Hello, it is about order 7.", "What about it?"),
        talk("Hello, it is about order 7.", "What about it?", "It is late.", "I am sorry."),
        talk("Hello, it is about order 7.", "Yes?", "It is lost.", "Oh."),
        talk("One", "Two", conversation_id="c1"),
        talk("Three", "Four", conversation_id="c1"),
        talk("Five", "Six", conversation_id=""),
        talk("Seven", "Eight", conversation_id=""),
    ]
    found = grouped(make(rows), near=False, questions=False)
    assert found == {frozenset({1, 2}): ["conversation"], frozenset({4, 5}): ["conversation"]}


def test_documents_and_named_columns_hold_rows_together_and_ties_chain(make):
    rows = [
        talk("a", "1", document="x.pdf", patient="P1"),
        talk("b", "2", document="x.pdf", patient="P2"),
        talk("c", "3", document="y.pdf", patient="P2"),
        talk("d", "4", document="z.pdf", patient=""),
        talk("e", "5", document="w.pdf", patient=""),
    ]
    dataset = make(rows)
    assert grouped(dataset) == {frozenset({1, 2}): ["document"]}
    assert grouped(dataset, keep=["patient"]) == {frozenset({1, 2, 3}): ["document", "column"]}
    assert grouped(dataset, by="group", column="patient", documents=False) == {frozenset({2, 3}): ["column"]}


def test_near_duplicates_belong_together(make):
    text = "The heating in the flat on the second floor has been cold since Monday, please send somebody to mend it."
    rows = [talk(text, "We come."), talk(text.replace("Monday", "Tuesday"), "We come."), talk("Other", "Thing")]
    assert grouped(make(rows)) == {frozenset({1, 2}): ["near"]}
    assert grouped(make(rows, "again"), near=False) == {}


def test_edits_count_and_excluded_rows_do_not(make):
    dataset = make([talk("one", "1"), talk("two", "2"), talk("one", "3")])
    _, second, third = dataset.rows()
    reviews = Reviews(dataset)
    reviews.edit(second.row_id, [{"of": "messages", "at": 0, "text": "one"}])
    reviews.exclude(third.row_id)
    assert grouped(dataset) == {frozenset({1, 2}): ["question"]}


def test_what_a_row_has_in_a_column():
    row = Row("1", "label", [{"role": "user", "content": "x"}], label="yes", tags={"tone": " kind "},
              extra={"n": 3, "list": [1], "none": None}, source_file="f.csv")  # fmt: skip
    found = [value_of(row, name) for name in ("label", "tone", "n", "list", "none", "source_file", "absent")]
    assert found == ["yes", "kind", "3", "[1]", None, "f.csv", None]
    assert text_of(Row("2", "text", text="raw")) == "raw"


def test_ties_join_whole_groups():
    groups = Groups(ids=list("abcdef"), parent=list(range(6)), why=bytearray(6))
    groups.tie(0, 1, "near")
    groups.tie(4, 5, "question")
    groups.tie(5, 1, "document")
    assert groups.members() == {0: [0, 1, 4, 5], 2: [2], 3: [3]}
    assert groups.reasons([0, 1, 4, 5]) == ["question", "near", "document"]
