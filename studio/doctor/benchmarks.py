"""Rows that share a run of words with a benchmark: overlap of 13-grams, as for GPT-3 (Brown et al. 2020, appendix C).

Items of fewer than 13 words count as one run of all their words, down to 8; shorter ones say nothing and are passed
over. Runs that more than ten items share are the benchmark's own frame (“Choose the right answer”) and don't count.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from studio.datasets.likeness import Pieces
from studio.doctor.findings import Found, shown
from studio.doctor.reading import Reading
from studio.errors import BadInput, NotFound
from studio.wording import count

RUN, SHORTEST = 13, 8
FRAME = 10
LONGEST = 200_000
# Scripts without spaces between words: each of their letters counts as a word.
SCRIPT = re.compile("([\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff])")
WORD = re.compile(r"[^\W_]+")
FACTOR = 0x9E3779B97F4A7C15
POWERS = np.array([pow(FACTOR, power, 1 << 64) for power in range(RUN)], np.uint64)


def words(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation."""
    return WORD.findall(SCRIPT.sub(r" \1 ", text[:LONGEST].lower()))


def hashed(found: list[str]) -> Pieces:
    """uint64[words]: equal words as equal numbers."""
    from rensa import RMinHash

    return np.array(RMinHash.hash_token_sets([found])[0], np.uint64)


def runs(numbers: Pieces, length: int) -> Pieces:
    """uint64[words - length + 1]: each run of so many words as one number."""
    kept = len(numbers) - length + 1
    if kept < 1:
        return np.empty(0, np.uint64)
    total = np.zeros(kept, np.uint64)
    for place in range(length):
        total += numbers[place : place + kept] * POWERS[place]
    return (total ^ (total >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)


class Benchmarks:
    """Looks for the runs of words of benchmarks in every row.

    Args:
        sources: `FILE` or `FILE:COLUMN`; without a column, every text of a record counts.
        scratch: where archives among them unpack.

    Raises:
        NotFound, BadInput: a file can't be read, or has no such column.
    """

    def __init__(self, sources: list[str], scratch: Path | None = None) -> None:
        self.runs: dict[int, tuple[Pieces, np.ndarray[Any, np.dtype[np.int8]]]] = {}
        self.names: list[str] = []
        self.short = 0
        gathered: dict[int, list[Pieces]] = {}
        owners: dict[int, list[int]] = {}
        for source in sources:
            path, column = parted(source)
            self.names.append(path.name)
            for text in texts(path, column, scratch):
                self._gather(text, gathered, owners)
        for length, pieces in gathered.items():
            self.runs[length] = _settled(pieces, owners[length])
        self.found_rows = Found("benchmarks")
        self.of: Counter[str] = Counter()

    def _gather(self, text: str, gathered: dict[int, list[Pieces]], owners: dict[int, list[int]]) -> None:
        numbers = hashed(words(text))
        length = min(RUN, len(numbers))
        if length < SHORTEST:
            self.short += 1
            return
        gathered.setdefault(length, []).append(np.unique(runs(numbers, length)))
        owners.setdefault(length, []).append(len(self.names) - 1)

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
        """(number of the benchmark, first word, words) of the first run that stands in one."""
        numbers = hashed(words(text))
        for length, (known, owner) in self.runs.items():
            mine = runs(numbers, length)
            if not len(mine) or not len(known):
                continue
            at = np.minimum(np.searchsorted(known, mine), len(known) - 1)
            same = np.flatnonzero(known[at] == mine)
            if len(same):
                return int(owner[at[same[0]]]), int(same[0]), length
        return None

    def found(self) -> Iterable[Found]:
        if len(self.found_rows):
            listed = ", ".join(f"{count(n, 'row')} with {name}" for name, n in self.of.most_common())
            self.found_rows.facts = {"words": f"They share 13 words in a row, or a whole short item: {listed}."}
            yield self.found_rows


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


def parted(source: str) -> tuple[Path, str]:
    """`FILE:COLUMN` as both; a file whose name has a colon in it is taken as it is."""
    path = Path(source)
    if path.is_file() or ":" not in path.name:
        return path, ""
    name, _, column = source.rpartition(":")
    return Path(name), column


def texts(path: Path, column: str, scratch: Path | None = None) -> Iterator[str]:
    """The texts of a benchmark file, in any format that can be imported."""
    from studio.datasets.reading import records
    from studio.datasets.reading.readers import open_reader

    if not path.is_file():
        raise NotFound(
            f"There is no file {path}.", "It was named as a benchmark.", "Check its path.", field="benchmark"
        )
    seen = False
    for record in open_reader(path, records.Reading(scratch=scratch)).records():
        if record.values is None:
            continue
        if column and column not in record.values:
            continue
        seen = True
        yield from _strings(record.values[column] if column else record.values)
    if not seen:
        raise BadInput(
            f"{path.name} can't serve as a benchmark.",
            f"No record of it has the column “{column}”." if column else "It has no records.",
            "Name it as FILE or FILE:COLUMN.",
            field="benchmark",
        )


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)
