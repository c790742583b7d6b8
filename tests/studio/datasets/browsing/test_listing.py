"""Rows filtered, searched and sorted: the same with an index, without one, and with changes that are pending."""

from __future__ import annotations

import json
import random

import pytest

from studio.datasets.browsing import hits, index
from studio.datasets.browsing.index import Index
from studio.datasets.browsing.listing import Pending, Wanted
from studio.datasets.importing.steps import import_file
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.store import Dataset
from studio.settings.importing import ImportSettings

ROWS = 600
WORDS = ["the", "of", "and", "to", "in", "is", "that", "it", "Über", "naïve", "你好世界", "price-list", "a.b", "C++"]
WORDS += ["“quoted”", "ΟΔΟΣ", "ok"]


@pytest.fixture
def dataset(workspace, tmp_path):
    draw = random.Random(3)
    source = tmp_path / "a.jsonl"
    with open(source, "w", encoding="utf-8") as file:
        for n in range(ROWS):
            turns = [
                {"role": "user", "content": " ".join(draw.choices(WORDS, k=draw.randint(1, 12))) + f" case {n}"},
                {"role": "assistant", "content": " ".join(draw.choices(WORDS, k=draw.randint(1, 9)))},
            ]
            if n % 3 == 0:
                turns += turns
            domain = {"domain": draw.choice(["law", "Art", "zoo"])} if n % 5 else {}
            file.write(json.dumps({"messages": turns, "split": ["train", "train", "test"][n % 3], **domain}) + "\n")
    import_file(workspace, ImportSettings(source=str(source), name="set"))
    return Dataset.open(workspace, "set")


@pytest.fixture(params=["scanned", "indexed"])
def listing(dataset, request):
    """The list of rows by both ways; what pending changes it has is read when it is asked for."""
    if request.param == "indexed":
        Index(dataset, 1).build(lambda *_: None)
        assert Index(dataset, 1).fulltext() is not None

    def make():
        reviews = Reviews(dataset)
        return dataset.listing(1, Pending(reviews.pending(), reviews.last()))

    return make


def said(row):
    return "\n".join(turn["content"] for turn in row.messages)


def lines(page):
    return [row.source_line for row in page.rows]


@pytest.mark.parametrize(
    "words",
    [
        "the of",
        "THE",
        "über",
        "case 59",
        "e to",
        "你好",
        "好世界",
        "a.b",
        "c++",
        "“QUOTED”",
        "price-list the",
        "is",
        "οδος",
        "z",
        "nowhere at all",
    ],
)
def test_the_same_words_are_found_with_and_without_an_index(listing, dataset, words):
    expected = [row.source_line for row in dataset.rows(1) if words.lower() in said(row).lower()]
    found = listing().page(Wanted(search=words), 0, ROWS)
    assert (lines(found), found.total, found.exact) == (expected, len(expected), True)


def test_filters_and_a_search_are_combined(listing, dataset):
    wanted = Wanted(search="the", split="test", tags={"domain": "law"}, file="a.jsonl")
    expected = [
        row.source_line
        for row in dataset.rows(1)
        if "the" in said(row) and row.split == "test" and row.tags.get("domain") == "law"
    ]
    assert len(expected) > 5
    assert lines(listing().page(wanted, 0, ROWS)) == expected
    assert lines(listing().page(wanted, 2, 3)) == expected[2:5]
    for nothing in (Wanted(tags={"domain": "none"}), Wanted(tags={"tone": "dry"}), Wanted(label="x"), Wanted(file="b")):
        assert listing().page(nothing, 0, 9).total == 0


@pytest.mark.parametrize("search", ["", "the"])
def test_orders(listing, dataset, search):
    rows = [row for row in dataset.rows(1) if search in said(row)]

    def sorted_by(key):
        return [row.source_line for row in sorted(rows, key=key)]

    def found(sort):
        return lines(listing().page(Wanted(search=search, sort=sort), 0, ROWS))

    length = lambda row: sum(len(turn["content"]) for turn in row.messages)  # noqa: E731
    assert found("characters") == sorted_by(length)
    assert found("-characters") == sorted_by(lambda row: -length(row))
    assert found("turns") == sorted_by(lambda row: len(row.messages))
    assert found("-turns") == sorted_by(lambda row: -len(row.messages))
    assert found("tag:domain") == sorted_by(lambda row: row.tags.get("domain", "~").lower())
    assert found("nothing that is there") == [row.source_line for row in rows]


def test_neighbours_stand_where_the_list_has_them(listing, dataset):
    ids = [row.row_id for row in dataset.rows(1)]
    for wanted in (
        Wanted(),
        Wanted(search="the of"),
        Wanted(split="test", sort="-characters"),
        Wanted(search="case 1", sort="turns"),
    ):
        shown = [row.row_id for row in listing().page(wanted, 0, ROWS).rows]
        for at in (0, 1, len(shown) // 2, len(shown) - 1):
            place = listing().place(wanted, shown[at])
            assert (place.number, place.total, place.exact) == (at + 1, len(shown), True)
            assert place.previous == (shown[at - 1] if at else None)
            assert place.next == (shown[at + 1] if at + 1 < len(shown) else None)
    tests = [row.row_id for row in dataset.rows(1) if row.split == "test"]
    outside = listing().place(Wanted(split="test"), ids[4])  # it is not among them
    assert (outside.number, outside.previous, outside.next) == (1, tests[0], tests[1])


def test_pending_changes_are_seen_through(listing, dataset):
    ids = [row.row_id for row in dataset.rows(1)]
    reviews = Reviews(dataset)
    reviews.edit(ids[7], [{"of": "messages", "at": 1, "text": "Quite another answer, xylophone."}])
    reviews.apply(
        [
            {"type": "move", "row": ids[8], "split": "test"},
            {"type": "tag", "row": ids[9], "tags": {"domain": "music", "tone": "dry"}},
            {"type": "tag", "row": ids[11], "tags": {"domain": None}},
        ]
    )
    now = listing()
    assert lines(now.page(Wanted(search="XYLOPHONE"), 0, 9)) == [8]
    old = said(dataset.row(1, ids[7])).split("\n")[1]
    assert 8 not in lines(listing().page(Wanted(search=old), 0, ROWS))
    assert 9 in lines(now.page(Wanted(split="test"), 0, ROWS))
    assert lines(now.page(Wanted(tags={"domain": "music"}), 0, 9)) == [10]
    assert lines(now.page(Wanted(tags={"tone": "dry", "domain": "music"}, search="case 9"), 0, 9)) == [10]
    assert 12 not in lines(now.page(Wanted(tags={"domain": dataset.row(1, ids[11]).tags["domain"]}), 0, ROWS))
    first = lines(now.page(Wanted(sort="changed"), 0, 6))
    assert (set(first[:3]), first[3:]) == ({9, 10, 12}, [8, 1, 2])
    assert now.page(Wanted(among=list(now.pending.changes)), 0, 9).total == 4
    assert ("music", 1) in now.now().groups(9)["domain"] and now.columns().groups(9)["domain"] != now.now().groups(9)[
        "domain"
    ]
    while reviews.pending():
        reviews.undo()
    assert lines(listing().page(Wanted(search="xylophone"), 0, 9)) == []
    assert listing().page(Wanted(split="test"), 0, 9).total == ROWS // 3


def test_what_was_done_to_many_rows_alike_is_one_change_of_them_all(listing, dataset):
    ids, reviews = [row.row_id for row in dataset.rows(1)], Reviews(dataset)
    reviews.apply([{"type": "tag", "rows": [*ids, "not there"], "tags": {"domain": "all"}}])
    reviews.apply([{"type": "exclude", "row": ids[4]}, {"type": "exclude", "row": ids[2]}])
    reviews.edit(ids[2], [{"of": "messages", "at": 1, "text": "A wombat."}])
    now = listing()
    assert sorted(len(rows) for _, rows in now.changed()) == [1, 1, ROWS - 2]
    assert now.page(now.wanted(side="changed"), 0, 1).total == ROWS == len(now.pending.changes)
    assert lines(now.page(now.wanted(side="excluded"), 0, 9)) == [3, 5]
    assert lines(now.page(now.wanted(find="wombat", side="excluded", tags={"domain": "all"}), 0, 9)) == [3]
    assert now.page(now.wanted(side="excluded", tags={"domain": "law"}), 0, 9).total == 0
    assert lines(now.page(Wanted(sort="changed"), 0, 4)) == [3, 5, 1, 2]
    assert lines(now.page(Wanted(among=[ids[8], "not there", ids[6]]), 0, 9)) == [7, 9]


def test_an_edited_row_is_as_long_as_it_is_now(listing, dataset):
    first = next(dataset.rows(1))
    Reviews(dataset).edit(first.row_id, [{"of": "messages", "at": 1, "text": "long " * 500}])
    assert lines(listing().page(Wanted(sort="-characters"), 0, 1)) == [1]


def test_who_is_in_a_hurry_gets_an_estimate_that_grows_exact(dataset, monkeypatch):
    monkeypatch.setattr("studio.datasets.browsing.matches.STEP", 50)
    monkeypatch.setattr("studio.datasets.browsing.fulltext.MOST_SHORT", 50)
    Index(dataset, 1).build(lambda *_: None)
    wanted, listing = Wanted(search="th"), dataset.listing(1)
    exact = listing.page(wanted, 0, 5)
    hits.KEPT.found.clear()
    first = listing.page(wanted, 0, 5, 0.0)
    assert not first.exact and first.total > 0 and lines(first) == lines(exact)[: len(first.rows)]
    for _ in range(ROWS // 50 + 1):
        last = listing.page(wanted, 0, 5, 0.0)
    assert (last.exact, last.total, lines(last)) == (True, exact.total, lines(exact))


def test_no_row_is_shown_before_those_that_come_first_were_looked_at(dataset, monkeypatch):
    """What was looked at for one order must not stand in for what another order begins with."""
    monkeypatch.setattr("studio.datasets.browsing.matches.STEP", 40)
    monkeypatch.setattr("studio.datasets.browsing.fulltext.MOST_SHORT", 50)
    Index(dataset, 1).build(lambda *_: None)
    backwards, listing = Wanted(search="th", sort="-characters"), dataset.listing(1)
    exact = lines(listing.page(backwards, 0, ROWS))
    hits.KEPT.found.clear()
    for _ in range(4):
        listing.page(Wanted(search="th"), 0, 5, 0.0)
    for _ in range(2 * ROWS // 40):
        found = listing.page(backwards, 30, 10, 0.0)
        assert lines(found) == exact[30:40][: len(found.rows)]
    assert (lines(found), found.exact, found.total) == (exact[30:40], True, len(exact))


def test_too_many_rows_wait_for_their_index(dataset, monkeypatch):
    from studio.errors import Busy

    monkeypatch.setattr("studio.datasets.browsing.listing.MOST_INLINE", 10)
    monkeypatch.setattr(index, "LARGE", 10)
    with pytest.raises(Busy, match="can't be sorted"):
        dataset.listing(1).page(Wanted(sort="turns"), 0, 5)
    assert len(dataset.listing(1).page(Wanted(), 0, 5).rows) == 5
    Index(dataset, 1).build(lambda *_: None)
    assert len(dataset.listing(1).page(Wanted(sort="turns"), 0, 5).rows) == 5
