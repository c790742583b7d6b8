"""Adding to a dataset and merging several: ids, sides and documents stay, equal rows are taken once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio.datasets.additions import PARENTS, SYNTHETIC
from studio.datasets.importing.steps import import_file
from studio.datasets.mixing.merging import merge
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.rows import Row
from studio.datasets.store import Dataset
from studio.datasets.versions.freezing import freeze
from studio.datasets.versions.publishing import Stopped
from studio.errors import BadInput, NotFound, Refused
from studio.settings.importing import ImportSettings
from studio.settings.merging import MergeSettings
from studio.workspace import Workspace


def pairs(numbers, **more) -> list[dict]:
    return [{"prompt": f"question {n}", "completion": f"answer {n}", **more} for n in numbers]


def write(path: Path, records: list[dict]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def bring(workspace: Workspace, source: Path, name: str, **given) -> Dataset:
    import_file(workspace, ImportSettings(source=str(source), name=name, **given))
    return Dataset.open(workspace, name)


def sides(dataset: Dataset, version: int | None = None) -> dict[str, str]:
    return {row.row_id: row.split for row in dataset.rows(version)}


def test_rows_are_added_behind_those_there_are(workspace, tmp_path):
    old = bring(workspace, write(tmp_path / "a.jsonl", pairs(range(40))), "set")
    before = sides(old)
    new = bring(workspace, write(tmp_path / "b.jsonl", pairs(range(30, 60))), "set", append=True)
    after = sides(new)
    assert len(after) == 60 and {row: after[row] for row in before} == before
    assert list(after)[:40] == list(before)
    about = new.version_info()
    assert (about["version"], about["added_to"], about["added"]) == (2, 1, 20)
    assert about["notes"] == ["10 rows were in the dataset already and are not doubled"]
    assert about["counts"] == new.counts() and sum(about["counts"].values()) == 60
    rows = list(new.rows())
    assert (rows[0].source_file, rows[-1].source_file, rows[-1].source_line) == ("a.jsonl", "b.jsonl", 30)
    assert {row.split for row in rows[40:]} == {"train", "validation", "test"}
    assert (new.folder / "source" / "0002" / "b.jsonl").exists()


def test_equal_rows_are_doubled_when_asked_and_stay_on_the_side_of_the_first(workspace, tmp_path):
    source = write(tmp_path / "a.jsonl", pairs(range(30)))
    before = sides(bring(workspace, source, "set"))
    after = sides(bring(workspace, source, "set", append=True, keep_equal=True))
    assert len(after) == 60
    assert all(after[f"{row}-2"] == side for row, side in before.items())


def test_what_can_not_be_added_is_refused_and_nothing_changes(workspace, tmp_path):
    source = write(tmp_path / "a.jsonl", pairs(range(20)))
    dataset = bring(workspace, source, "set")
    with pytest.raises(BadInput, match="nothing new"):
        bring(workspace, source, "set", append=True)
    (tmp_path / "b.txt").write_text("Some text that is learned as it stands.")
    with pytest.raises(BadInput, match="of the kind “chat”"):
        bring(workspace, tmp_path / "b.txt", "set", append=True)
    with pytest.raises(NotFound, match="no dataset “other”"):
        bring(workspace, source, "other", append=True)
    assert Dataset.open(workspace, "set").versions() == dataset.versions()


def test_a_row_with_a_key_is_not_doubled(workspace, tmp_path):
    old = bring(workspace, write(tmp_path / "a.jsonl", pairs(range(10), n=1)), "set", mapping=["key=prompt"])
    changed = [{"prompt": "question 3", "completion": "another"}, {"prompt": "new", "completion": "row"}]
    new = bring(workspace, write(tmp_path / "b.jsonl", changed), "set", mapping=["key=prompt"], append=True)
    assert list(sides(new))[:10] == list(sides(old)) and len(sides(new)) == 11
    (told,) = new.version_info()["notes"]
    assert told == (
        "1 row (line 1) has an id that is in the dataset already, with other words: it stays as it was there; to take "
        "the new words, import the whole file again without --append"
    )
    again = [*changed, *pairs(range(4, 6)), {"prompt": "question 6", "completion": "another"}, *pairs(range(20, 21))]
    newer = bring(workspace, write(tmp_path / "b.jsonl", again), "set", mapping=["key=prompt"], append=True)
    known, told = newer.version_info()["notes"]
    assert known == "3 rows were in the dataset already and are not doubled"
    assert told.startswith("2 rows (lines 1, 5) have an id that is in the dataset already, with other words: they stay")
    with pytest.raises(BadInput, match=r"1 row \(line 1\) has an id") as caught:
        bring(workspace, write(tmp_path / "b.jsonl", changed), "set", mapping=["key=prompt"], append=True)
    assert "without --append" in caught.value.next and "nothing new" not in str(caught.value)
    bring(workspace, write(tmp_path / "c.jsonl", pairs(range(3))), "other")
    one = bring(workspace, write(tmp_path / "c.jsonl", pairs(range(2, 5))), "other", append=True)
    assert one.version_info()["notes"] == ["1 row was in the dataset already and is not doubled"]


def test_reviews_that_a_version_has_are_not_asked_for_again(workspace, tmp_path):
    dataset = bring(workspace, write(tmp_path / "a.jsonl", pairs(range(20))), "set")
    first = next(iter(dataset.rows()))
    Reviews(dataset).apply([{"type": "exclude", "row": first.row_id}])
    freeze(workspace, "set")
    new = bring(workspace, write(tmp_path / "b.jsonl", pairs(range(20, 25))), "set", append=True)
    assert len(sides(new)) == 24 and not Reviews(new).pending()


def merged(workspace: Workspace, *names: str, **given) -> Dataset:
    merge(workspace, MergeSettings(datasets=list(names), name="all", **given))
    return Dataset.open(workspace, "all")


def held_out(*found: str | None) -> str:
    """The side of a row that stands on these."""
    return next(side for side in ("test", "validation", "train") if side in found)


def test_datasets_are_merged_with_their_ids_and_sides(workspace, tmp_path):
    one = bring(workspace, write(tmp_path / "a.jsonl", pairs(range(30))), "one")
    two = bring(workspace, write(tmp_path / "b.jsonl", pairs(range(20, 50))), "two", seed=5)
    both = merged(workspace, "one", "two")
    assert sides(both) == {row: held_out(sides(one).get(row), sides(two).get(row)) for row in sides(both)}
    assert list(sides(both))[:30] == list(sides(one))
    about = both.version_info()
    assert (about["rows"], about["counts"], about["kind"]) == (50, both.counts(), "chat")
    assert about["reasons"] == ["merged from “one” (30 rows), “two” (20 rows)"]
    other = sum(sides(one)[row] != side for row, side in sides(two).items() if row in sides(one))
    told = f"{other} rows stood on several sides; where a row is held out once, it is held out"
    assert other and about["notes"] == ["10 equal rows were taken once", told]
    saved = json.loads((both.folder / "source" / "0001" / "merge.json").read_text())
    assert saved["versions"] == {"one": 1, "two": 1}


def test_equal_rows_are_kept_when_asked_under_ids_of_their_own(workspace, tmp_path):
    one = bring(workspace, write(tmp_path / "a.jsonl", pairs(range(30))), "one")
    two = bring(workspace, write(tmp_path / "b.jsonl", pairs(range(30))), "two", seed=5)
    both = sides(merged(workspace, "one", "two", keep_equal=True))
    assert len(both) == 60
    for row, side in sides(one).items():
        assert both[row] == both[f"{row}-2"] == held_out(side, sides(two)[row])


def test_a_merge_that_makes_no_sense_is_refused_and_leaves_nothing(workspace, tmp_path):
    bring(workspace, write(tmp_path / "a.jsonl", pairs(range(10))), "one")
    (tmp_path / "b.txt").write_text("Some text.")
    bring(workspace, tmp_path / "b.txt", "text")
    with pytest.raises(BadInput, match="different kinds"):
        merged(workspace, "one", "text")
    with pytest.raises(NotFound):
        merged(workspace, "one", "none")
    bring(workspace, write(tmp_path / "c.jsonl", pairs(range(5))), "two")
    with pytest.raises(Refused, match="already"):
        merge(workspace, MergeSettings(datasets=["one", "two"], name="two"))
    with pytest.raises(Stopped):
        merge(workspace, MergeSettings(datasets=["one", "two"], name="all"), None, lambda: True)
    assert sorted(workspace.names("datasets")) == ["one", "text", "two"]


def with_written(dataset: Dataset, *after: str) -> list[str]:
    """Freezes a row that a model wrote after each of these, and one after each of those; their ids."""
    rows = []
    for n, parent in enumerate(after):
        for words in (f"Is it {n}?", f"Or is it {n}?"):
            turns = [{"role": "user", "content": words}, {"role": "assistant", "content": "so"}]
            row = Row(f"a{len(rows)}", "chat", turns, tags={SYNTHETIC: "paraphrase"}, extra={PARENTS: [parent]})
            rows.append(row)
            parent = row.row_id
    reviews = Reviews(dataset)
    reviews.additions.add(rows, "paraphrases")
    reviews.apply([{"type": "judge", "row": row.row_id, "status": "accepted"} for row in rows])
    freeze(Workspace(dataset.folder.parent.parent), dataset.name)
    return [row.row_id for row in rows]


@pytest.mark.parametrize("order", [("one", "two"), ("two", "one")])
@pytest.mark.parametrize("key", [[], ["key=id"]])
def test_what_was_written_after_a_row_that_another_part_holds_out_is_left_out(workspace, tmp_path, key, order):
    one = bring(workspace, write(tmp_path / "a.jsonl", keyed(0, range(10), split="train")), "one", mapping=key)
    out, stays, *_ = (row.row_id for row in one.rows())
    written = with_written(one, out, stays)
    bring(workspace, write(tmp_path / "b.jsonl", keyed(50, range(1), split="test")), "two", mapping=key)
    both = merged(workspace, *order)
    assert {row.row_id for row in both.written_by_models()} == set(written[2:])
    about = both.version_info()
    assert about["counts"] == both.counts() == {"train": 11, "validation": 0, "test": 1} and about["rows"] == 12
    assert "2 rows that a model wrote" in " ".join(about["notes"])


def test_a_held_out_row_that_equals_a_written_one_stays_and_is_held_out(workspace, tmp_path):
    one = bring(workspace, write(tmp_path / "a.jsonl", pairs(range(10), split="train")), "one")
    with_written(one, next(one.rows()).row_id)
    same = [{"prompt": "Is it 0?", "completion": "so", "split": "test"}]
    bring(workspace, write(tmp_path / "b.jsonl", same), "two")
    both = merged(workspace, "one", "two")
    assert [row.tags for row in both.rows(None, "test")] == [{}]
    assert not both.written_by_models()  # the other was written after it


def test_written_rows_that_both_parts_have_are_taken_once(workspace, tmp_path):
    for name in ("one", "two"):
        dataset = bring(workspace, write(tmp_path / "a.jsonl", pairs(range(10), split="train")), name)
        with_written(dataset, next(dataset.rows()).row_id)
    assert len(sides(merged(workspace, "one", "two"))) == 12


def keyed(start: int, numbers, **more) -> list[dict]:
    return [{"id": start + n, **pair} for n, pair in enumerate(pairs(numbers, **more))]


def on_two_sides(dataset: Dataset) -> int:
    """How many texts stand on more than one side."""
    found: dict[str, set[str]] = {}
    for row in dataset.rows():
        found.setdefault(json.dumps(row.messages), set()).add(row.split)
    return sum(len(where) > 1 for where in found.values())


def test_rows_that_only_share_a_key_are_all_merged(workspace, tmp_path):
    one = bring(workspace, write(tmp_path / "a.jsonl", keyed(0, range(10))), "one", mapping=["key=id"])
    bring(workspace, write(tmp_path / "b.jsonl", keyed(0, range(8, 18))), "two", mapping=["key=id"])
    both = merged(workspace, "one", "two")
    assert {row.messages[0]["content"] for row in both.rows()} == {f"question {n}" for n in range(18)}
    assert len(sides(both)) == 18 and "2 equal rows were taken once" in both.version_info()["notes"]
    assert list(sides(both))[10:] == [f"{row}-2" for row in list(sides(one))[2:]]


def test_copies_in_one_dataset_stay_copies(workspace, tmp_path):
    bring(workspace, write(tmp_path / "a.jsonl", pairs([1, 1, 2])), "one")
    bring(workspace, write(tmp_path / "b.jsonl", pairs([1, 1, 1, 2, 3, 3])), "two")
    both = merged(workspace, "one", "two")
    found = sorted(row.messages[0]["content"][-1] for row in both.rows())
    assert "".join(found) == "111233" and len(sides(both)) == 6 and not on_two_sides(both)


@pytest.mark.parametrize("order", [("one", "two"), ("two", "one")])
@pytest.mark.parametrize("keep_equal", [False, True])
def test_a_row_that_one_dataset_holds_out_is_held_out(workspace, tmp_path, keep_equal, order):
    """Whichever comes first, and under whatever keys: else its answer would be learned and asked for."""
    bring(workspace, write(tmp_path / "a.jsonl", keyed(0, range(10), split="train")), "one", mapping=["key=id"])
    rows = keyed(50, range(4), split="test") + keyed(60, range(4, 8), split="validation")
    bring(workspace, write(tmp_path / "b.jsonl", rows), "two", mapping=["key=id"])
    both = merged(workspace, *order, keep_equal=keep_equal)
    copies = 2 if keep_equal else 1
    assert both.counts() == {"train": 2, "validation": 4 * copies, "test": 4 * copies}
    assert both.counts() == both.version_info()["counts"] and not on_two_sides(both)
    assert "8 rows stood on several sides" in " ".join(both.version_info()["notes"])


def test_the_same_texts_under_new_keys_are_added_where_they_stand(workspace, tmp_path):
    old = bring(workspace, write(tmp_path / "a.jsonl", keyed(0, range(40))), "set", mapping=["key=id"])
    before = sides(old)
    source = write(tmp_path / "b.jsonl", keyed(90, range(40)))
    new = bring(workspace, source, "set", mapping=["key=id"], append=True, seed=5)
    after = sides(new)
    assert len(after) == 80 and not on_two_sides(new)
    assert {row: after[row] for row in before} == before


@pytest.mark.parametrize("key", [[], ["key=id"]])
def test_a_column_of_sides_does_not_part_equal_rows(workspace, tmp_path, key):
    bring(workspace, write(tmp_path / "a.jsonl", keyed(0, range(20))), "set", mapping=key)
    source = write(tmp_path / "b.jsonl", keyed(50, range(10, 30), split="train"))
    new = bring(workspace, source, "set", mapping=key, append=True, keep_equal=True)
    assert len(sides(new)) == 40 and not on_two_sides(new)
    held_out = sum(row.split != "train" for row in new.rows() if row.source_file == "b.jsonl")
    notes = new.version_info()["notes"]
    assert held_out and notes == [
        f"{held_out} rows are not on the side their column says, but where an equal row is",
    ]  # fmt: skip


@pytest.mark.parametrize("key", [[], ["key=id"]])
@pytest.mark.parametrize("keep_equal", [False, True])
def test_what_was_discarded_is_not_added_again(workspace, tmp_path, key, keep_equal):
    source = write(tmp_path / "a.jsonl", keyed(0, range(20)))
    dataset = bring(workspace, source, "set", mapping=key)
    no, out, back, *_ = sides(dataset)
    Reviews(dataset).apply([{"type": "judge", "row": no, "status": "discarded"}, {"type": "exclude", "row": out}])
    Reviews(dataset).apply([{"type": "exclude", "row": back}])
    Reviews(dataset).include(back)
    freeze(workspace, "set")
    with pytest.raises(BadInput, match="has 18 of its rows, and 2 were left out in Review"):
        bring(workspace, source, "set", mapping=key, append=True)
    if key and keep_equal:
        return  # a key stands for one row only
    write(source, keyed(0, range(22)))
    new = bring(workspace, source, "set", mapping=key, append=True, keep_equal=keep_equal)
    assert not {no, out} & set(sides(new)) and back in sides(new)
    assert len(sides(new)) == (38 if keep_equal else 20)
    assert "2 rows that were left out, or discarded in Review, stay out" in new.version_info()["notes"][-1]
    anew = bring(workspace, source, "set", mapping=key)  # the way back that the note tells
    assert set(Reviews(anew).pending()) == {no, out}
    Reviews(anew).include(no)
    assert set(Reviews(anew).pending()) == {out} and len(sides(anew)) == 22
