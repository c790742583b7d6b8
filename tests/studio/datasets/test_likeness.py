"""Near-duplicates among texts: planted ones are found, others are not."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from studio.datasets.likeness import Likeness, common_pieces

PARTS = [f"{a}{b}" for a in ("ka", "lo", "mi", "tru", "sen") for b in ("ver", "da", "pol", "rix")]
WORDS = [one + other for one in PARTS for other in PARTS]


def texts(count: int, length: int = 60, seed: int = 0) -> list[str]:
    chance = random.Random(seed)
    return [" ".join(chance.choices(WORDS, k=length)) for _ in range(count)]


def clusters(likeness: Likeness) -> set[tuple[int, int]]:
    return {(min(pair), max(pair)) for pair in likeness.pairs()}


def test_planted_near_duplicates_are_found_and_nothing_else():
    several = texts(600)
    planted = {}
    for number in range(60):
        words = several[number].split()
        words[number % 50] = "changed"
        planted[number, 600 + number] = " ".join(words)
    every = [*several, *planted.values()]
    likeness = Likeness(0.8, common_pieces(every))
    for start in range(0, len(every), 100):
        likeness.add(list(enumerate(every))[start : start + 100])
    found = clusters(likeness)
    precision, recall = len(found & set(planted)) / len(found), len(found & set(planted)) / len(planted)
    print(f"near-duplicates: precision {precision:.3f}, recall {recall:.3f}")
    assert precision >= 0.95 and recall >= 0.95


def test_a_shared_instruction_makes_no_near_duplicates():
    instruction = " ".join(texts(1, 120, seed=9))
    several = [f"{instruction} {text}" for text in texts(200, 8)]
    without, with_common = Likeness(0.8), Likeness(0.8, common_pieces(several))
    for likeness in (without, with_common):
        likeness.add(enumerate(several))
    assert clusters(without) and not clusters(with_common)


def test_case_space_and_punctuation_do_not_matter():
    likeness = Likeness(1.0)
    likeness.add([(3, "Where is my parcel? It’s late!"), (8, "where   is my parcel -- IT S LATE"), (9, "no")])
    assert clusters(likeness) == {(3, 8)}


def test_a_crowd_of_equal_texts_is_linked_in_one_go():
    likeness = Likeness(0.8)
    likeness.add((number, "the very same words in every one of them") for number in range(3000))
    pairs = clusters(likeness)
    assert {number for pair in pairs for number in pair} == set(range(3000))


@given(st.text(max_size=60))
def test_any_text_can_be_taken_in(text):
    likeness = Likeness(0.9)
    likeness.add([(0, text), (1, text), (2, "")])
    assert clusters(likeness) <= {(0, 1)}
