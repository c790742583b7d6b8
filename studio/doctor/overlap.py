"""Rows that share a run of words with texts that must not be trained on.

Overlap of 13-grams, as for GPT-3 (Brown et al. 2020, appendix C). Items of fewer than 13 words count as one run of all
their words, down to 8; shorter ones say nothing and are passed over. Runs that more than ten items share are the frame
of them all (“Choose the right answer”) and don't count.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from studio.datasets.likeness import Pieces
from studio.doctor.findings import Found, shown
from studio.doctor.reading import Reading

RUN, SHORTEST = 13, 8
FRAME = 10
LONGEST = 200_000
# Scripts without spaces between words: each of their letters counts as a word.
SCRIPT = re.compile("([\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff])")
WORD = re.compile(r"[^\W_]+")
FACTOR = 0x9E3779B97F4A7C15
# FACTOR to the power of each place, modulo 2^64, and what undoes it.
POWERS: Pieces = np.cumprod(np.r_[np.uint64(1), np.full(LONGEST, FACTOR, np.uint64)], dtype=np.uint64)
UNDOING: Pieces = np.cumprod(
    np.r_[np.uint64(1), np.full(LONGEST, pow(FACTOR, -1, 1 << 64), np.uint64)], dtype=np.uint64
)


def words(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation."""
    return WORD.findall(SCRIPT.sub(r" \1 ", text[:LONGEST].lower()))


def hashed(found: list[str]) -> Pieces:
    """uint64[words]: equal words as equal numbers."""
    from rensa import RMinHash

    return np.array(RMinHash.hash_token_sets([found])[0], np.uint64)


def summed(numbers: Pieces) -> Pieces:
    """uint64[words + 1]: what `runs` tells runs of any length from (a polynomial hash, Karp and Rabin 1987)."""
    sums = np.zeros(len(numbers) + 1, np.uint64)
    np.cumsum(numbers * POWERS[: len(numbers)], out=sums[1:])
    return sums


def runs(sums: Pieces, length: int) -> Pieces:
    """uint64[words - length + 1]: each run of so many words as one number."""
    kept = len(sums) - length
    if kept < 1:
        return np.empty(0, np.uint64)
    total = (sums[length:] - sums[:kept]) * UNDOING[:kept]
    return (total ^ (total >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)


class Overlap(ABC):
    """Looks for the runs of words of some items in every training row.

    Args:
        kind: the finding that it makes.
        items: (whose it is, text) of each.
    """

    def __init__(self, kind: str, items: Iterable[tuple[str, str]]) -> None:
        self.runs: dict[int, tuple[Pieces, np.ndarray[Any, np.dtype[np.int8]]]] = {}
        self.names: list[str] = []
        self.short = 0
        gathered: dict[int, list[Pieces]] = {}
        owners: dict[int, list[int]] = {}
        for name, text in items:
            if name not in self.names:
                self.names.append(name)
            self._gather(text, self.names.index(name), gathered, owners)
        for length, pieces in gathered.items():
            self.runs[length] = _settled(pieces, owners[length])
        self.found_rows = Found(kind)
        self.of: Counter[str] = Counter()

    def _gather(self, text: str, owner: int, gathered: dict[int, list[Pieces]], owners: dict[int, list[int]]) -> None:
        numbers = hashed(words(text))
        length = min(RUN, len(numbers))
        if length < SHORTEST:
            self.short += 1
            return
        gathered.setdefault(length, []).append(np.unique(runs(summed(numbers), length)))
        owners.setdefault(length, []).append(owner)

    def look(self, reading: Reading) -> None:
        if reading.row.split != "train":
            return
        pieces, of = [], None
        for who, text in (("User", reading.prompt), ("Answer", reading.answer)):
            hit = self._hit(text)
            if hit:
                of = hit[0]
                pieces.append(shown(who, text, [_place(text, hit[1], hit[2])]))
        if of is not None:
            self.of[self.names[of]] += 1
            self.found_rows.add(reading.number, pieces=pieces)

    def _hit(self, text: str) -> tuple[int, int, int] | None:
        """(whose, first word, words) of the first run that stands in one."""
        said = words(text)
        if len(said) < SHORTEST:
            return None
        sums = summed(hashed(said))
        for length, (known, owner) in self.runs.items():
            mine = runs(sums, length)
            if not len(mine) or not len(known):
                continue
            at = np.minimum(np.searchsorted(known, mine), len(known) - 1)
            same = np.flatnonzero(known[at] == mine)
            if len(same):
                return int(owner[at[same[0]]]), int(same[0]), length
        return None

    def found(self) -> Iterable[Found]:
        if len(self.found_rows):
            self.found_rows.facts = {"words": self.told()}
            yield self.found_rows

    @abstractmethod
    def told(self) -> str:
        """The sentence under the finding's title; `of` has how many rows overlap with whose items."""


def _settled(pieces: list[Pieces], owners: list[int]) -> tuple[Pieces, np.ndarray[Any, np.dtype[np.int8]]]:
    """All runs of one length, sorted, without those of the frame; and whose each is."""
    every = np.concatenate(pieces)
    whose = np.repeat(np.array(owners, np.int8), [len(piece) for piece in pieces])
    known, first, times = np.unique(every, return_index=True, return_counts=True)
    telling = times <= FRAME
    return known[telling], whose[first[telling]]


def _place(text: str, first: int, length: int) -> tuple[int, int]:
    """Where in a text a run of its words stands."""
    spans = []
    for match in WORD.finditer(text[:LONGEST]):
        letters = list(SCRIPT.finditer(match[0]))
        if not letters:
            spans.append(match.span())
            continue
        for word in WORD.finditer(SCRIPT.sub(r" \1 ", match[0])):
            at = text.index(word[0], spans[-1][1] if spans else match.start())
            spans.append((at, at + len(word[0])))
    last = min(first + length, len(spans)) - 1
    return spans[min(first, last)][0], spans[last][1]
