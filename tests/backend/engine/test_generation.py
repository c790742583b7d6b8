from __future__ import annotations

import random

import pytest
import torch

from backend.engine.generation import draw, padded, row_seed
from studio.settings.answering import Generation


def test_prompts_are_padded_on_the_left() -> None:
    ids, mask = padded([[5, 6, 7], [8]], pad_id=0)
    assert ids.tolist() == [[5, 6, 7], [0, 0, 8]]
    assert mask.tolist() == [[1, 1, 1], [0, 0, 1]]


def draws(scores: list[float], count: int = 4000, **options: float) -> list[float]:
    """How often each token is drawn, as shares."""
    stream = random.Random(7)
    uniform = torch.tensor([stream.random() for _ in range(count)], dtype=torch.float64)
    chosen = draw(torch.tensor([scores]).expand(count, -1), uniform, Generation.model_validate(options))
    return (torch.bincount(chosen, minlength=len(scores)) / count).tolist()


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    scores = [0.0, 1.0, 3.0, 2.0]
    for temperature in (0.5, 1.0, 2.0):
        wanted = torch.softmax(torch.tensor(scores) / temperature, -1).tolist()
        assert draws(scores, temperature=temperature) == pytest.approx(wanted, abs=0.03)


def test_top_k_keeps_the_likeliest_and_their_proportions() -> None:
    found = draws([0.0, 1.0, 3.0, 2.0], temperature=1.0, top_k=2)
    assert found == pytest.approx([0, 0, 0.731, 0.269], abs=0.03)


def test_top_p_keeps_just_enough_to_reach_it() -> None:
    chances = torch.tensor([0.1, 0.5, 0.3, 0.1]).log().tolist()
    assert draws(chances, temperature=1.0, top_p=0.7) == pytest.approx([0, 0.625, 0.375, 0], abs=0.03)
    assert draws(chances, temperature=1.0, top_p=0.01) == [0, 1, 0, 0]


def test_an_impossible_token_is_never_drawn() -> None:
    edges = torch.tensor([0.0, 1.0 - 2**-53], dtype=torch.float64)
    scores = torch.tensor([[-torch.inf, 0.0, -torch.inf, 0.0, -torch.inf]]).expand(2, -1)
    assert draw(scores, edges, Generation(temperature=1.0)).tolist() == [1, 3]


def test_rows_have_streams_of_their_own_made_from_seed_and_prompt() -> None:
    assert row_seed(1, [3, 4]) == row_seed(1, [3, 4])
    assert len({row_seed(1, [3, 4]), row_seed(2, [3, 4]), row_seed(1, [34]), row_seed(13, [4])}) == 4
