"""Strata: how many rows of each label or tag every side shall get, in whole rows, and where a group does least harm."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from studio.datasets.rows import Side

# How many rows of which stratum a group has. A row may count in several, as one with several tags does.
Mix = Mapping[str, int]


class Table:
    """How many rows of each stratum each side still wants.

    Args:
        strata: what each group holds.
        room: how many rows each side gets in all.
    """

    def __init__(self, strata: Sequence[Mix], room: Mapping[Side, int]) -> None:
        sizes: Counter[str] = Counter()
        for mix in strata:
            sizes.update(mix)
        self.wanted = rounded(sizes, room)
        self.needed = {name: dict(row) for name, row in self.wanted.items()}

    def choose(self, mix: Mix, sides: Sequence[Side]) -> Side:
        """The first side that wants all of it; else the one it brings nearest to its shares."""
        for side in sides:
            if all(count <= self.needed[name][side] for name, count in mix.items()):
                return side
        return min(sides, key=lambda side: self._harm(mix, side))

    def put(self, mix: Mix, side: Side) -> None:
        """Counts a group in."""
        for name, count in mix.items():
            self.needed[name][side] -= count

    def _harm(self, mix: Mix, side: Side) -> float:
        """By how much the chi-square distance from the shares wanted grows: (held - wanted)² / wanted, summed."""
        grown = 0.0
        for name, count in mix.items():
            short = self.needed[name][side]
            grown += count * (count - 2 * short) / max(self.wanted[name][side], 0.5)
        return grown


def rounded(sizes: Mapping[str, int], room: Mapping[Side, int]) -> dict[str, dict[Side, int]]:
    """Whole rows of each stratum for each side; they add up to every stratum's size.

    Each stratum is apportioned by largest remainders, and what rounding gave a side too much or too little is carried
    into the next stratum (error diffusion). What is carried stays below one row, so no number is two rows off its
    share; where the strata part the rows, the sums over them are `room` exactly.

    Args:
        sizes: how many rows each stratum has.
        room: how many rows each side gets in all.
    """
    total = sum(room.values())
    carried: dict[Side, float] = dict.fromkeys(room, 0.0)
    table: dict[str, dict[Side, int]] = {}
    for name, size in sorted(sizes.items(), key=lambda item: (-item[1], item[0])):
        exact = {side: size * room[side] / total + carried[side] for side in room}
        given = {side: max(0, math.floor(value + 1e-9)) for side, value in exact.items()}
        for side in sorted(room, key=lambda side: given[side] - exact[side])[: size - sum(given.values())]:
            given[side] += 1
        carried = {side: exact[side] - given[side] for side in room}
        table[name] = given
    return table
