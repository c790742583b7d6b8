"""The log of reviews is read as it grows, and says at any time what stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.datasets.reviewing.log import ReviewLog, review_log


@pytest.fixture
def path(tmp_path):
    return tmp_path / "reviews.jsonl"


def rows(log):
    return {row: [deed["number"] for deed in deeds] for row, deeds in log.by_row.items() if deeds}


def test_what_one_reader_wrote_another_takes_in(path):
    one, other = ReviewLog(path), ReviewLog(path)
    one.append("exclude", row="a")
    assert rows(other.read()) == {"a": [1]} and other.last == 1
    one.append("batch", by="Ada", why="bulk", deeds=[{"type": "tag", "row": row, "tags": {}} for row in "ab"])
    assert rows(other.read()) == {"a": [1, 2], "b": [2]}
    assert [deed["by"] for deed in other.standing[2]] == ["Ada", "Ada"] and other.by_row["b"][0]["why"] == "bulk"
    other.append("undo", of=2, row="a")
    assert rows(one.read()) == {"a": [1]} and 2 not in one.standing


def test_one_row_of_a_batch_can_be_taken_back_alone(path):
    log = ReviewLog(path)
    log.append("batch", deeds=[{"type": "exclude", "row": row} for row in "abc"])
    log.append("undo", of=1, row="b", only="b")
    assert rows(log) == {"a": [1], "c": [1]} and len(log.standing[1]) == 2
    log.append("undo", of=1, row="a")
    assert rows(log) == {} and rows(ReviewLog(path).read()) == {}


def test_another_file_in_its_place_is_read_anew(path, tmp_path):
    log = review_log(path)
    log.append("exclude", row="a")
    path.rename(tmp_path / "old")
    assert rows(review_log(path)) == {} and review_log(path).last == 0
    ReviewLog(path).append("exclude", row="b" * 200)  # longer than what stood there before
    assert rows(review_log(path)) == {"b" * 200: [1]} and review_log(path) is log


def test_a_fold_looks_only_at_rows_with_new_reviews(path):
    log, looked = ReviewLog(path), []

    def count(row, deeds):
        looked.append(row)
        return len(deeds) or None

    for row in "aab":
        log.append("exclude", row=row)
    assert log.fold(("n", 0), count) == {"a": 2, "b": 1} and sorted(looked) == ["a", "b"]
    looked.clear()
    log.append("exclude", row="b")
    assert log.fold(("n", 0), count)["b"] == 2 and looked == ["b"]
    log.append("undo", of=3, row="b")
    log.append("undo", of=4, row="b")
    assert log.fold(("n", 0), count) == {"a": 2}


@given(st.lists(st.tuples(st.sampled_from(["one", "many", "undo", "only"]), st.integers(0, 9)), max_size=30))
def test_read_at_once_or_bit_by_bit_the_same_stands(tmp_path_factory, steps):
    path = tmp_path_factory.mktemp("log") / "reviews.jsonl"
    writer = ReviewLog(path)
    for kind, at in steps:
        if kind == "one":
            writer.append("exclude", row=f"r{at}")
        elif kind == "many":
            writer.append("batch", deeds=[{"type": "exclude", "row": f"r{n}"} for n in range(at + 1)])
        elif kind == "undo":
            writer.append("undo", of=at, row="r0")
        else:
            writer.append("undo", of=at, row=f"r{at}", only=f"r{at % 3}")
    whole = ReviewLog(path).read()
    assert (
        rows(whole) == rows(writer)
        and whole.standing == writer.standing
        and list(whole.standing) == sorted(whole.standing)
    )
    said = {(deed["row"], deed["number"]) for deeds in whole.standing.values() for deed in deeds}
    assert said == {(row, number) for row, numbers in rows(whole).items() for number in numbers}
