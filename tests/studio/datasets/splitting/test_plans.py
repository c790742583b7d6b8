"""A split planned and made: groups never cross, shares hold, and a leak is never called clean."""

from __future__ import annotations

from array import array
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.datasets.additions import Additions, new_id
from studio.datasets.reviewing.log import rows_of
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.rows import Row
from studio.datasets.splitting import leaks, plans
from studio.datasets.splitting.grouping import Groups
from studio.datasets.splitting.sides import SIDES, targets
from studio.datasets.store import Dataset
from studio.datasets.versions import history
from studio.datasets.versions.freezing import freeze
from studio.errors import BadInput, Refused
from studio.jobs import folder as job_folder
from studio.settings.splitting import SplitSettings
from tests.studio.datasets.splitting.test_grouping import make, no_watch, talk
from tests.studio.datasets.splitting.test_sides import FRACTIONS

__all__ = ["make"]
ALONE = {"near": False, "questions": False, "documents": False, "conversations": False}


def visits(count=200):
    """Rows of patients, each with one to seven visits."""
    labels, days = ("mild", "grave", "none"), [f"2026-{1 + n % 12:02}-{1 + n % 28:02}" for n in range(count)]
    more = [
        {"patient": f"P{(n * n) % 61}", "label": labels[n % 3], "day": days[n], "split": SIDES[n % 3]}
        for n in range(count)
    ]
    return [talk(f"question {n}", f"answer {n}", **more[n]) for n in range(count)]


def planned(dataset, **given):
    return plans.plan(dataset, SplitSettings(dataset=dataset.name, **given), no_watch)


def in_folder(workspace, dataset, **given):
    """The plan as its job leaves it."""
    wanted = SplitSettings(dataset=dataset.name, **given)
    folder = job_folder.create(workspace, "split", wanted.model_dump(mode="json"))
    plans.save(plans.plan(dataset, wanted, no_watch), folder)
    return folder


ROWS = st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["a", "b", "c"])), min_size=3, max_size=150)


@settings(deadline=None)
@given(rows=ROWS, fractions=FRACTIONS, seed=st.integers(0, 99), stratified=st.booleans())
def test_no_group_crosses_and_no_side_is_a_group_off(rows, fractions, seed, stratified):
    groups = Groups([str(n) for n in range(len(rows))], bytearray(len(rows)), list(range(len(rows))),
                    bytearray(len(rows)), values={"kind": [kind for _, kind in rows]})  # fmt: skip
    first: dict[int, int] = {}
    for number, (key, _) in enumerate(rows):
        if first.setdefault(key, number) != number:
            groups.tie(first[key], number, "column")
    shares = ",".join(f"{side}={fractions[side]}" for side in SIDES)
    wanted = SplitSettings(
        dataset="d", shares=shares, seed=seed, stratify="kind" if stratified and len(rows) > 5 else None
    )
    sides = plans._draw(groups, wanted, [])
    assert leaks.crossing(groups, sides) == []
    assert sides == plans._draw(groups, wanted, [])
    largest = max(map(len, groups.members().values()))
    goal, held = targets(len(rows), fractions, len(groups.members())), Counter(SIDES[side] for side in sides)
    if min(goal[side] for side in SIDES if fractions[side]) >= largest:
        assert all(abs(held[side] - goal[side]) <= largest for side in SIDES)


def test_a_column_keeps_its_rows_together_in_balance(make):
    dataset = make(visits())
    found = planned(dataset, by="group", column="patient", stratify="label")
    assert found.about["leaks"]["clean"] and not found.about["before"]["clean"]
    assert found.about["balance"]["held"] and found.about["balance"]["by"] == "label"
    by_patient: dict[str, set[int]] = {}
    for row, side in zip(dataset.rows(), found.sides, strict=True):
        by_patient.setdefault(row.extra["patient"], set()).add(side)
    assert all(len(sides) == 1 for sides in by_patient.values())
    assert abs(found.about["planned"]["train"] - 160) <= 7
    assert planned(dataset, by="group", column="patient", stratify="label").sides == found.sides
    assert planned(dataset, by="group", column="patient", stratify="label", seed=1).sides != found.sides


def test_the_newest_are_held_out(make):
    dataset = make(visits())
    found = planned(dataset, by="date", column="day", **ALONE)
    days: dict[int, list[str]] = {0: [], 1: [], 2: []}
    for row, side in zip(dataset.rows(), found.sides, strict=True):
        days[side].append(row.extra["day"])
    assert max(days[0]) <= min(days[1]) <= max(days[1]) <= min(days[2])
    assert found.about["planned"] == {"train": 160, "validation": 20, "test": 20}
    grouped = planned(dataset, by="date", column="day", keep=["patient"], **ALONE)
    assert grouped.about["leaks"]["clean"] and abs(grouped.about["planned"]["test"] - 20) <= 7


def test_a_column_names_the_sides_and_a_leak_in_it_is_told(make):
    rows = [talk("same question", f"answer {n}", part=part) for n, part in enumerate(["training", "dev", "test"])]
    dataset = make([*rows, *(talk(f"q{n}", "a", part="train") for n in range(5))])
    found = planned(dataset, by="column", column="part")
    assert found.about["planned"] == {"train": 6, "validation": 1, "test": 1}
    told = found.about["leaks"]
    assert (told["clean"], told["crossing"], told["rows"], told["by"]) == (False, 1, 3, {"question": 1, "near": 1})
    example = told["examples"][0]
    assert example["why"] == ["question", "near"] and example["sides"] == {"train": 1, "validation": 1, "test": 1}
    assert {row["side"] for row in example["rows"]} == set(SIDES) and "same question" in example["rows"][0]["text"]


def test_applying_moves_the_rows_as_one_change(make, workspace):
    dataset = make(visits())
    folder = in_folder(workspace, dataset, by="group", column="patient", stratify="label")
    about = plans.load(folder)
    number, reviews = plans.apply(dataset, folder), Reviews(dataset)
    assert sum(len(rows_of(deed)) for deed in reviews.log().standing[number]) == about["moved"] > 0
    assert len(reviews.pending()) == about["moved"]
    with pytest.raises(Refused, match="out of date"):
        plans.apply(dataset, folder)
    assert leaks.known(dataset) is None  # the version still has the sides of before
    freeze(workspace, dataset.name)
    frozen = Dataset.open(workspace, dataset.name)
    assert frozen.counts() == about["planned"]
    known = leaks.known(frozen)
    assert known and known["clean"] and known["rules"]["keep"] == ["patient"]
    assert planned(frozen, by="group", column="patient", check=True).about["leaks"]["clean"]


def test_one_undo_takes_a_split_back(make, workspace):
    dataset = make(visits())
    plans.apply(dataset, in_folder(workspace, dataset, seed=5))
    assert Reviews(dataset).pending()
    Reviews(dataset).undo()
    assert Reviews(dataset).pending() == {}


def test_a_check_looks_at_the_sides_as_they_are(make):
    dataset = make([talk("same", f"{n}", split=side) for n, side in enumerate(["train", "test"])])
    found = planned(dataset, check=True)
    assert found.moves() == [] and found.about["leaks"]["crossing"] == 1
    leaks.remember(dataset, found.about["reviews"], found.about["leaks"], {})
    known = leaks.known(dataset)
    assert known and known["clean"] is False and "examples" not in known
    Reviews(dataset).apply([{"type": "move", "row": next(dataset.rows()).row_id, "split": "test"}])
    moved = planned(dataset, check=True).about
    assert moved["leaks"]["clean"] and moved["notes"] == ["Counted with the changes that are in no version yet."]


def test_a_check_that_names_no_columns_goes_by_those_of_the_last_split(make):
    patients = [talk(f"question {n}", f"answer {n}", patient="p1", split=("train", "test")[n]) for n in range(2)]
    dataset, plain = make(patients), SplitSettings(dataset="set", check=True)
    assert plans.as_last_split(dataset, plain) == plain
    leaks.remember(dataset, 0, {"clean": True}, {"keep": ["patient", "ward"]})  # no row has a ward any more
    again = plans.as_last_split(dataset, plain)
    found = plans.plan(dataset, again, no_watch).about
    assert again.keep == ["patient", "ward"] and not found["leaks"]["clean"] and "“patient”" in found["notes"][0]
    named = SplitSettings(dataset="set", check=True, keep=["nothing"])
    assert plans.as_last_split(dataset, named) == named
    with pytest.raises(BadInput, match="No row has anything"):
        plans.plan(dataset, named, no_watch)


def test_rows_that_a_model_wrote_are_trained_on_with_what_they_came_from(make, workspace):
    dataset = make(visits(30))
    parent = next(dataset.rows())
    child = Row("", "chat", talk("new question", "new answer")["messages"], tags={"synthetic": "paraphrase"},
                extra={"parents": [parent.row_id]})  # fmt: skip
    row_id = new_id(child)
    Additions(dataset.folder).add([Row(row_id, "chat", child.messages, tags=child.tags, extra=child.extra)], "test")
    Reviews(dataset).apply([{"type": "judge", "row": row_id, "status": "accepted"}])
    Reviews(dataset).apply([{"type": "move", "row": parent.row_id, "split": "train"}])
    freeze(workspace, dataset.name)
    dataset = Dataset.open(workspace, dataset.name)
    for seed in range(8):
        found = planned(dataset, seed=seed)
        sides = dict(zip(found.groups.ids, found.sides, strict=True))
        assert sides[parent.row_id] == sides[row_id] == 0
        assert found.about["leaks"]["clean"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"by": "group", "column": "nobody"}, "No row has anything"),
        ({"stratify": "patient_id"}, "No row has anything"),
        ({"by": "date", "column": "label"}, "no dates"),
        ({"by": "column", "column": "label"}, "does not name the sides"),
        ({"stratify": "unique"}, "can't be kept in balance"),
    ],
)
def test_a_column_that_can_t_be_used_so(make, given, words):
    dataset = make([row | {"unique": n} for n, row in enumerate(visits(30))])
    with pytest.raises(BadInput, match=words):
        planned(dataset, **given)


def test_a_balance_that_did_not_hold_is_told():
    groups = Groups([str(n) for n in range(20)], bytearray(20), list(range(20)), bytearray(20),
                    values={"label": ["a"] * 10 + [None] * 10})  # fmt: skip
    found = plans.balance(groups, array("b", [0] * 10 + [2] * 10), "label")
    assert not found["held"] and found["worst"]["share"] == 5.0
    assert plans.balance(groups, array("b", [0, 2] * 10), "label")["held"]


def test_a_large_group_of_one_value_does_not_excuse_another_value():
    values = ["a"] * 10 + ["b"] * 10
    groups = Groups([str(n) for n in range(20)], bytearray(20), [0] * 10 + list(range(10, 20)), bytearray(20),
                    values={"label": values})  # fmt: skip
    sides = array("b", [0] * 10 + [2] * 10)  # every row of b is held out, though each could stand anywhere
    found = plans.balance(groups, sides, "label")
    assert not found["held"] and (found["worst"]["value"], found["worst"]["share"]) == ("b", 5.0)
    assert plans.balance(groups, array("b", [0] * 10 + [2] + [0] * 9), "label")["held"]


def test_what_was_checked_does_not_hold_for_older_rows_or_more_rows(make, workspace):
    dataset = make(visits())
    plans.apply(dataset, in_folder(workspace, dataset, by="group", column="patient"))
    freeze(workspace, dataset.name)
    assert leaks.known(Dataset.open(workspace, dataset.name))
    history.go_back(workspace, dataset.name, 1)
    assert leaks.known(Dataset.open(workspace, dataset.name)) is None
