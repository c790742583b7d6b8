"""Judgements: taken in once, never over another's unseen, and what they make of the next version."""

from __future__ import annotations

import json
import threading

import pytest

from studio import logs
from studio.datasets.additions import Additions, new_id
from studio.datasets.importing.steps import import_file
from studio.datasets.reviewing.judgements import Eye
from studio.datasets.reviewing.judging import judge, read, take_back
from studio.datasets.reviewing.queue import Ask, Queue
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.rows import Row
from studio.datasets.saving import downloads
from studio.datasets.store import Dataset
from studio.datasets.versions.freezing import freeze
from studio.errors import BadInput, NotFound, Refused
from studio.settings.importing import ImportSettings

ANN, BOB = Eye("Ann"), Eye("Bob")
BLIND = Eye("Bob", blind=True)


count = iter(range(10**6))


def say(queue: Queue, eye: Eye, row: str | list[str], status: str = "accepted", **more):
    rows = [row] if isinstance(row, str) else row
    of = [{"row": one, "seen": card(queue, eye, one).seen} for one in rows]
    return judge(queue, eye, read({"key": f"key-{next(count):06}", "of": of, "status": status, **more}))


def card(queue: Queue, eye: Eye, row: str):
    return Queue(queue.workspace, queue.dataset.name).card(Ask(eye, "all"), row)


def frozen(queue: Queue) -> dict[str, Row]:
    freeze(queue.workspace, queue.dataset.name)
    return {row.row_id: row for row in Dataset.open(queue.workspace, queue.dataset.name).rows()}


def test_accepted_stays_discarded_goes_draft_waits_and_labels_are_learned(made):
    queue = made("labels")
    a, b, c, d = queue.ids[:4]
    say(queue, ANN, a, label="b")
    say(queue, ANN, b, "discarded")
    say(queue, ANN, c, "draft", texts=[{"of": "messages", "at": 0, "text": "half written"}], note="later")
    say(queue, ANN, d, texts=[{"of": "messages", "at": 0, "text": "mended"}], tags={"tone": "warm"})
    counts = queue.counts(ANN)
    assert (counts["pending"], counts["draft"], counts["accepted"], counts["discarded"]) == (4, 1, 2, 1)
    drafted = card(queue, ANN, c)
    assert (drafted.status, drafted.row.messages[0]["content"], drafted.judgement["note"]) == (
        "draft",
        "half written",
        "later",
    )
    rows = frozen(queue)
    assert b not in rows and rows[a].label == "b"
    assert rows[c].messages[0]["content"] == "message 2"
    assert (rows[d].messages[0]["content"], rows[d].tags) == ("mended", {"tone": "warm"})
    # After the version the states are what they were, and a draft is taken up as it was left.
    queue = Queue(queue.workspace, "labels")
    assert card(queue, ANN, c).row.messages[0]["content"] == "half written"
    say(queue, ANN, c)
    assert frozen(queue)[c].messages[0]["content"] == "half written"


def test_a_choice_swaps_the_answers_once(made):
    queue = made("pairs")
    a, b = queue.ids[:2]
    say(queue, ANN, a, choice="rejected")
    swapped = card(queue, ANN, a)
    assert swapped.row.chosen[0]["content"] == "bad 0" and swapped.judgement["choice"] == "rejected"
    say(queue, ANN, a, choice="chosen")  # of the two as they are shown now
    assert card(queue, ANN, a).judgement["choice"] == "rejected"
    say(queue, ANN, b, "discarded", choice="tie")
    rows = frozen(queue)
    assert rows[a].chosen[0]["content"] == "bad 0" and rows[a].rejected[0]["content"] == "good 0"
    assert b not in rows
    with pytest.raises(BadInput, match="no two answers"):
        say(made("chats"), ANN, Queue(queue.workspace, "chats").ids[0], choice="tie")


def test_spans_keep_their_words_and_must_lie_in_the_text(made):
    queue = made("chats")
    a = queue.ids[0]
    span = {"of": "messages", "at": 0, "start": 9, "end": 13, "label": "Person"}
    say(queue, ANN, a, spans=[span])
    assert [each["text"] for each in card(queue, ANN, a).judgement["spans"]] == ["Anna"]
    with pytest.raises(BadInput, match="outside"):
        say(queue, ANN, queue.ids[1], spans=[span | {"end": 99}])


def test_a_version_and_its_export_have_the_marked_words(made, workspace, tmp_path):
    queue = made("chats")
    a, b, c, d = queue.ids[:4]
    span = {"of": "messages", "at": 0, "start": 9, "end": 13, "label": "Person"}
    for row in (a, b, c):
        say(queue, ANN, row, spans=[span])
    say(queue, ANN, d, "draft", spans=[span])
    edited = [{"of": "messages", "at": 0, "text": "Where is 🙂 Bob?"}]
    say(queue, ANN, b, texts=edited, spans=[span | {"start": 11, "end": 14}])
    Reviews(queue.dataset).edit(c, [{"of": "messages", "at": 0, "text": "Where is Hanna?"}])
    rows = frozen(queue)
    anna = [{**span, "text": "Anna"}]
    assert rows[a].extra["marked"] == anna
    assert rows[b].extra["marked"] == [{**span, "start": 11, "end": 14, "text": "Bob"}]
    assert [name for name in (c, d) if "marked" in rows[name].extra] == []  # other words stand there; only a draft
    info = Dataset.open(workspace, "chats").version_info()
    assert (info["marked"], info["edited"]) == (2, 2)

    out = tmp_path / "out.jsonl"
    out.write_bytes(b"".join(downloads.jsonl(Dataset.open(workspace, "chats"))))
    import_file(workspace, ImportSettings(source=str(out), name="again", split="train=1"))
    assert next(Dataset.open(workspace, "again").rows()).extra["marked"] == anna
    again = Queue(workspace, "again")
    say(again, ANN, again.ids[0])  # accepted, and nothing said of marks
    say(again, ANN, again.ids[1], spans=[])  # taken off
    say(again, ANN, again.ids[2], spans=[])  # none were there
    after = frozen(again)
    assert Dataset.open(workspace, "again").version_info()["marked"] == 1
    assert after[again.ids[0]].extra["marked"] == anna and "marked" not in after[again.ids[1]].extra


def test_a_column_of_the_file_by_that_name_is_left_alone(made, workspace, tmp_path):
    source = tmp_path / "own.jsonl"
    source.write_text(json.dumps({"prompt": "Where?", "completion": "Here.", "marked": [1, "x"]}))
    import_file(workspace, ImportSettings(source=str(source), name="own", split="train=1"))
    queue = Queue(workspace, "own")
    say(queue, ANN, queue.ids[0], texts=[{"of": "messages", "at": 1, "text": "There."}])
    row = frozen(queue)[queue.ids[0]]
    assert row.extra["marked"] == [1, "x"] and row.messages[1]["content"] == "There."


def test_the_same_key_counts_once_and_one_undo_takes_a_batch_back(made):
    queue = made("labels")
    given = read(
        {"key": "only-once", "of": [{"row": row} for row in queue.ids[:3]], "status": "accepted", "label": "b"}
    )
    first, second = judge(queue, ANN, given), judge(queue, ANN, given)
    assert first.number == second.number == 1 and len(logs.read(queue.reviews.path)[0]) == 1
    assert queue.counts(ANN)["accepted"] == 3
    take_back(queue, ANN, "only-once", queue.ids[0])
    take_back(queue, ANN, "only-once", queue.ids[0])  # sent twice, undone once
    assert queue.counts(ANN)["pending"] == 8 and Reviews(queue.dataset).pending() == {}
    assert judge(queue, ANN, given).number == 3
    frozen(queue)
    with pytest.raises(Refused, match="nothing to undo"):
        take_back(Queue(queue.workspace, "labels"), ANN, "only-once", queue.ids[0])


def test_of_a_batch_with_others_only_one_s_own_judgement_is_taken_back(made):
    queue = made("labels")
    said = [{"type": "judge", "row": row, "status": "accepted", "key": f"key-of-{row}"} for row in queue.ids[:3]]
    queue.reviews.apply([*said, {"type": "tag", "row": queue.ids[1], "tags": {"tone": "warm"}, "key": said[1]["key"]}])
    take_back(queue, ANN, said[1]["key"], queue.ids[1])
    assert queue.counts(ANN)["accepted"] == 2 and card(queue, ANN, queue.ids[1]).row.tags == {}
    take_back(queue, ANN, said[1]["key"], queue.ids[1])
    assert queue.counts(ANN)["accepted"] == 2


def test_nobody_is_overwritten_unseen(made):
    queue = made("labels")
    a, b, c = queue.ids[:3]
    of = [{"row": a, "seen": 0}, {"row": b, "seen": 0}]
    say(queue, BOB, a, label="b")
    kept = judge(queue, ANN, read({"key": "ann-saw-none", "of": of, "status": "discarded"}))
    assert kept.conflicts == [a] and card(queue, ANN, b).status == "discarded"
    assert card(queue, ANN, a).judgement["by"] == "Bob"
    assert say(queue, ANN, a, "discarded").conflicts == []  # knowing Bob's
    assert queue.conflicts() == {}
    # An edit elsewhere counts too; deciding just the same as another does not.
    Reviews(queue.dataset).edit(c, [{"of": "label", "text": "b"}])
    late = {"of": [{"row": c, "seen": 0}], "status": "accepted"}
    assert judge(queue, ANN, read({"key": "ann-late-1", **late})).conflicts == [c]
    assert judge(queue, ANN, read({"key": "ann-late-2", **late, "of": [{"row": c, "seen": 4}]})).conflicts == []
    assert judge(queue, BOB, read({"key": "bob-same-1", **late})).conflicts == []


def test_one_s_own_judgement_may_follow_before_it_is_acknowledged(made):
    queue = made("labels")
    a = queue.ids[0]
    judge(queue, ANN, read({"key": "first-one", "of": [{"row": a}], "status": "accepted"}))
    after = read({"key": "second-one", "of": [{"row": a, "seen": 0, "after": "first-one"}], "status": "discarded"})
    assert judge(queue, ANN, after).conflicts == [] and card(queue, ANN, a).status == "discarded"


def test_a_blind_reviewer_sees_no_label_tag_span_or_choice_of_anybody_else(made):
    span = {"of": "messages", "at": 0, "start": 9, "end": 13, "label": "Person"}
    said = {"chats": {"label": "travel", "tags": {"tone": "warm"}, "spans": [span]}, "pairs": {"choice": "rejected"}}
    for name, more in said.items():
        queue = made(name)
        a = queue.ids[0]
        before = card(queue, BLIND, a)
        say(queue, ANN, a, **more)
        assert card(queue, BLIND, a) == before
        assert queue.changed_since(0, BLIND) == []
        assert card(queue, ANN, a).row != before.row
        say(queue, BLIND, a, tags={"tone": "dry"})  # what they say themselves they do see
        assert card(queue, BLIND, a).row.tags == {"tone": "dry"}


def test_a_blind_reviewer_sees_the_row_as_it_was_and_conflicts_are_resolved(made):
    queue = made("labels")
    a, b, c = queue.ids[:3]
    say(queue, ANN, a, label="b", tags={"tone": "warm"})
    say(queue, ANN, b, "discarded")
    seen = card(queue, BLIND, a)
    assert (seen.status, seen.row.label, seen.judgement, seen.seen) == ("pending", "a", None, seen.seen)
    assert queue.counts(BLIND)["pending"] == 8
    say(queue, BLIND, a, label="a")
    say(queue, BLIND, b, "discarded")
    say(queue, BLIND, c)
    assert set(queue.conflicts()) == {a}
    assert {row: set(found) for row, found in queue.independent().items()} == {
        a: {"Ann", "Bob"},
        b: {"Ann", "Bob"},
        c: {"Bob"},
    }
    first = card(queue, ANN, a).history[0]
    say(queue, ANN, a, like=first["number"])
    assert queue.conflicts() == {} and card(queue, ANN, a).row.label == "b"
    assert queue.independent()[a]["Ann"]["number"] == first["number"]  # what she said before she knew
    assert frozen(queue)[a].label == "b"


def test_an_added_row_waits_for_its_judgement(made):
    queue = made("chats")
    row = Row("", "chat", [{"role": "user", "content": "New?"}, {"role": "assistant", "content": "Yes."}],
              tags={"synthetic": "paraphrase"}, extra={"parents": [queue.ids[0]]})  # fmt: skip
    new = Row(new_id(row), row.kind, row.messages, tags=row.tags, extra=row.extra)
    Additions(queue.dataset.folder).add([new], "a test")
    queue = Queue(queue.workspace, "chats")
    shown = card(queue, ANN, new.row_id)
    assert (shown.status, [parent.row_id for parent in shown.parents]) == ("pending", [queue.ids[0]])
    say(queue, ANN, new.row_id, texts=[{"of": "messages", "at": 1, "text": "No."}])
    assert frozen(queue)[new.row_id].messages[1]["content"] == "No."
    assert len(Queue(queue.workspace, "chats").ids) == 9


def test_many_at_once_lose_nothing(made):
    queue = made("labels")

    def work(name: str) -> None:
        mine = Queue(queue.workspace, "labels")
        for place in range(25):
            row = mine.ids[place % 8]
            of = [{"row": row, "seen": mine.deeds(row, Eye(name, True))[-1]["number"] if place >= 8 else 0}]
            assert judge(
                mine, Eye(name, True), read({"key": f"{name}-{place:04}", "of": of, "status": "accepted"})
            ).number

    threads = [threading.Thread(target=work, args=(name,)) for name in ("one", "two", "three")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = logs.read(queue.reviews.path)[0]
    assert len({line["key"] for line in lines}) == 75 and [line["number"] for line in lines] == list(range(1, 76))


def test_states_that_are_gone_through_stay_as_they_were(made):
    queue = made("labels")
    say(queue, ANN, queue.ids[0])
    given = queue.statuses(ANN)
    for row_id in given:  # another request judges while this one counts
        say(queue, BOB, queue.ids[1])
        assert len(queue.statuses(ANN)) == 2 and row_id == queue.ids[0]
    assert list(given) == [queue.ids[0]]


def test_what_can_t_be_read_is_said(made):
    queue = made("labels")
    with pytest.raises(BadInput, match="a rating is a number from 1 to 5"):
        read({"key": "a-long-key", "of": [{"row": "x"}], "status": "accepted", "ratings": {"": 6}})
    with pytest.raises(BadInput, match="there is no such setting"):
        read({"key": "a-long-key", "of": [{"row": "x"}], "status": "accepted", "more": 1})
    with pytest.raises(BadInput, match="a model wrote the row"):
        say(queue, ANN, queue.ids[0], tags={"synthetic": None})
    with pytest.raises(NotFound, match="no row"):
        judge(queue, ANN, read({"key": "a-long-key", "of": [{"row": "x"}], "status": "accepted"}))
    with pytest.raises(BadInput, match="belong to one row"):
        say(queue, ANN, list(queue.ids[:2]), texts=[{"of": "messages", "at": 0, "text": "x"}])
