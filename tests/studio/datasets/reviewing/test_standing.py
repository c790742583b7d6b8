"""Who accepts a row says what stands on it, pressed or not."""

from __future__ import annotations

import pytest

from studio.datasets.reviewing.agreement import report
from studio.datasets.reviewing.judgements import Eye
from studio.datasets.reviewing.judging import judge, read
from studio.datasets.reviewing.queue import Ask, Queue
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.versions.freezing import freeze

ANN, BOB = Eye("Ann"), Eye("Bob", blind=True)
SPAN = {"of": "messages", "at": 0, "start": 9, "end": 13, "label": "Person"}
count = iter(range(10**6))


def say(queue: Queue, eye: Eye, row: str, **more) -> None:
    queue = Queue(queue.workspace, queue.dataset.name)
    of = [{"row": row, "seen": queue.card(Ask(eye, "all"), row).seen}]
    said = read({"key": f"key-{next(count):06}", "of": of, "status": "accepted", **more})
    assert judge(queue, eye, said).conflicts == []


def told(queue: Queue) -> tuple[set[str], dict[str, tuple[int, float]]]:
    """The rows in conflict, and of each question how many rows were judged twice, and the share judged alike."""
    queue = Queue(queue.workspace, queue.dataset.name)
    questions = report(queue.independent())["questions"]
    return set(queue.conflicts()), {each["name"]: (each["rows"], each["same"]) for each in questions}


def test_who_accepts_a_label_without_pressing_it_has_said_it(made):
    queue = made("labels", 30)
    changed, pressed = queue.ids[:20:2], queue.ids[20]
    for row in changed:
        say(queue, ANN, row, label="b")
    say(queue, ANN, pressed, label="a")  # the one that it has
    for row in queue.ids[21:]:
        say(queue, ANN, row)
    for row in queue.ids:
        say(queue, BOB, row)
    conflicts, questions = told(queue)
    assert conflicts == set(changed)
    assert questions["Label"] == (20, 0.5)
    say(queue, Eye("Cleo", blind=True), changed[0], label="a")
    assert told(queue)[0] == set(changed)  # made again for that row only


def test_what_stood_is_that_of_its_own_version_and_with_what_its_maker_saw(made):
    queue = made("labels", 30)
    a, b, c = queue.ids[:3]
    say(queue, ANN, a, label="b")
    Reviews(queue.dataset).edit(b, [{"of": "label", "text": "c"}])
    say(queue, ANN, b, label="c")
    say(queue, BOB, b)  # sees an edit, which is no judgement
    say(queue, ANN, c, label="b")
    say(queue, BOB, c)
    freeze(queue.workspace, "labels")
    say(queue, BOB, a)  # now that the version has Ann's
    conflicts, questions = told(queue)
    assert conflicts == {c}
    assert questions["Label"] == (3, pytest.approx(2 / 3))


def test_the_better_answer_and_the_marks_that_stand_are_said_too(made):
    pairs = made("pairs", 4)
    a, b, c, _ = pairs.ids
    say(pairs, ANN, a, choice="rejected")
    say(pairs, ANN, b, choice="chosen")
    say(pairs, ANN, c)
    for row in (a, b, c):
        say(pairs, BOB, row)
    conflicts, questions = told(pairs)
    assert conflicts == {a} and questions["Better answer"] == (3, pytest.approx(2 / 3))

    chats = made("chats", 4)
    a, b, c, d = chats.ids
    for row in (a, b):
        say(chats, ANN, row, spans=[SPAN])
    freeze(chats.workspace, "chats")
    say(chats, ANN, b, spans=[SPAN], label="travel")
    say(chats, ANN, c, spans=[SPAN])
    say(chats, ANN, d, status="discarded", spans=[])
    for row in (a, b, c, d):
        say(chats, BOB, row)
    conflicts, questions = told(chats)
    assert conflicts == {b, c, d}
    assert questions["Marked spans"] == (3, pytest.approx(2 / 3))


def test_deciding_as_another_did_brings_back_all_that_they_left_the_row_with(made):
    chats = made("chats", 4)
    a, b, c, _ = chats.ids
    Reviews(chats.dataset).edit(b, [{"of": "messages", "at": 1, "text": "In Milan."}])
    for row in (a, b):
        say(chats, ANN, row, label="travel", tags={"tone": "warm"})
        say(chats, BOB, row, label="home", spans=[SPAN])
    say(chats, ANN, c, label="travel")
    say(chats, BOB, c)
    assert told(chats)[0] == {a, b, c}

    def decided(row: str, by: str):
        found = Queue(chats.workspace, "chats").card(Ask(Eye("Cleo")), row)
        number = next(each["number"] for each in found.history if each.get("by") == by)
        say(chats, Eye("Cleo"), row, like=number)
        return Queue(chats.workspace, "chats").card(Ask(Eye("Cleo")), row).row

    for row in (a, b):
        assert decided(row, "Ann").tags == {"label": "travel", "tone": "warm"}
    left = decided(b, "Ann")
    assert (left.messages[1]["content"], left.extra.get("marked")) == ("In Milan.", None)  # as she accepted it
    assert decided(c, "Bob").tags == {}
    assert told(chats)[0] == set()
