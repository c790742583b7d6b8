from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.batches.plan import Plan, best_fit, largest_pass, share
from studio.errors import BadInput

lengths = st.lists(st.integers(1, 200), min_size=1, max_size=60)


@settings(deadline=None)
@given(lengths, st.integers(1, 20), st.integers(1, 300), st.integers(1, 3), st.integers(0, 2**63))
def test_every_epoch_takes_every_row_once_within_the_room_of_a_pass(lengths, batch, room, epochs, seed):
    plan = Plan(lengths, batch, room, epochs, seed=seed)
    assert plan.steps == len(plan) == epochs * plan.steps_per_epoch
    for epoch in range(epochs):
        steps = range(epoch * plan.steps_per_epoch, (epoch + 1) * plan.steps_per_epoch)
        updates = [plan.updates(step) for step in steps]
        assert sorted(row for update in updates for part in update for row in part) == list(range(len(lengths)))
        for step, update in zip(steps, updates, strict=True):
            rows = [row for part in update for row in part]
            assert sorted(rows) == sorted(plan.rows(step))
            assert len(rows) == batch or (step == steps[-1] and len(rows) == len(lengths) % batch)
            for part in update:
                assert len(part) == 1 or sum(lengths[row] for row in part) <= room


@settings(deadline=None)
@given(lengths, st.integers(1, 20), st.integers(1, 300), st.integers(1, 40), st.integers(0, 1000), st.data())
def test_an_update_does_not_depend_on_those_before(lengths, batch, room, steps, seed, data):
    plan = Plan(lengths, batch, room, max_steps=steps, seed=seed)
    step = data.draw(st.integers(0, steps - 1))
    straight = [plan.updates(number) for number in range(steps)]
    assert Plan(lengths, batch, room, max_steps=steps, seed=seed).updates(step) == straight[step]
    assert plan.updates(step) == straight[step]
    assert len(straight) == len(plan) == steps


def test_epochs_and_seeds_have_orders_of_their_own():
    orders = {
        tuple(row for step in range(10) for row in Plan([5] * 100, 10, 50, 2, seed=seed).rows(step + 10 * epoch))
        for seed in (0, 1, 2)
        for epoch in (0, 1)
    }
    assert len(orders) == 6


def test_the_order_is_the_same_on_every_machine_and_for_ever():
    assert Plan([1] * 8, 8, 8, 2, seed=42).rows(0) == FIRST
    code = "from studio.batches.plan import Plan; print(Plan([1] * 8, 8, 8, 2, seed=42).rows(1))"
    again = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert again.stdout.strip() == str(SECOND)


FIRST, SECOND = [0, 1, 4, 2, 6, 5, 7, 3], [7, 3, 4, 2, 5, 6, 0, 1]


@pytest.mark.parametrize(
    ("epochs", "steps"), [(0.1, 3), (0.5, 15), (1, 30), (1.5, 45), (0.001, 1), (2.01, 61), (3, 90), (1 / 3, 10)]
)
def test_epochs_may_be_fractions(epochs, steps):
    plan = Plan([10] * 300, 10, 100, epochs)
    assert plan.steps == steps
    assert plan.epoch(plan.steps - 1) == pytest.approx(max(epochs, 1 / 30), abs=1 / 30)


@settings(deadline=None)
@given(lengths, st.integers(1, 12), st.integers(1, 300), st.integers(0, 2**63))
def test_no_order_of_the_rows_makes_a_longer_pass_than_the_largest(lengths, batch, room, seed):
    sizes = np.array(lengths)
    largest = largest_pass(sizes, batch, room)
    assert len(set(largest)) == len(largest) <= batch
    tokens = int(sizes[largest].sum())
    assert tokens <= room or largest == [int(sizes.argmax())]
    plan = Plan(lengths, batch, room, epochs=5, seed=seed)
    assert all(sizes[part].sum() <= tokens for step in range(len(plan)) for part in plan.updates(step))
    assert len(best_fit(largest, sizes, room)) == 1


@pytest.mark.parametrize(
    ("rows", "batch", "room", "tokens"),
    [
        ([60, 50, 50, 1], 2, 100, 100),  # not with the longest in it
        ([60, 60, 60], 3, 100, 60),  # room that no rows fill
        ([7, 9, 11] * 9, 4, 1000, 44),
        ([40, 30, 20, 10], 3, 95, 90),
        ([33] * 50 + [2, 3], 9, 100, 99),
        ([500, 10], 2, 100, 500),
        ([5, 4], 1, 100, 5),
    ],
)
def test_the_largest_pass_is_one_that_can_be_met(rows, batch, room, tokens):
    assert sum(rows[row] for row in largest_pass(np.array(rows), batch, room)) == tokens


def test_a_hair_of_a_float_makes_no_update_more():
    assert 0.07 * 100 > 7 and Plan([10] * 100, 1, 100, 0.07).steps == 7


def test_a_number_of_steps_goes_before_epochs():
    plan = Plan([10] * 25, 10, 100, epochs=1, max_steps=7)
    assert (plan.steps, plan.steps_per_epoch) == (7, 3)
    assert [len(plan.rows(step)) for step in range(7)] == [10, 10, 5, 10, 10, 5, 10]
    assert [plan.epoch(step) for step in (0, 1, 2, 3)] == [0.4, 0.8, 1.0, 1.4]
    for step in (-1, 7):
        with pytest.raises(IndexError):
            plan.updates(step)


@pytest.mark.parametrize(
    ("rows", "room", "bins"),
    [
        ([60, 30, 30, 40, 40], 100, 2),
        ([50, 50, 50], 100, 2),
        ([500, 10, 10], 100, 2),
        ([30, 70, 40, 60], 100, 2),
        ([1] * 100, 100, 1),
    ],
)
def test_rows_go_into_few_passes(rows, room, bins):
    assert len(best_fit(range(len(rows)), np.array(rows), room)) == bins


@pytest.mark.parametrize(
    "wrong",
    [{"batch_size": 0}, {"tokens_per_pass": 0}, {"epochs": 0}, {"max_steps": 0}, {"lengths": []}, {"lengths": [3, 0]}],
)
def test_impossible_plans_are_refused(wrong):
    with pytest.raises(BadInput) as refusal:
        Plan(**{"lengths": [1, 2], "batch_size": 1, "tokens_per_pass": 10, **wrong})
    assert refusal.value.next


def test_a_million_rows_cost_no_more_a_step():
    plan = Plan(np.random.default_rng(0).integers(1, 500, 1_000_000), 16, 4096, epochs=3)
    plan.updates(0)
    start = time.perf_counter()
    for step in range(1, 1000):
        plan.updates(step)
    cost = (time.perf_counter() - start) / 999
    print(f"{cost * 1e6:.0f} µs an update")
    assert cost < 0.01


def test_an_update_is_divided_by_tokens_and_every_row_goes_somewhere() -> None:
    lengths = np.array([9, 1, 5, 4, 3, 8])
    shares = share([5, 3, 0, 2], lengths, 2)
    assert sorted(row for part in shares for row in part) == [0, 2, 3, 5]
    assert [sum(lengths[row] for row in part) for part in shares] == [13, 13]
    assert share([1], lengths, 3) == [[1], [], []]


class Counted(np.ndarray):
    """Lengths that count how often one of them is looked at."""

    looks = 0

    def __getitem__(self, key):
        Counted.looks += np.size(key) if not isinstance(key, slice) else len(self)
        return super().__getitem__(key)


@pytest.mark.parametrize("rows", [100, 100_000])
def test_an_update_costs_the_same_in_a_set_of_any_size(rows, monkeypatch):
    """Counted, not timed: an epoch is put in order once, and an update looks at its own rows only."""
    plan = Plan([7] * rows, 8, 64, max_steps=2 * -(-rows // 8), seed=1)
    sorts = []
    whole = np.argsort
    monkeypatch.setattr(np, "argsort", lambda *given, **more: sorts.append(1) or whole(*given, **more))
    plan.lengths = plan.lengths.view(Counted)
    Counted.looks = 0
    for step in range(10):
        plan.updates(step)
    assert len(sorts) == 1
    assert Counted.looks <= 10 * 8 * 3
    plan.updates(len(plan) - 1)  # the next epoch
    assert len(sorts) == 2
