from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.scores import METRICS, exact_match, normalise, token_f1, tokens


@pytest.mark.parametrize(
    ("expected", "answer", "score"),
    [
        ("billing", "billing", 1.0),
        ("billing", "  billing\n", 1.0),
        ("intent:  billing", "intent: \t billing", 1.0),
        ("Müller", unicodedata.normalize("NFD", "Müller"), 1.0),
        ("billing", "Billing", 0.0),
        ("billing", "billing.", 0.0),
        ("", "", 1.0),
        ("billing", "", 0.0),
    ],
)
def test_exact_match_forgives_white_space_and_composition_only(expected: str, answer: str, score: float) -> None:
    assert exact_match(expected, answer) == score


@pytest.mark.parametrize(
    ("expected", "answer", "score"),
    [
        ("the cat sat", "The cat, sat!", 1.0),
        ("a b c d", "a b", 2 * 1.0 * 0.5 / 1.5),
        ("a a b", "a b b", 2 * 2 / 6),
        ("left", "right", 0.0),
        ("!", "!", 1.0),
        ("!", "?", 0.0),
        ("", "something", 0.0),
        ("人工智能", "人工智慧", 0.75),
        ("हिन्दी भाषा", "हिन्दी", 2 / 3),
    ],
)
def test_token_f1_counts_shared_words(expected: str, answer: str, score: float) -> None:
    assert token_f1(expected, answer) == pytest.approx(score)


def test_articles_are_words() -> None:
    assert tokens("The end of a story") == ["the", "end", "of", "a", "story"]


@given(st.text(), st.text())
def test_scores_lie_between_0_and_1_are_symmetric_and_1_for_equals(one: str, other: str) -> None:
    for score in METRICS.values():
        assert 0.0 <= score(one, other) == score(other, one) <= 1.0
        assert score(one, one) == 1.0
    if exact_match(one, other):
        assert token_f1(one, other) == 1.0


@given(st.text())
def test_normalise_is_done_after_once(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)
