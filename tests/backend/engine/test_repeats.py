"""An answer that goes round in circles is noticed, and one that only looks like it is left alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from backend.engine.generation import Line, Watch
from backend.engine.repeats import LEAST_TOKENS, LONGEST_PIECE, TIMES, repeating


@given(
    st.lists(st.integers(0, 9), max_size=40),
    st.lists(st.integers(0, 9), min_size=1, max_size=LONGEST_PIECE),
)
def test_a_piece_said_over_and_over_is_noticed_wherever_it_begins(before: list[int], piece: list[int]) -> None:
    assert repeating(before + piece * max(TIMES, -(-LEAST_TOKENS // len(piece))))


@given(st.lists(st.integers(10, 10**6), min_size=1, max_size=300, unique=True))
def test_what_never_says_a_thing_twice_does_not_repeat(tokens: list[int]) -> None:
    assert not repeating(tokens)


def test_short_repeats_that_may_be_meant_are_left_alone() -> None:
    assert not repeating([7] * (LEAST_TOKENS - 1)) and repeating([7] * LEAST_TOKENS)
    assert not repeating([*range(LONGEST_PIECE)] * (TIMES - 1))
    assert not repeating([])
    numbered = [token for number in range(30) for token in (1, 2, 3, 100 + number, 4, 5)]  # a list of like lines
    assert not repeating(numbered)


@pytest.mark.parametrize(
    ("length", "times"),
    [
        pytest.param(1, 100, id="a tag for each word"),
        pytest.param(2, 40, id="a row of zeros"),
        pytest.param(2, 24, id="the line under a table's head"),
        pytest.param(8, 12, id="a table to be filled in"),
        pytest.param(4, 24, id="a check a line, all passed"),
    ],
)
def test_what_is_said_over_and_over_on_purpose_is_left_alone(length: int, times: int) -> None:
    tokens = [*range(length)] * times
    assert not any(repeating(tokens[:end]) for end in range(len(tokens) + 1))


def test_one_line_of_a_batch_ends_and_the_other_goes_on() -> None:
    ended: list[str] = []
    lines = [Line([1], on_end=lambda: ended.append("first")), Line([1], on_end=lambda: ended.append("second"))]
    watch = Watch(lines, {99}, None, stop_repeats=True)
    for step in range(LEAST_TOKENS):
        done = watch(torch.tensor([[7], [200 + step]]), None).tolist()
    assert done == [True, False] and ended == ["first"]
    assert (lines[0].finish, lines[1].finish) == ("repeats", None)


def test_where_answers_are_measured_nothing_is_ended() -> None:
    line = Line([1])
    watch = Watch([line], {99}, None)
    for _ in range(3 * LEAST_TOKENS):
        watch(torch.tensor([[7]]), None)
    assert line.finish is None and len(line.tokens) == 3 * LEAST_TOKENS
