"""An acceptance stands on the words that were seen, and on no others that the source has later."""

from __future__ import annotations

import json

import pytest
from filelock import Timeout

from studio.datasets.importing import steps
from studio.datasets.importing.steps import import_file
from studio.datasets.reviewing import reviews as reviewing
from studio.datasets.reviewing.judgements import SOURCE_CHANGED, Eye
from studio.datasets.reviewing.queue import Ask, Queue
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.store import Dataset
from studio.datasets.versions.freezing import freeze
from studio.datasets.versions.history import go_back
from studio.settings.importing import ImportSettings


def bring(workspace, folder, records):
    source = folder / "rows.jsonl"
    source.write_text("".join(json.dumps(record) + "\n" for record in records))
    import_file(workspace, ImportSettings(source=str(source), name="set", mapping=["key=id"]))
    return Dataset.open(workspace, "set")


def pairs(count):
    return [{"id": n, "prompt": f"q{n}", "completion": f"a{n}"} for n in range(count)]


def status(workspace, rows):
    queue = Queue(workspace, "set")
    cards = {card.row.row_id: card.status for card in queue.stretch(Ask(Eye("Ben", True), show="all"), 0, 99).cards}
    return [cards[row] for row in rows]


@pytest.mark.parametrize("frozen", [False, True])
def test_a_row_that_was_accepted_and_changed_in_the_source_is_judged_again(workspace, tmp_path, frozen):
    """Rows 0 and 1 are accepted, 2 is edited and accepted, 3 is discarded, 4 is nobody's; all but 1 change."""
    records = pairs(12)
    dataset = bring(workspace, tmp_path, records)
    rows = [row.row_id for row in dataset.rows()]
    reviews = Reviews(dataset)
    reviews.edit(rows[2], [{"of": "messages", "at": 1, "text": "Ann's words"}], by="Ann")
    said = ["accepted", "accepted", "accepted", "discarded"]
    reviews.apply(
        [{"type": "judge", "row": row, "status": word} for row, word in zip(rows, said, strict=False)], by="Ben"
    )
    if frozen:
        freeze(workspace, "set")
    for n in (0, 2, 3, 4):
        records[n]["completion"] = f"other {n}"
    again = bring(workspace, tmp_path, records)
    assert status(workspace, rows[:5]) == ["pending", "accepted", "accepted", "discarded", "pending"]
    notes = " ".join(again.version_info()["notes"])
    assert "1 row was accepted and has other words in the source now, so nobody has judged it yet" in notes
    told = f"1 row that somebody edited was changed in the source too; the edit stays: look at this row ({rows[2]})"
    assert told in notes
    assert f"1 row that was left out has other words in the source now and stays out: look at it ({rows[3]})" in notes
    reviews = Reviews(again)
    assert reviews.pending()[rows[2]].content["messages"][1]["content"] == "Ann's words"
    last = reviews.log().by_row[rows[0]][-1]
    assert last["reason"] == SOURCE_CHANGED and "by" not in last
    reviews.undo()
    assert status(workspace, rows[:2]) == ["accepted", "accepted"]


def test_the_same_file_again_leaves_every_judgement(workspace, tmp_path):
    """Also where people's own changes are in the version before: what they did is no change of the source."""
    dataset = bring(workspace, tmp_path, pairs(12))
    rows = [row.row_id for row in dataset.rows()]
    reviews = Reviews(dataset)
    reviews.edit(rows[0], [{"of": "messages", "at": 1, "text": "mine"}])
    reviews.apply([{"type": "judge", "row": row, "status": "accepted"} for row in rows], by="Ben")
    freeze(workspace, "set")
    last = reviews.last()
    again = bring(workspace, tmp_path, pairs(12))
    assert Reviews(again).last() == last and status(workspace, rows) == ["accepted"] * 12
    assert len(again.version_info()["notes"]) == 1


@pytest.mark.parametrize("frozen", [False, True])
def test_after_going_back_the_words_are_compared_with_those_that_were_seen(workspace, tmp_path, frozen):
    """Row 0 is accepted in the words of version 1; those of version 2 came and went before."""
    first = pairs(12)
    second = [{**record, "completion": "other"} if record["id"] == 0 else record for record in first]
    bring(workspace, tmp_path, first)
    row, *others = [row.row_id for row in bring(workspace, tmp_path, second).rows()]
    go_back(workspace, "set", 1)
    reviews = Reviews(Dataset.open(workspace, "set"))
    reviews.apply([{"type": "judge", "row": row, "status": "accepted"}], by="Ben")
    if frozen:
        reviews.exclude(others[-1])
        freeze(workspace, "set")
    bring(workspace, tmp_path, second)
    assert status(workspace, [row]) == ["pending"]


def test_what_is_reviewed_during_the_import_is_neither_overwritten_nor_missed(workspace, tmp_path, monkeypatch):
    """Row 0 was accepted and is discarded meanwhile, row 1 is accepted on its old words; then nobody can review."""
    records = pairs(12)
    dataset = bring(workspace, tmp_path, records)
    rows = [row.row_id for row in dataset.rows()]
    Reviews(dataset).apply([{"type": "judge", "row": rows[0], "status": "accepted"}], by="Ann")
    look, publish = steps.astray, steps.publish

    def meanwhile(*given):
        said = {rows[0]: "discarded", rows[1]: "accepted"}
        Reviews(dataset).apply([{"type": "judge", "row": row, "status": word} for row, word in said.items()], by="Ben")
        return look(*given)

    def published(*given):
        monkeypatch.setattr(reviewing, "PATIENCE", 0)
        with pytest.raises(Timeout):
            Reviews(dataset).exclude(rows[2])
        publish(*given)

    monkeypatch.setattr(steps, "astray", meanwhile)
    monkeypatch.setattr(steps, "publish", published)
    for n in (0, 1):
        records[n]["completion"] = f"other {n}"
    notes = " ".join(bring(workspace, tmp_path, records).version_info()["notes"])
    assert status(workspace, rows[:2]) == ["discarded", "pending"]
    assert "1 row was accepted and has other words" in notes and "1 row that was left out has other words" in notes
