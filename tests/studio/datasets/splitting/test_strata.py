"""Strata in whole rows: each within two rows of its share, all sums exact."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from studio.datasets.splitting.sides import DEFAULT, SIDES, targets
from studio.datasets.splitting.strata import Table, rounded
from tests.studio.datasets.splitting.test_sides import FRACTIONS, assign, digests

MIXES = st.lists(st.dictionaries(st.sampled_from("abcd"), st.integers(1, 6), min_size=1), min_size=3, max_size=120)


@given(sizes=st.dictionaries(st.text(max_size=3), st.integers(1, 400), min_size=1, max_size=60), fractions=FRACTIONS)
def test_every_stratum_and_every_side_is_parted_without_rest(sizes, fractions):
    room = targets(sum(sizes.values()), fractions, 1)
    table = rounded(sizes, room)
    assert {name: sum(row.values()) for name, row in table.items()} == sizes
    assert {side: sum(row[side] for row in table.values()) for side in SIDES} == room
    for name, row in table.items():
        for side, count in row.items():
            share = sizes[name] * room[side] / sum(room.values())
            assert count >= 0 and abs(count - share) < 2


@given(labels=st.lists(st.sampled_from("abc"), min_size=30, max_size=300), seed=st.integers(0, 1000))
def test_single_rows_are_drawn_in_the_very_shares_of_their_labels(labels, seed):
    sides = assign(digests(len(labels)), [1] * len(labels), DEFAULT, seed, [{label: 1} for label in labels])
    assert Counter(sides) == Counter(targets(len(labels), DEFAULT, len(labels)))
    drawn = Counter(zip(labels, sides, strict=True))
    for label, size in Counter(labels).items():
        for side in SIDES:
            assert abs(drawn[label, side] - size * DEFAULT[side]) < 3


@given(mixes=MIXES, fractions=FRACTIONS, seed=st.integers(0, 1000))
def test_groups_stay_whole_and_no_side_is_a_group_off_its_number(mixes, fractions, seed):
    sizes = [sum(mix.values()) for mix in mixes]
    names = digests(len(mixes))
    sides = assign(names, sizes, fractions, seed, mixes)
    assert sides == assign(names, sizes, fractions, seed, mixes)
    wanted = targets(sum(sizes), fractions, len(sizes))
    held = Counter[str]()
    for size, side in zip(sizes, sides, strict=True):
        held[side] += size
    filled = [side for side in SIDES if fractions[side] > 0]
    assert all(held[side] for side in filled)
    # A side that every group is too large for takes one from the others, so as not to be empty.
    taken = 1 if min(wanted[side] for side in filled) >= max(sizes) else 3
    assert all(abs(held[side] - wanted[side]) <= taken * max(sizes) for side in SIDES)


def test_patients_with_several_labels_are_kept_whole_and_in_balance():
    chance = random.Random(0)
    mixes = [dict(Counter(chance.choices("abcd", [50, 30, 15, 5], k=chance.randint(1, 8)))) for _ in range(400)]
    sizes = [sum(mix.values()) for mix in mixes]
    sides = assign(digests(400), sizes, DEFAULT, 1, mixes)
    totals = sum((Counter(mix) for mix in mixes), Counter())
    for side in SIDES:
        held = sum((Counter(mix) for mix, given in zip(mixes, sides, strict=True) if given == side), Counter())
        for label in "abcd":
            assert abs(held[label] - totals[label] * DEFAULT[side]) <= 3, (side, label)


def test_a_group_that_fits_nowhere_does_least_harm():
    table = Table([{"a": 40}, {"b": 60}], {"train": 80, "validation": 10, "test": 10})
    assert table.choose({"a": 5}, ("test", "validation", "train")) == "train"
    table.put({"a": 32}, "train")
    assert table.choose({"a": 5, "b": 1}, ("test", "validation", "train")) in ("test", "validation")
