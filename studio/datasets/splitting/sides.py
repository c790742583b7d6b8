"""Sides: which rows are trained on, which watch over the training, which are held out for the score."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from studio.datasets.rows import Side
from studio.datasets.splitting.strata import Mix, Table
from studio.errors import BadInput

SIDES: tuple[Side, ...] = ("train", "validation", "test")
PLACES: dict[Side, int] = {side: place for place, side in enumerate(SIDES)}
DEFAULT: dict[Side, float] = {"train": 0.8, "validation": 0.1, "test": 0.1}
NAMES: dict[str, Side] = {
    "train": "train", "training": "train", "tr": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "development": "validation",
    "test": "test", "testing": "test", "eval": "test", "evaluation": "test", "held-out": "test", "heldout": "test",
    "held_out": "test", "holdout": "test",
}  # fmt: skip
# In which order a group looks for a place: the small sides first, so that they are drawn from all groups.
ORDER: tuple[Side, ...] = ("test", "validation", "train")
BATCH = 1 << 16
RANK = np.dtype(">u8")  # its first byte is the one that counts most, on every machine
Ranks = npt.NDArray[np.uint64]
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


def assign(
    digests: Iterable[bytes],
    sizes: Sequence[int],
    fractions: dict[Side, float],
    seed: int,
    strata: list[Mix] | None = None,
    kept: Sequence[int] | None = None,
) -> array[int]:
    """The side of each group of rows that belong together, as its place in SIDES; groups are never parted.

    Groups are ranked by a hash of seed and content, so the order of the file plays no part and a re-import gives the
    same sides. A group goes to the first of test, validation and train that has room for all of it, of every stratum
    it holds; where none has, to the one whose strata it leaves nearest to their shares (the greedy step of iterative
    stratification, Sechidis and others 2011), as long as its rows fit; else to the one with the most room. So each
    side ends less than the largest group from its number, and on it when all rows differ; but with three groups or
    more none of the sides asked for is left without one.

    Args:
        digests: the content hash of each group.
        sizes: how many rows each group has.
        strata: how many rows of which stratum each group has; None when nothing is to be kept in balance.
        kept: of each group the side it has already, -1 for one to be drawn: these get what is left of the shares.
    """
    ranks = _ranks(digests, len(sizes), seed)
    room = targets(sum(sizes), fractions, len(sizes))
    table = Table(strata, room) if strata is not None else None
    sides = array("b", [PLACES["train"]]) * len(sizes) if kept is None else array("b", kept)
    for group, place in enumerate(kept or ()):
        if place >= 0:
            room[SIDES[place]] -= sizes[group]
            if table is not None and strata is not None:
                table.put(strata[group], SIDES[place])
    for group in _ranked(ranks):
        if kept is not None and kept[group] >= 0:
            continue
        size = sizes[group]
        fitting = [side for side in ORDER if size <= room[side]]
        if not fitting:
            side = max(ORDER, key=lambda side: room[side])
        elif table is None or strata is None:
            side = fitting[0]
        else:
            side = table.choose(strata[group], fitting)
        if table is not None and strata is not None:
            table.put(strata[group], side)
        sides[group] = PLACES[side]
        room[side] -= size
    if len(sizes) >= 3:
        _fill_empty(sides, ranks, sizes, fractions, kept)
    return sides


def _ranks(digests: Iterable[bytes], count: int, seed: int) -> Ranks:
    """Of each group a number of eight bytes, drawn by the seed."""
    salt = seed.to_bytes(16, "big", signed=True)
    drawn = (int.from_bytes(blake2b(digest, key=salt, digest_size=8).digest(), "big") for digest in digests)
    return np.fromiter(drawn, RANK, count)


def _ranked(ranks: Ranks) -> Iterator[int]:
    """The groups by rank. They are put on sixteen shelves first, as sorting takes several times what it sorts."""
    shelves = ranks.view(np.uint8)[::8] >> 4
    for shelf in range(16):
        groups = np.flatnonzero(shelves == shelf)
        groups = groups[np.argsort(ranks[groups].astype(np.uint64), kind="stable")]
        for at in range(0, len(groups), BATCH):
            yield from groups[at : at + BATCH].tolist()


def _fill_empty(
    sides: array[int], ranks: Ranks, sizes: Sequence[int], fractions: dict[Side, float], kept: Sequence[int] | None
) -> None:
    """Gives a side that was asked for and got nothing (all groups were too large) the smallest group to spare."""
    for side, place in PLACES.items():
        if fractions[side] <= 0 or place in sides:
            continue
        held = [sides.count(other) for other in range(len(SIDES))]
        drawn = (group for group in _ranked(ranks) if kept is None or kept[group] < 0)
        spare = min((group for group in drawn if held[sides[group]] > 1), key=lambda group: sizes[group], default=-1)
        if spare >= 0:
            sides[spare] = place
