"""A file imported again: its rows stay on the side they had, however keys, shares and groups are given."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.versions.comparing import news
from studio.datasets.versions.freezing import freeze
from tests.studio.datasets.importing.test_steps import bring, pairs, write


@pytest.mark.parametrize("key", [[], ["key=id"]])
def test_what_stays_in_a_file_stays_on_its_side(workspace, tmp_path, key):
    """Thirty rows more and one corrected: no row that was held out comes to be trained on."""
    records = [record | {"id": f"T-{n}"} for n, record in enumerate(pairs(230))]
    first = bring(
        workspace, write(tmp_path / "a.jsonl", records[:200]), mapping=key, seed=3, split="train=0.8,test=0.2"
    )
    before = {row.messages[0]["content"]: row.split for row in first.rows()}
    edited = next(n for n in range(200) if before[f"question {n}"] == "test")
    records[edited] = records[edited] | {"completion": "better"}
    again = bring(workspace, write(tmp_path / "a.jsonl", records), mapping=key)
    after = {row.messages[0]["content"]: row.split for row in again.rows()}
    stayed = before if key else {asked: side for asked, side in before.items() if asked != f"question {edited}"}
    assert {asked: after[asked] for asked in stayed} == stayed
    assert again.counts() == {"train": 184, "validation": 0, "test": 46}  # the new ones fill up the shares of before
    assert again.version_info()["notes"][0].startswith(f"{len(stayed)} rows stay on the side they had in version 1")
    assert news(again, 2) | {"against": 1} == {
        "against": 1, "added": 30 + (not key), "removed": int(not key), "changed": len(key), "moved": 0,
        "unchanged": 199,
    }  # fmt: skip
    anew = bring(workspace, tmp_path / "a.jsonl", mapping=key, split="train=0.5,test=0.5")
    assert anew.counts() == {"train": 115, "validation": 0, "test": 115}  # what is asked for wins
    assert not any("stay on the side" in note for note in anew.version_info()["notes"])
    moved = news(anew, 3)
    assert moved and moved["moved"] > 60 and moved["changed"] == 0


def test_keys_that_are_numbered_anew_move_no_words_to_another_side(workspace, tmp_path):
    records = [record | {"id": n} for n, record in enumerate(pairs(100))]
    before = bring(workspace, write(tmp_path / "a.jsonl", records), mapping=["key=id"])
    sides = {row.messages[0]["content"]: row.split for row in before.rows()}
    first = {"id": 0, "prompt": "a new one on top", "completion": "yes"}
    below = [record | {"id": record["id"] + 1} for record in records]
    again = bring(workspace, write(tmp_path / "a.jsonl", [first, *below]), mapping=["key=id"])
    after = {row.messages[0]["content"]: row.split for row in again.rows()}
    assert after == sides | {first["prompt"]: after[first["prompt"]]}


def test_rows_added_by_other_shares_leave_those_of_the_dataset(workspace, tmp_path):
    bring(workspace, write(tmp_path / "a.jsonl", pairs(50)), split="train=1")
    added = [{"prompt": f"added {n}", "completion": "yes"} for n in range(10)]
    bring(workspace, write(tmp_path / "b.jsonl", added), append=True, split="test=1")
    again = bring(workspace, write(tmp_path / "a.jsonl", pairs(70)))
    assert again.counts() == {"train": 70, "validation": 0, "test": 0}


def test_the_same_shares_are_the_same_however_they_are_written(workspace, tmp_path):
    source = write(tmp_path / "a.jsonl", pairs(40))
    first = bring(workspace, source, split="train=0.8,validation=0.1,test=0.1")
    moved = [row.row_id for row in first.rows(split="train")][:3]
    Reviews(first).apply([{"type": "move", "row": row, "split": "test"} for row in moved])
    freeze(workspace, first.name)
    again = bring(workspace, source, split="train=0.8000,validation=0.1000,test=0.1000")
    assert {row.row_id for row in again.rows(split="test")} >= set(moved)


def test_rows_kept_together_stay_on_their_side_with_those_that_come_to_them(workspace, tmp_path):
    def visits(count):
        return [record | {"patient": f"P{n % 50}"} for n, record in enumerate(pairs(count))]

    source = tmp_path / "a.jsonl"
    first = bring(workspace, write(source, visits(200)), group_by="patient", split="train=0.6,test=0.4", seed=3)
    sides = {row.row_id: row.split for row in first.rows()}
    again = bring(workspace, write(source, visits(240)), group_by="patient")
    after = {row.row_id: row.split for row in again.rows()}
    assert {row_id: after[row_id] for row_id in sides} == sides
    assert len({(row.extra["patient"], row.split) for row in again.rows()}) == 50
    assert not any("kept rows with the same" in note for note in again.version_info()["notes"])
    alone = bring(workspace, source)
    assert any("kept rows with the same “patient” on one side" in note for note in alone.version_info()["notes"])
    anew = bring(workspace, source, group_by="patient", stratify="patient", split="train=0.6,test=0.4")
    assert any("drawn anew, as other shares, groups" in note for note in anew.version_info()["notes"])


def test_one_row_of_three_is_corrected(workspace, tmp_path):
    rows = pairs(3)
    before = {row.messages[0]["content"]: row.split for row in bring(workspace, write(tmp_path / "a", rows)).rows()}
    for n in range(3):
        corrected = [*rows[:n], rows[n] | {"completion": "better"}, *rows[n + 1 :]]
        again = bring(workspace, write(tmp_path / "a", corrected))
        assert {row.messages[0]["content"]: row.split for row in again.rows()} == before
        bring(workspace, write(tmp_path / "a", rows))


def test_a_new_row_equal_to_one_held_out_is_held_out(workspace, tmp_path):
    """Equal rows never stand on two sides, also where the file gave them other ones or their keys are new."""
    records = [record | {"id": n, "split": "test" if n < 3 else "train"} for n, record in enumerate(pairs(20))]
    bring(workspace, write(tmp_path / "a.jsonl", records), mapping=["key=id"])
    new = [{name: record[name] for name in ("id", "prompt", "completion")} for record in records]
    new += [new[0] | {"id": 90}, new[1] | {"id": 91}]
    new[7] |= {"prompt": "question 2", "completion": "answer 2"}  # was trained on, and says now what is asked for
    again = bring(workspace, write(tmp_path / "a.jsonl", new), mapping=["key=id"])
    sides = {row.row_id: row.split for row in again.rows()}
    ids = list(sides)
    assert {n for n in range(22) if sides[ids[n]] == "test"} == {0, 1, 2, 7, 20, 21}
    renamed = [record | {"id": f"other {n}"} for n, record in enumerate(new)]
    again = bring(workspace, write(tmp_path / "a.jsonl", renamed), mapping=["key=id"])
    assert [row.split for row in again.rows()] == list(sides.values())


def test_a_side_that_the_file_names_wins_over_the_one_before(workspace, tmp_path):
    bring(workspace, write(tmp_path / "a.jsonl", pairs(10)))
    rows = [pair | {"split": "test" if n else "train"} for n, pair in enumerate(pairs(10))]
    assert bring(workspace, write(tmp_path / "a.jsonl", rows)).counts() == {"train": 1, "validation": 0, "test": 9}


def test_a_version_before_that_is_damaged_hinders_no_import(workspace, tmp_path):
    source = write(tmp_path / "a.jsonl", pairs(10))
    for damage in (Path.unlink, lambda path: path.write_bytes(b"PAR1 no")):
        dataset = bring(workspace, source)
        damage(dataset.path())
        again = bring(workspace, source)
        told = f"version {dataset.latest} can't be read, so the sides of all rows are drawn anew"
        assert told in again.version_info()["notes"] and again.counts()["test"] == 1
