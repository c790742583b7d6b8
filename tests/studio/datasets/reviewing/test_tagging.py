"""Tags by words, by pattern, from a column, and deeds on all rows of a list."""

from __future__ import annotations

import pytest

from studio.datasets.browsing.listing import Pending, Wanted
from studio.datasets.reviewing import tagging
from studio.datasets.reviewing.bulk import bulk, count, only
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.store import Dataset
from studio.datasets.versions.freezing import freeze
from studio.errors import BadInput, Refused
from studio.settings.base import check
from studio.settings.tagging import TagSettings
from tests.sets import make_set
from tests.studio.datasets.splitting.test_grouping import talk


@pytest.fixture
def dataset(workspace):
    rows = [
        talk("My invoice is wrong", "We correct the bill.", category="money"),
        talk("INVOICE 7 is late", "Sorry.", category="money"),
        talk("The invoicing tool is broken", "We look.", category="tool"),
        talk("Where is Über-Tarif?", "Invoice follows.", category=""),
    ]
    return make_set(workspace, "letters", [row | {"split": ("train", "test")[n % 2]} for n, row in enumerate(rows)])


def looked(dataset, **given):
    return tagging.look(dataset, check(TagSettings, {"dataset": dataset.name, "tag": "domain", "value": "b"} | given))


def lines(dataset, ids):
    return sorted(row.source_line for row in dataset.rows() if row.row_id in ids)


def test_words_are_whole_words_in_any_case_in_the_part_that_is_meant(dataset):
    assert lines(dataset, looked(dataset, find=["invoice"]).tags) == [1, 2, 4]
    assert lines(dataset, looked(dataset, find=["invoice"], where="prompt").tags) == [1, 2]
    assert lines(dataset, looked(dataset, find=["invoice", "sorry"], where="answer").tags) == [2, 4]
    assert lines(dataset, looked(dataset, find=["über-tarif", "bill"]).tags) == [1, 4]
    assert lines(dataset, looked(dataset, find=["money"], where="column", column="category").tags) == [1, 2]
    example = looked(dataset, find=["invoice"], where="prompt").examples[0]
    assert (example["before"], example["found"], example["after"]) == ("My ", "invoice", " is wrong")


def test_patterns_are_read_in_linear_time_and_refused_when_they_can_t_be_read(dataset):
    assert lines(dataset, looked(dataset, find=[r"invoic(e|ing)\b.*(late|broken)"], pattern=True).tags) == [2, 3]
    assert lines(dataset, looked(dataset, find=["(a+)+$"], pattern=True).tags) == []
    with pytest.raises(BadInput, match="pattern can't be read"):
        looked(dataset, find=["(unclosed"], pattern=True)


def test_from_a_column(dataset):
    hits = looked(dataset, from_column="category", value=None)
    assert hits.as_dict()["values"] == {"money": 2, "tool": 1}
    with pytest.raises(BadInput, match="No row has anything"):
        looked(dataset, from_column="nothing", value=None)


def test_tags_are_one_change_and_the_next_version_has_them(dataset, workspace):
    hits = looked(dataset, find=["invoice"])
    assert len(hits.tags) == 3
    assert tagging.apply(dataset, "domain", dict(hits.tags)) == Reviews(dataset).last() == 1
    again = looked(dataset, find=["invoice"])
    assert (again.tags, again.already) == ({}, 3)
    Reviews(dataset).undo()
    assert Reviews(dataset).pending() == {}
    tagging.apply(dataset, "domain", dict(hits.tags))
    freeze(workspace, "letters")
    assert [row.tags.get("domain") for row in Dataset.open(workspace, "letters").rows()] == ["b", "b", None, "b"]


def test_a_rule_must_be_complete_and_no_hand_gives_the_studio_s_own_tag(dataset):
    for given in ({"find": []}, {"value": None, "find": ["x"]}, {"find": ["x"], "where": "column"}, {"tag": " "}):
        with pytest.raises(BadInput):
            looked(dataset, **given)
    with pytest.raises(Refused, match="synthetic"):
        tagging.apply(dataset, "synthetic", {"1": "x"})
    with pytest.raises(Refused, match="Nothing was tagged"):
        tagging.apply(dataset, "domain", {})


def test_by_hand(dataset):
    ids = [row.row_id for row in dataset.rows()]
    assert looked(dataset, rows=[ids[1], ids[3], "nobody"]).tags == {ids[1]: "b", ids[3]: "b"}


# ---- Deeds on what a list shows ----


def now(dataset):
    log = Reviews(dataset)
    return dataset.listing(None, Pending(log.pending(), log.last()))


def test_all_rows_that_match_are_moved_at_once(dataset):
    wanted = Wanted(search="invoice")
    assert count(now(dataset), wanted) == 3
    assert bulk(now(dataset), wanted, {"type": "move", "split": "test"}) == {"changed": 1, "kept": 0, "number": 1}
    assert len(Reviews(dataset).pending()) == 1
    with pytest.raises(Refused, match="Nothing was changed"):
        bulk(now(dataset), wanted, {"type": "move", "split": "test"})
    Reviews(dataset).undo()
    assert Reviews(dataset).pending() == {}


def test_they_are_tagged_untagged_left_out_and_taken_in(dataset):
    train = Wanted(split="train")
    done = bulk(now(dataset), train, {"type": "tag", "tag": "tone", "value": "dry"})
    assert done == {"changed": 2, "kept": 0, "number": 1}
    assert count(now(dataset), Wanted(tags={"tone": "dry"})) == 2
    bulk(now(dataset), Wanted(tags={"tone": "dry"}), {"type": "tag", "tag": "tone", "value": None})
    assert count(now(dataset), Wanted(tags={"tone": "dry"})) == 0
    bulk(now(dataset), train, {"type": "exclude"})
    assert sum(change.excluded for change in Reviews(dataset).pending().values()) == 2
    bulk(now(dataset), train, {"type": "include"})
    assert not any(change.excluded for change in Reviews(dataset).pending().values())


def test_rows_are_named_one_by_one(dataset):
    first = next(dataset.rows()).row_id
    assert bulk(now(dataset), only([first, "nobody"]), {"type": "move", "split": "validation"})["changed"] == 1
    assert Reviews(dataset).pending()[first].split == "validation"
    with pytest.raises(BadInput):
        only("all of them")


def test_what_a_model_wrote_is_not_held_out(workspace):
    dataset = make_set(workspace, "written", [talk("a", "1", tags={"synthetic": "in-style"}), talk("b", "2")])
    assert bulk(now(dataset), Wanted(), {"type": "move", "split": "test"}) == {"changed": 1, "kept": 1, "number": 1}
    with pytest.raises(Refused, match="model wrote"):
        bulk(now(dataset), Wanted(tags={"synthetic": "in-style"}), {"type": "move", "split": "validation"})


@pytest.mark.parametrize("deed", [{"type": "burn"}, {"type": "move", "split": "sideways"}, {"type": "tag", "tag": " "}])
def test_deeds_that_can_t_be_read(dataset, deed):
    with pytest.raises(BadInput):
        bulk(now(dataset), Wanted(), deed)
