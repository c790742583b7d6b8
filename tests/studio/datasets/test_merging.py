"""Adding to a dataset and merging several: ids, sides and documents stay, equal rows are taken once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio.datasets.importing import Stopped, import_file
from studio.datasets.merging import merge
from studio.datasets.reviews import Reviews
from studio.datasets.store import Dataset
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


def test_reviews_that_a_version_has_are_not_asked_for_again(workspace, tmp_path):
    from studio.datasets.freezing import freeze

    dataset = bring(workspace, write(tmp_path / "a.jsonl", pairs(range(20))), "set")
    first = next(iter(dataset.rows()))
    Reviews(dataset).apply([{"type": "exclude", "row": first.row_id}])
    freeze(workspace, "set")
    new = bring(workspace, write(tmp_path / "b.jsonl", pairs(range(20, 25))), "set", append=True)
    assert len(sides(new)) == 24 and not Reviews(new).pending()


def merged(workspace: Workspace, *names: str, **given) -> Dataset:
    merge(workspace, MergeSettings(datasets=list(names), name="all", **given))
    return Dataset.open(workspace, "all")


def test_datasets_are_merged_with_their_ids_and_sides(workspace, tmp_path):
    one = bring(workspace, write(tmp_path / "a.jsonl", pairs(range(30))), "one")
    two = bring(workspace, write(tmp_path / "b.jsonl", pairs(range(20, 50))), "two", seed=5)
    both = merged(workspace, "one", "two")
    assert sides(both) == sides(two) | sides(one)
    assert list(sides(both))[:30] == list(sides(one))
    about = both.version_info()
    assert (about["rows"], about["counts"], about["kind"]) == (50, both.counts(), "chat")
    assert about["reasons"] == ["merged from “one” (30 rows), “two” (20 rows)"]
    assert about["notes"] == ["10 equal rows were taken once"]
    saved = json.loads((both.folder / "source" / "0001" / "merge.json").read_text())
    assert saved["versions"] == {"one": 1, "two": 1}


def test_equal_rows_are_kept_when_asked_under_ids_of_their_own(workspace, tmp_path):
    one = bring(workspace, write(tmp_path / "a.jsonl", pairs(range(30))), "one")
    bring(workspace, write(tmp_path / "b.jsonl", pairs(range(30))), "two", seed=5)
    both = sides(merged(workspace, "one", "two", keep_equal=True))
    assert len(both) == 60 and all(both[f"{row}-2"] == side for row, side in sides(one).items())


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
