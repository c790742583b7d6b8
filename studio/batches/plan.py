"""Which rows are trained on when: fixed by the seed, and known for any step without going through those before it."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from studio.errors import BadInput


class Plan:
    """The updates of a training, each a list of forward passes, each a list of row numbers.

    Every epoch goes once through all rows in an order of its own. An update takes the next `batch_size` rows of it,
    the last one of an epoch what is left; its rows are packed into as few passes as a best fit finds.

    Args:
        lengths: tokens of each row, at least 1.
        batch_size: rows an update learns from.
        tokens_per_pass: tokens that fit into one forward pass; a longer row goes alone.
        epochs: how often all rows are seen; may be a fraction.
        max_steps: the number of updates instead, when given.
        seed: the same seed gives the same plan, on every machine and with every numpy.

    Raises:
        BadInput: there are no rows, or a number is not positive.
    """

    def __init__(
        self,
        lengths: Sequence[int] | npt.NDArray[np.integer],
        batch_size: int,
        tokens_per_pass: int,
        epochs: float = 1.0,
        max_steps: int | None = None,
        seed: int = 0,
    ) -> None:
        self.lengths = np.asarray(lengths, np.int64)
        if not len(self.lengths) or self.lengths.min() < 1:
            raise BadInput("There is nothing to train on.", "A plan needs rows with tokens.", "Choose another dataset.")
        for name, value in (("batch_size", batch_size), ("tokens_per_pass", tokens_per_pass)):
            _positive(name, value)
        _positive("epochs", epochs) if max_steps is None else _positive("max_steps", max_steps)
        self.batch_size = batch_size
        self.tokens_per_pass = tokens_per_pass
        self.seed = seed
        self.steps_per_epoch = -(-len(self.lengths) // batch_size)
        # A hair less, because 0.07 times 100 updates is a hair more than 7 in floating point.
        self.steps = max_steps or max(1, math.ceil(epochs * self.steps_per_epoch - 1e-9))
        self._order: tuple[int, npt.NDArray[np.int64]] = (-1, np.empty(0, np.int64))

    def __len__(self) -> int:
        return self.steps

    def epoch(self, step: int) -> float:
        """How many times all rows have been seen when update `step` (from 0) is done."""
        whole, part = divmod(step + 1, self.steps_per_epoch)
        return whole + min(1.0, part * self.batch_size / len(self.lengths))

    def rows(self, step: int) -> list[int]:
        """The numbers of the rows of update `step` (from 0), in their shuffled order."""
        if not 0 <= step < self.steps:
            raise IndexError(f"step {step} of a plan of {self.steps}")
        epoch, part = divmod(step, self.steps_per_epoch)
        return [int(row) for row in self._shuffled(epoch)[part * self.batch_size : (part + 1) * self.batch_size]]

    def updates(self, step: int) -> list[list[int]]:
        """The forward passes of update `step` (from 0)."""
        return best_fit(self.rows(step), self.lengths, self.tokens_per_pass)

    def _shuffled(self, epoch: int) -> npt.NDArray[np.int64]:
        if self._order[0] != epoch:
            # Sorting by raw random numbers, because numpy keeps these for ever the same, but not its shuffling.
            keys = np.random.Philox(np.random.SeedSequence([self.seed, epoch])).random_raw(len(self.lengths))
            self._order = (epoch, np.argsort(keys, kind="stable"))
        return self._order[1]


def share(rows: Sequence[int], lengths: npt.NDArray[np.int64], count: int) -> list[list[int]]:
    """`rows` divided over so many processes: the longest first, each to the one that has the fewest tokens yet."""
    shares: list[list[int]] = [[] for _ in range(count)]
    tokens = [0] * count
    for row in sorted(rows, key=lambda row: (-int(lengths[row]), row)):
        least = tokens.index(min(tokens))
        shares[least].append(row)
        tokens[least] += int(lengths[row])
    return shares


def best_fit(rows: Sequence[int], lengths: npt.NDArray[np.int64], room: int) -> list[list[int]]:
    """`rows` in bins of at most `room` tokens: the longest first, each into the fullest bin that still takes it."""
    bins: list[list[int]] = []
    free: list[tuple[int, int]] = []  # (room left, number of the bin), sorted
    for row in sorted(rows, key=lambda row: (-int(lengths[row]), row)):
        length = int(lengths[row])
        at = bisect_left(free, (length, 0))
        if at == len(free):
            bins.append([row])
            left = (room - length, len(bins) - 1)
        else:
            space, number = free.pop(at)
            bins[number].append(row)
            left = (space - length, number)
        if left[0] > 0:
            insort(free, left)
    return bins


def largest_pass(lengths: npt.NDArray[np.int64], batch_size: int, room: int) -> list[int]:
    """The rows of the pass of most tokens that any order of the rows can make.

    A pass has at most `batch_size` rows and `room` tokens, or one row that is longer: of all such choices the one of
    most tokens, found as Bellman (1957) fills a knapsack, with the fewest rows that make each number of tokens.
    """
    order = np.argsort(-lengths, kind="stable")
    first = order[:batch_size].tolist()
    if lengths[first[0]] >= room or batch_size == 1:
        return first[:1]
    if lengths[first].sum() <= room:
        return first
    fewest = np.full(room + 1, batch_size + 1, np.int64)
    fewest[0] = 0
    tried: list[tuple[list[int], int, npt.NDArray[np.uint8]]] = []
    for rows in _portions(order, lengths, batch_size, room):
        tokens = int(lengths[rows].sum())
        with_them = fewest[:-tokens] + len(rows)
        better = with_them < fewest[tokens:]
        fewest[tokens:] = np.where(better, with_them, fewest[tokens:])
        tried.append((rows, tokens, np.packbits(better)))
        if fewest[room] <= batch_size:
            break
    left, found = int(np.flatnonzero(fewest <= batch_size)[-1]), []
    for rows, tokens, taken in reversed(tried):
        at = left - tokens
        if at >= 0 and taken[at >> 3] >> (7 - at & 7) & 1:
            found += rows
            left = at
    return found


def _portions(
    order: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], batch_size: int, room: int
) -> Iterator[list[int]]:
    """The rows, the longest first, those of one length in 1, 2, 4 … at once: any number of them is some of these."""
    starts = np.flatnonzero(np.diff(lengths[order], prepend=-1))
    for start, end in pairwise([*starts.tolist(), len(order)]):
        same = order[start : min(end, start + min(batch_size, room // int(lengths[order[start]])))].tolist()
        count = 1
        while same:
            yield same[:count]
            same, count = same[count:], 2 * count


def _positive(name: str, value: float) -> None:
    if value <= 0:
        title = name.replace("_", " ")
        raise BadInput(
            f"The {title} can't be {value}.", "It has to be more than 0.", f"Choose a greater {title}.", field=name
        )
