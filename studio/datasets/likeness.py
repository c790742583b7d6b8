"""Rows that are nearly alike, without comparing every two: MinHash signatures and locality-sensitive hashing.

The one rule of the whole studio: rows are nearly alike when what they say (`wording`) has `ALIKE` of its pieces in
common, and whoever is so with either belongs to the group. The doctor lists the groups, a split keeps each on one side,
the pictures draw them; asked about the same rows, all three count the same.

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

from studio.datasets.rows import Row, Turn, compact, origin_of

ALIKE = 0.8  # share of common pieces from which on rows are nearly alike
SAMPLE = 1000  # rows in which the pieces are sought that all have in common
PIECE = 5  # letters
SIGNATURE, BAND = 128, 4  # 32 bands of 4: two texts that are 80 % alike meet in one with probability 0.99999999
SEED = 1
# A text with fewer pieces is too short for its likeness to say anything; equal ones are found otherwise.
FEWEST = 8
# Pieces that so many of the texts have are the form they share, such as an instruction, and say nothing.
COMMON_SHARE, COMMON_LEAST = 0.5, 20
LONGEST = 20_000  # letters of a text that are looked at
COMPARED = 8192  # twos at a time
ROUNDS = 6  # how often what is left of a crowded bucket is compared with one of its texts
PLAIN = re.compile(r"\W+")

Pieces = npt.NDArray[np.uint64]
Signatures = npt.NDArray[np.uint32]
Places = npt.NDArray[np.int64]


def wording(row: Row) -> str:
    """What a row says, by which it is compared: every turn but the system prompt, which rows have in common, with the
    calls it makes; of two answers the better one; its text; the label to be learned. As much of it as is looked at."""
    turns = [*(turn for turn in row.messages or [] if turn.get("role") != "system"), *(row.chosen or [])]
    label = row.label or "" if row.kind == "label" else ""
    return "\n".join(filter(None, [*map(said, turns), row.text or "", label]))[:LONGEST]


def said(turn: Turn) -> str:
    """A turn's words, and its calls as JSON."""
    content = str(turn.get("content") or "")
    return content + compact(turn["tool_calls"]) if turn.get("tool_calls") else content


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


def common_among(rows: Iterable[Row]) -> Pieces:
    """The pieces that say nothing in a sample of `SAMPLE` rows: all have them, or all of one part of a mixture."""
    texts: dict[str, list[str]] = {"": []}
    for row in rows:
        texts[""].append(wording(row))
        if origin := origin_of(row):
            texts.setdefault(origin, []).append(texts[""][-1])
    return np.unique(np.concatenate([common_pieces(each) for each in texts.values()]))


class Likeness:
    """Gathers signatures of texts and tells which texts are nearly alike.

    Args:
        threshold: from which share of common pieces on two texts are.
        common: pieces to be passed over, as `common_pieces` finds them.
    """

    def __init__(self, threshold: float = ALIKE, common: Pieces | None = None) -> None:
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

    def groups(self) -> list[list[int]]:
        """The numbers of two texts and more that hang together, each group in ascending order."""
        return components(self.pairs())

    def pairs(self, threshold: float | None = None) -> Iterator[tuple[int, int]]:
        """Pairs of numbers whose texts are nearly alike: not every pair of a group, but enough to link it.

        Args:
            threshold: another one than that of all, for those who look closer at what is proposed to them.
        """
        if not self.blocks:
            return
        least = self.threshold if threshold is None else threshold
        signatures = self._joined()
        numbers = np.array(self.numbers)
        for start in range(0, SIGNATURE, BAND):
            places, buckets = _crowded(_hashed(signatures[:, start : start + BAND]))
            for one, other in self._alike(signatures, places, buckets, least):
                yield int(numbers[one]), int(numbers[other])

    def _joined(self) -> Signatures:
        """All signatures in one table; each block is given up on the way, so that they are never there twice."""
        if len(self.blocks) == 1:
            return self.blocks[0]
        table = np.empty((sum(map(len, self.blocks)), SIGNATURE), np.uint32)
        end = len(table)
        while self.blocks:
            block = self.blocks.pop()
            end -= len(block)
            table[end : end + len(block)] = block
        self.blocks = [table]
        return table

    def _alike(
        self, signatures: Signatures, places: Places, buckets: Places, least: float
    ) -> Iterator[tuple[int, int]]:
        """Compares the texts of each bucket with its first; those unlike it with the first of them, and so on."""
        for _ in range(ROUNDS):
            first = np.r_[True, buckets[1:] != buckets[:-1]][: len(buckets)]
            leaders = places[first][np.cumsum(first) - 1]
            places, buckets, leaders = places[~first], buckets[~first], leaders[~first]
            if not len(places):
                return
            alike = self._shares(signatures, places, leaders) >= least
            yield from zip(leaders[alike].tolist(), places[alike].tolist(), strict=True)
            places, buckets = places[~alike], buckets[~alike]

    def _shares(self, signatures: Signatures, some: Places, others: Places) -> npt.NDArray[np.float64]:
        """How alike two texts are, of many twos."""
        parts = range(0, len(some), COMPARED)
        return np.concatenate(
            [
                (signatures[some[at : at + COMPARED]] == signatures[others[at : at + COMPARED]]).mean(axis=1)
                for at in parts
            ]
        )


def _hashed(columns: Signatures) -> Pieces:
    """A number for each row of a band, which sorts four times as quickly as the row itself."""
    band = np.zeros(len(columns), np.uint64)
    for column in columns.T:
        band = (band ^ column) * np.uint64(0x9E3779B97F4A7C15)
        band ^= band >> np.uint64(29)
    return band


def _crowded(band: Pieces) -> tuple[Places, Places]:
    """The places whose value another place has too, and of each the bucket it is in; bucket after bucket."""
    order = np.argsort(band, kind="stable")
    new = np.r_[True, band[order][1:] != band[order][:-1]][: len(order)]
    buckets = np.cumsum(new)
    crowded = (np.bincount(buckets) > 1)[buckets]
    return order[crowded], buckets[crowded]


def components(pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """The numbers that hang together by pairs, each group in ascending order (union-find with path halving)."""
    parent: dict[int, int] = {}

    def root(number: int) -> int:
        while (above := parent.setdefault(number, number)) != number:
            parent[number] = parent[above]
            number = parent[number]
        return number

    for one, two in pairs:
        low, high = sorted((root(one), root(two)))
        parent[high] = low
    together: dict[int, list[int]] = {}
    for number in sorted(parent):
        together.setdefault(root(number), []).append(number)
    return list(together.values())
