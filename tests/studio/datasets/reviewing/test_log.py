"""The log of reviews is read as it grows, and says at any time what stands."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.datasets.reviewing.changes import Change, change_of
from studio.datasets.reviewing.log import ReviewLog, review_log, rows_of


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


def test_what_is_done_to_many_rows_alike_is_read_like_many_deeds(path, tmp_path):
    given = {"by": "Ada", "why": "bulk", "version": 2}
    alike, each = ReviewLog(path), ReviewLog(tmp_path / "other.jsonl")
    alike.append("batch", **given, deeds=[{"type": "move", "rows": ["a", "b"], "split": "test"}])
    each.append("batch", **given, deeds=[{"type": "move", "row": row, "split": "test"} for row in "ab"])
    said = [{name: value for name, value in log.by_row["b"][0].items() if name in given} for log in (alike, each)]
    assert said == [given, given] and rows(alike) == rows(each) == {"a": [1], "b": [1]}
    assert [row for deed in alike.standing[1] for row in rows_of(deed)] == ["a", "b"]
    alike.append("undo", of=1, row="a", only="a")
    assert rows(alike) == {"b": [1]} == rows(ReviewLog(path).read())
    assert [rows_of(deed) for deed in alike.standing[1]] == [["b"]]


def test_rows_with_the_same_reviews_share_them_and_what_is_made_of_them(path):
    log, looked = ReviewLog(path), []
    log.append("exclude", row="b")
    for text in ("one", "two"):
        log.append("batch", deeds=[{"type": "tag", "tags": {"a": text}, "rows": ["a", "b", "c"]}])

    def change(deeds):
        looked.append(len(deeds))
        return change_of(deeds)

    made = log.fold(("changes",), change)
    assert made["a"] is made["c"] == Change(3, tags={"a": "two"}) and made["b"].excluded and sorted(looked) == [2, 3]
    assert log.by_row["a"] is log.by_row["c"]


def test_a_million_rows_at_once_would_fit_beside_the_page(path):
    """Under 300 MB, where everything has a gigabyte: counted with fewer rows, as cost grows with their number."""
    many = 20_000
    ReviewLog(path).append(
        "batch", deeds=[{"type": "tag", "tags": {"a": "b"}, "rows": [f"{n:020}" for n in range(many)]}]
    )
    tracemalloc.start()
    log = ReviewLog(path).read()
    log.fold(("changes", 0), change_of)
    held, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(log.by_row) == many and held < most < 300 * many


STRANGE = [["b", 5], [5], ["\ud800"], None, 7, [["b"]], [], [None], "b"]


@pytest.mark.parametrize("strange", STRANGE, ids=str)
def test_a_line_that_somebody_edited_hides_no_other_and_none_of_it_stands(path, strange):
    log = ReviewLog(path)
    log.append("exclude", row="a")
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps({"type": "exclude", "row": strange if strange != "b" else 3, "number": 2}) + "\n")
        deeds = [{"type": "exclude", "row": "d"}, {"type": "exclude", "rows": strange}]
        file.write(json.dumps({"type": "batch", "number": 3, "deeds": deeds}) + "\n")
        file.write(json.dumps({"type": "undo", "number": 4, "of": strange}) + "\n")
    log.append("exclude", row="c")
    assert rows(log) == rows(ReviewLog(path).read()) == {"a": [1], "c": [5]} and sorted(log.standing) == [1, 5]


def test_another_file_in_its_place_is_read_anew(path, tmp_path):
    log = review_log(path)
    log.append("exclude", row="a")
    path.rename(tmp_path / "old")
    assert rows(review_log(path)) == {} and review_log(path).last == 0
    ReviewLog(path).append("exclude", row="b" * 200)  # longer than what stood there before
    assert rows(review_log(path)) == {"b" * 200: [1]} and review_log(path) is log


def test_a_fold_looks_only_at_rows_with_new_reviews(path):
    log, looked = ReviewLog(path), []

    def count(deeds):
        looked.append(len(deeds))
        return len(deeds) or None

    for row in "aab":
        log.append("exclude", row=row)
    assert log.fold(("n", 0), count) == {"a": 2, "b": 1} and sorted(looked) == [1, 2]
    looked.clear()
    log.append("exclude", row="b")
    assert log.fold(("n", 0), count)["b"] == 2 and looked == [2]
    log.append("undo", of=3, row="b")
    log.append("undo", of=4, row="b")
    assert log.fold(("n", 0), count) == {"a": 2}
    many = [f"{n}" for n in range(1200)]
    log.append("batch", deeds=[{"type": "exclude", "rows": ["a", *many]}])
    assert log.fold(("n", 0), count) == {"a": 3} | dict.fromkeys(many, 1)
    log.append("undo", of=7, row="a")
    assert log.fold(("n", 0), count) == {"a": 2}


@given(st.lists(st.tuples(st.sampled_from(["one", "many", "alike", "undo", "only"]), st.integers(0, 9)), max_size=30))
def test_read_at_once_or_bit_by_bit_the_same_stands(tmp_path_factory, steps):
    path = tmp_path_factory.mktemp("log") / "reviews.jsonl"
    writer = ReviewLog(path)
    for kind, at in steps:
        if kind == "one":
            writer.append("exclude", row=f"r{at}")
        elif kind == "many":
            writer.append("batch", deeds=[{"type": "exclude", "row": f"r{n}"} for n in range(at + 1)])
        elif kind == "alike":
            writer.append("batch", deeds=[{"type": "exclude", "rows": [f"r{n}" for n in range(at + 1)]}])
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
    said = {(row, deed["number"]) for deeds in whole.standing.values() for deed in deeds for row in rows_of(deed)}
    assert said == {(row, number) for row, numbers in rows(whole).items() for number in numbers}
