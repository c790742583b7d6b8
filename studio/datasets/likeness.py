"""Near-duplicates among many texts, without comparing every two: MinHash signatures and locality-sensitive hashing.

A text is the set of its five-letter pieces; how alike two texts are is the share of pieces they have in common (their
Jaccard index). MinHash (Broder 1997, by `rensa`) estimates it from a signature of fixed length; texts whose signatures
agree in one of many bands are compared (Leskovec, Rajaraman, Ullman: Mining of Massive Datasets, chapter 3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
from rensa import RMinHash

PIECE = 5  # letters
SIGNATURE, BAND = 128, 4  # 32 bands of 4: two texts that are 80 % alike meet in one with probability 0.99999999
SEED = 1
# A text with fewer pieces is too short for its likeness to say anything; equal ones are found otherwise.
FEWEST = 8
# Pieces that so many of the texts have are the form they share, such as an instruction, and say nothing.
COMMON_SHARE, COMMON_LEAST = 0.5, 20
LONGEST = 20_000  # letters of a text that are looked at
ROUNDS = 16  # how often what is left of a crowded bucket is compared with one of its texts
PLAIN = re.compile(r"\W+")

Pieces = npt.NDArray[np.uint64]
Signatures = npt.NDArray[np.uint32]


def pieces(text: str) -> Pieces:
    """A hash of each five-letter piece of a text, letters in lower case and all that is between words one space."""
    plain = PLAIN.sub(" ", text[:LONGEST].lower()).strip()
    letters = np.frombuffer(plain.encode("utf-32-le", "replace"), np.uint32).astype(np.uint64)
    if len(letters) < PIECE:
        return np.empty(0, np.uint64)
    hashed = np.zeros(len(letters) - PIECE + 1, np.uint64)
    for at in range(PIECE):
        hashed = hashed * np.uint64(0x100000001B3) + letters[at : at + len(hashed)]
    hashed ^= hashed >> np.uint64(29)
    return hashed * np.uint64(0xBF58476D1CE4E5B9)


def common_pieces(texts: Iterable[str]) -> Pieces:
    """The pieces that say nothing, found in a sample of the texts."""
    found = [np.unique(pieces(text)) for text in texts]
    if not found:
        return np.empty(0, np.uint64)
    every, counts = np.unique(np.concatenate(found), return_counts=True)
    return every[counts > max(COMMON_LEAST, COMMON_SHARE * len(found))]


class Likeness:
    """Gathers signatures of texts and tells which texts are near-duplicates.

    Args:
        threshold: from which share of common pieces on two texts count as near-duplicates.
        common: pieces to be passed over, as `common_pieces` finds them.
    """

    def __init__(self, threshold: float, common: Pieces | None = None) -> None:
        self.threshold = threshold
        self.common = common if common is not None and len(common) else None
        self.numbers: list[int] = []
        self.blocks: list[Signatures] = []

    def add(self, texts: Iterable[tuple[int, str]]) -> None:
        """Takes in some texts, each with its number; a few thousand at a time are quickest."""
        numbers: list[int] = []
        found: list[Pieces] = []
        for number, text in texts:
            numbers.append(number)
            found.append(pieces(text))
        if not found:
            return
        sizes = np.array([len(each) for each in found])
        every = np.concatenate(found)
        if self.common is not None:
            telling = ~np.isin(every, self.common)
            sizes = np.bincount(np.repeat(np.arange(len(sizes)), sizes)[telling], minlength=len(sizes))
            every = every[telling]
        ends = np.cumsum(np.r_[0, sizes]).astype(np.uint64)
        matrix = RMinHash.digest_matrix_from_flat_token_hashes(every, ends, SIGNATURE, SEED)
        long_enough = np.flatnonzero(sizes >= FEWEST)
        self.numbers += [numbers[place] for place in long_enough]
        self.blocks.append(np.array(matrix.to_rows(), np.uint32)[long_enough])

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Pairs of numbers whose texts are near-duplicates: not every pair of a cluster, but enough to link it."""
        if not self.blocks:
            return
        signatures = self._joined()
        numbers = np.array(self.numbers)
        for start in range(0, SIGNATURE, BAND):
            for bucket in _buckets(_hashed(signatures[:, start : start + BAND])):
                for one, other in self._alike(signatures, bucket):
                    yield int(numbers[one]), int(numbers[other])

    def _joined(self) -> Signatures:
        """All signatures in one table; each block is given up on the way, so that they are never there twice."""
        table = np.empty((sum(map(len, self.blocks)), SIGNATURE), np.uint32)
        end = len(table)
        while self.blocks:
            block = self.blocks.pop()
            end -= len(block)
            table[end : end + len(block)] = block
        self.blocks = [table]
        return table

    def _alike(self, signatures: Signatures, bucket: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
        """Compares a bucket's texts with its first; those unlike it with the first of them, and so on."""
        for _ in range(ROUNDS):
            if len(bucket) < 2:
                return
            first, rest = bucket[0], bucket[1:]
            shares = (signatures[rest] == signatures[first]).mean(axis=1)
            for other in rest[shares >= self.threshold]:
                yield int(first), int(other)
            bucket = rest[shares < self.threshold]


def _hashed(columns: Signatures) -> Pieces:
    """A number for each row of a band, which sorts four times as quickly as the row itself."""
    band = np.zeros(len(columns), np.uint64)
    for column in columns.T:
        band = (band ^ column) * np.uint64(0x9E3779B97F4A7C15)
        band ^= band >> np.uint64(29)
    return band


def _buckets(band: Pieces) -> Iterator[npt.NDArray[np.int64]]:
    """The places that hold equal values, for each value found twice or more."""
    order = np.argsort(band, kind="stable")
    values = band[order]
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
    ends = np.r_[starts[1:], len(values)]
    for bucket in np.flatnonzero(ends - starts > 1):
        yield order[starts[bucket] : ends[bucket]]
