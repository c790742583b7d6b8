"""Sides: exact, repeatable, and never the same row on two of them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.datasets.splitting import sides as drawing
from studio.datasets.splitting.sides import DEFAULT, SIDES, read_fractions, side_of, targets
from studio.errors import BadInput

FRACTIONS = st.tuples(st.integers(0, 10), st.integers(0, 10)).map(
    lambda two: {"train": max(0, 20 - sum(two)) / 20, "validation": two[0] / 20, "test": two[1] / 20}
)


def assign(*given):
    """The names of the sides drawn."""
    return [SIDES[place] for place in drawing.assign(*given)]


def digests(count):
    return [n.to_bytes(10, "big") for n in range(count)]


@given(count=st.integers(0, 300), fractions=FRACTIONS, seed=st.integers(0, 2**63 - 1))
def test_counts_are_exact_when_all_rows_differ(count, fractions, seed):
    sides = assign(digests(count), [1] * count, fractions, seed)
    wanted = targets(count, fractions, count)
    assert {side: sides.count(side) for side in SIDES} == wanted
    assert sum(wanted.values()) == count
    for side in SIDES:
        assert fractions[side] > 0 or wanted[side] == 0
        assert abs(wanted[side] - count * fractions[side]) <= 2
        assert count < 3 or fractions[side] == 0 or wanted[side] >= 1


@given(sizes=st.lists(st.integers(1, 5), min_size=3, max_size=200), seed=st.integers(0, 100))
def test_groups_of_equal_rows_come_close_and_leave_no_side_empty(sizes, seed):
    sides = assign(digests(len(sizes)), sizes, DEFAULT, seed)
    held = {side: sum(size for size, given in zip(sizes, sides, strict=True) if given == side) for side in SIDES}
    assert all(held.values())
    wanted = targets(sum(sizes), DEFAULT, len(sizes))
    assert all(abs(held[side] - wanted[side]) <= max(sizes) * 2 for side in SIDES)


def test_the_order_of_the_file_plays_no_part_and_the_seed_does():
    names = digests(200)
    drawn = dict(zip(names, assign(names, [1] * 200, DEFAULT, 0), strict=True))
    shuffled = random.Random(1).sample(names, 200)
    assert dict(zip(shuffled, assign(shuffled, [1] * 200, DEFAULT, 0), strict=True)) == drawn
    assert assign(names, [1] * 200, DEFAULT, 1) != list(drawn.values())


def test_a_row_added_moves_few_others():
    names = digests(1001)
    before, after = (assign(names[:n], [1] * n, DEFAULT, 0) for n in (1000, 1001))
    assert sum(one != other for one, other in zip(before, after, strict=False)) <= 3


def test_default_is_80_10_10():
    assert targets(1000, DEFAULT, 1000) == {"train": 800, "validation": 100, "test": 100}
    assert targets(3, DEFAULT, 3) == {"train": 1, "validation": 1, "test": 1}
    assert targets(1, DEFAULT, 1) == {"train": 1, "validation": 0, "test": 0}


def test_fractions_as_text():
    assert read_fractions("train=0.9,val=0.1") == {"train": 0.9, "validation": 0.1, "test": 0.0}
    assert read_fractions("test=1") == {"train": 0.0, "validation": 0.0, "test": 1.0}
    for wrong in ("train=0.8", "train=0.5,train=0.5", "big=1", "train=80,test=20", "train", "", "train=nan,test=1"):
        with pytest.raises(BadInput):
            read_fractions(wrong)


def test_words_for_sides():
    assert side_of(" Dev ") == side_of("val") == "validation"
    assert side_of("TRAINING") == "train"
    assert side_of("held-out") == "test"
    assert side_of("gold") is None
