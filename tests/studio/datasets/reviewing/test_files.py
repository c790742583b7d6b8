"""Judgements as a file: out and in with all they say, and nothing taken in that could not have been judged."""

from __future__ import annotations

import json

import pytest

from studio.datasets.reviewing import files
from studio.datasets.reviewing.judgements import Eye
from studio.datasets.reviewing.judging import judge, read, take_back
from studio.datasets.reviewing.queue import Ask, Queue
from studio.errors import BadInput
from tests.sets import make_set

ANN = Eye("Ann")


@pytest.fixture
def queue(workspace):
    asked = [[{"role": "user", "content": f"lamp {n}"}] for n in range(4)]
    rows = [{"kind": "label", "messages": turns, "label": "a"} for turns in asked]
    make_set(workspace, "mails", rows)
    return Queue(workspace, "mails")


def say(queue: Queue, row: str, status: str = "accepted", **more) -> None:
    seen = queue.reviews.number_of(row)
    given = {"key": f"key-{row}-{seen}", "of": [{"row": row, "seen": seen}], "status": status}
    judge(queue, ANN, read(given | more))


def test_tags_travel_with_their_judgement_and_each_is_taken_back_by_itself(queue, tmp_path):
    one, two = queue.ids[:2]
    span = {"of": "messages", "at": 0, "start": 0, "end": 4, "label": "Thing"}
    say(queue, one, "draft", tags={"tone": "cold"})
    say(queue, one, tags={"tone": "warm"}, spans=[span], label="b")
    say(queue, two, "discarded")
    file = tmp_path / "said.jsonl"
    assert files.write(queue, file) == 3
    before = [line | {"time": "", "seen": 0} for line in files.lines(queue)]
    assert [line.get("tags") for line in before] == [{"tone": "cold"}, {"tone": "warm"}, None]
    queue.reviews.path.unlink()
    assert files.take_in(queue, file) == {"taken": 3, "known": 0, "strange": 0}
    assert [line | {"time": "", "seen": 0} for line in files.lines(queue)] == before
    card = queue.card(Ask(ANN, "all"), one)
    assert (card.status, card.row.tags, card.row.label) == ("accepted", {"tone": "warm"}, "b")
    take_back(queue, ANN, before[1]["key"], one)
    card = queue.card(Ask(ANN, "all"), one)
    assert (card.status, card.row.tags, card.row.label) == ("draft", {}, "a")
    assert queue.counts(ANN)["discarded"] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"spans": [{"label": "x"}]},
        {"ratings": {"": 9}},
        {"status": "fine"},
        {"by": 5},
        {"tags": {"synthetic": None}},
        {"choice": "chosen"},
        {"content": {"text": "not of this kind"}},
        {"content": {"messages": ["no turn"], "label": "a"}},
        {"content": {"messages": [{"role": "user", "content": None}], "label": "a"}},
    ],
)
def test_a_line_that_could_not_be_judged_is_told_and_nothing_taken_in(queue, tmp_path, wrong):
    file = tmp_path / "said.jsonl"
    lines = [{"row_id": row, "status": "accepted"} for row in queue.ids[:2]]
    file.write_text("".join(json.dumps(line) + "\n" for line in [lines[0], lines[1] | wrong]))
    with pytest.raises(BadInput, match="Line 2 is no judgement"):
        files.take_in(queue, file)
    assert queue.reviews.last() == 0


@pytest.mark.parametrize("text", ["[1]", "no json", "5", '{"status": "accepted"}'])
def test_what_is_no_line_of_judgements(queue, tmp_path, text):
    file = tmp_path / "said.jsonl"
    file.write_text(text)
    with pytest.raises(BadInput, match="Line 1 is no judgement"):
        files.take_in(queue, file)
