"""Sides: which rows are trained on, which watch over the training, which are held out for the score."""

from __future__ import annotations

import math
from collections import Counter
from hashlib import blake2b

from studio.datasets.rows import Side
from studio.errors import BadInput

SIDES: tuple[Side, ...] = ("train", "validation", "test")
DEFAULT: dict[Side, float] = {"train": 0.8, "validation": 0.1, "test": 0.1}
NAMES: dict[str, Side] = {
    "train": "train", "training": "train", "tr": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "development": "validation",
    "test": "test", "testing": "test", "eval": "test", "evaluation": "test", "held-out": "test", "heldout": "test",
    "held_out": "test", "holdout": "test",
}  # fmt: skip
EXAMPLE = "--split train=0.8,validation=0.1,test=0.1"


def side_of(name: str) -> Side | None:
    """The side a word in a split column means, None when it means none."""
    return NAMES.get(name.strip().lower())


def read_fractions(text: str) -> dict[Side, float]:
    """`train=0.8,validation=0.1,test=0.1` as fractions of every side; a side left out gets none.

    Raises:
        BadInput: a side that is none, no number, or a sum other than 1.
    """
    fractions: dict[Side, float] = dict.fromkeys(SIDES, 0.0)
    given = set()
    for part in text.split(","):
        name, _, number = part.partition("=")
        side = side_of(name)
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        if side is None or side in given or not 0 <= value <= 1:
            raise _bad_split(f"“{part.strip()}” does not name a side and its share between 0 and 1.")
        given.add(side)
        fractions[side] = value
    if not math.isclose(sum(fractions.values()), 1.0, abs_tol=1e-6):
        raise _bad_split(f"The shares add up to {sum(fractions.values()):g}, not to 1.")
    return fractions


def _bad_split(why: str) -> BadInput:
    return BadInput("This split can't be used.", why, f"Give for example {EXAMPLE}.", field="split")


def targets(total: int, fractions: dict[Side, float], distinct: int) -> dict[Side, int]:
    """How many of `total` rows each side gets: largest remainders, and with three distinct rows or more none of the
    sides asked for is left without a row."""
    exact = {side: total * fractions[side] for side in SIDES}
    counts = {side: math.floor(exact[side] + 1e-9) for side in SIDES}
    for side in sorted(SIDES, key=lambda side: counts[side] - exact[side])[: total - sum(counts.values())]:
        counts[side] += 1
    if distinct >= 3:
        for side in SIDES:
            if fractions[side] > 0 and counts[side] == 0:
                counts[max(SIDES, key=lambda other: counts[other])] -= 1
                counts[side] = 1
    return counts


def assign(digests: list[bytes], sizes: list[int], fractions: dict[Side, float], seed: int) -> list[Side]:
    """The side of each group of equal rows.

    Groups are ranked by a hash of seed and content, so the order of the file plays no part and a re-import gives the
    same sides. A group goes to the first of test, validation and train that has room for all of it; the counts are
    exact when all rows differ.

    Args:
        digests: the content hash of each group.
        sizes: how many equal rows each group has.
    """
    salt = seed.to_bytes(16, "big", signed=True)
    ranked = sorted(range(len(digests)), key=lambda group: blake2b(digests[group], key=salt, digest_size=8).digest())
    room = targets(sum(sizes), fractions, len(digests))
    sides: list[Side] = ["train"] * len(digests)
    order: tuple[Side, ...] = ("test", "validation", "train")
    for group in ranked:
        size = sizes[group]
        fitting = [side for side in order if size <= room[side]]
        side = fitting[0] if fitting else max(order, key=lambda side: room[side])
        sides[group] = side
        room[side] -= size
    if len(digests) >= 3:
        _fill_empty(sides, ranked, sizes, fractions)
    return sides


def _fill_empty(sides: list[Side], ranked: list[int], sizes: list[int], fractions: dict[Side, float]) -> None:
    """Gives a side that was asked for and got nothing (all groups were too large) the smallest group to spare."""
    for side in SIDES:
        if fractions[side] <= 0 or side in sides:
            continue
        held = Counter(sides)
        spare = [group for group in ranked if held[sides[group]] > 1]
        sides[min(spare, key=lambda group: sizes[group])] = side
