"""The rows that match, in order; those of a search are looked at as far as somebody's patience goes."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt

from studio.datasets.browsing.fulltext import Numbers
from studio.datasets.browsing.hits import Hits

STEP = 128  # rows looked at in one go, at least
LOOK = 0.015  # seconds that one go may well take


class Matches:
    """The rows that match, in order; those of a search may still have to be looked at.

    Args:
        numbers: places in the file, in the order wanted.
        hits: what a search found, None for no search.
        places: of each number its place in the hits, -1 for one that matches for sure.
    """

    def __init__(self, numbers: Numbers, hits: Hits | None = None, places: Numbers | None = None) -> None:
        self.numbers = numbers
        self.hits = hits
        self.places = places

    def known(self, some: slice = slice(None)) -> npt.NDArray[np.int8]:
        """Of each (of some) 1 when it matches, -1 when it does not, 0 when nobody looked yet."""
        if self.hits is None or self.places is None:
            return np.ones(len(self.numbers[some]), np.int8)
        return self.hits.known[self.places[some]]

    def window(self, offset: int, limit: int, patience: float) -> tuple[Numbers, int, bool]:
        """The numbers of one page, how many match, and whether all that is exact; see `Listing.page`."""
        until = time.monotonic() + patience
        end, looked = self._look_for(offset + limit, until)
        if not looked or time.monotonic() < until:
            self._look_at_the_rest(until)
        known = self.known()
        found = self.numbers[:end][known[:end] > 0]  # further on, one that nobody looked at yet may stand between
        return found[offset : offset + limit], *_estimate(known)

    def around(self, number: int, patience: float) -> tuple[int, int, bool, int | None, int | None]:
        """The place of a number from 1, how many match, whether both are exact, and the neighbours' numbers.

        A number that is not among them stands where the file's order has it.
        """
        here = np.flatnonzero(self.numbers == number)
        at = int(here[0]) if len(here) else int(np.searchsorted(self.numbers, number))
        after = self._nearest(range(at + len(here), len(self.numbers), STEP), 1)
        before = self._nearest(range(at, 0, -STEP), -1)
        _, total, exact = self.window(0, 0, patience)
        place, _ = _estimate(self.known(slice(at + len(here))))
        return place, total, exact, before, after

    def _nearest(self, starts: range, way: int) -> int | None:
        """The first number that matches, in steps forwards or backwards."""
        for start in starts:
            some = slice(start, start + STEP) if way > 0 else slice(max(0, start - STEP), start)
            self._settle(some)
            found = self.numbers[some][self.known(some) > 0]
            if len(found):
                return int(found[0 if way > 0 else -1])
        return None

    def _look_for(self, wanted: int, until: float) -> tuple[int, bool]:
        """Looks at the rows in order until so many match, or the time is over.

        Returns how far it came, and whether there was anything to look at.
        """
        if self.hits is None:
            return len(self.numbers), False
        start, step, found, looked = 0, STEP, 0, False
        while start < len(self.numbers) and found < wanted:
            began, some = time.monotonic(), slice(start, start + step)
            if np.any(self.known(some) == 0):
                self._settle(some)
                looked = True
            found += int(np.sum(self.known(some) > 0))
            start, step = some.stop, _further(step, began)
            if looked and time.monotonic() >= until:
                break
        return start, looked

    def _look_at_the_rest(self, until: float) -> None:
        """Looks at the others in the order of the file, which is the quickest, until the time is over."""
        if self.hits is None or self.places is None:
            return
        rest = np.sort(self.places[self.known() == 0])
        start, step = 0, STEP
        while start < len(rest) and (not start or time.monotonic() < until):
            began = time.monotonic()
            self.hits.settle(rest[start : start + step])
            start, step = start + step, _further(step, began)

    def _settle(self, some: slice) -> None:
        if self.hits is not None and self.places is not None:
            places = self.places[some]
            self.hits.settle(places[places >= 0])


def _further(step: int, began: float) -> int:
    """How many rows to look at next, so that one go takes some milliseconds."""
    return step * 2 if time.monotonic() - began < LOOK else max(STEP, step // 2)


def _estimate(known: npt.NDArray[np.int8]) -> tuple[int, bool]:
    """How many match, and whether that is exact: what was not looked at counts as what was."""
    yes, no = int(np.sum(known > 0)), int(np.sum(known < 0))
    unknown = len(known) - yes - no
    return yes + (round(unknown * yes / (yes + no)) if unknown and yes else 0), unknown == 0
