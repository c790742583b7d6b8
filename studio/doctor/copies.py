"""Rows compared with one another: duplicates, near-duplicates, contradictions, and training rows that are held out too.

Which rows are nearly alike is likeness.py's to say. Of those, near-duplicates are the ones that can be left out: alike
in question and answer each, with the same numbers and denials.

Kept for a row are 34 bytes (hashes of its prompt, answer and whole, its side) and a signature of 560, so a million rows
take some 0.7 GB; of rows that are proposed as near-duplicates, a sketch of at most 3 kB while they are compared.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import numpy.typing as npt

from studio.datasets.likeness import Likeness, Pieces, components, said, wording
from studio.datasets.rows import Turn, compact
from studio.datasets.splitting.sides import SIDES
from studio.doctor.findings import Found
from studio.doctor.reading import Reading
from studio.doctor.sketches import Sketch, digest, jaccard, plain, sketch
from studio.wording import count

SPACE = re.compile(r"\s+")
BATCH = 1024
# Letters of a prompt that, with another answer, counts as a leak: that both sides greet gives no answer away. Rows that
# are the same as a whole leak, and the same prompts with other answers contradict, however short they are.
LEAST_PROMPT = 16
PART = 0.5  # how alike question and answer each have to be, besides the row as a whole
SLACK = 0.12  # how far the estimate from 128 numbers may fall short of the true likeness: three deviations
CROWD = 200  # rows that hang together, up to which each is compared with each
Sketches = dict[int, tuple[Sketch, Sketch, Sketch]]
Column = npt.NDArray[np.int64]
Places = dict[int, int]  # the place of a row → the place of the one it belongs with


class Copies:
    """Finds rows that say the same.

    Args:
        similarity: from which likeness on rows are near-duplicates.
        common: pieces of text that most rows share and that say nothing.
        accepted: ids of rows that a person accepted: of several copies these stay.
        again: reads the rows once more, for those that are to be compared word by word.
    """

    def __init__(
        self, similarity: float, common: Pieces, accepted: set[str], again: Callable[[], Iterator[Reading]]
    ) -> None:
        self.similarity = similarity
        self.common = common
        self.accepted = accepted
        self.again = again
        self.likeness = Likeness(similarity, common)
        self.waiting: list[tuple[int, str]] = []
        self.numbers, self.prompts, self.answers, self.wholes = (array("q") for _ in range(4))
        self.sides, self.long = array("b"), array("b")
        self.kept: set[int] = set()

    def look(self, reading: Reading) -> None:
        row, place = reading.row, len(self.numbers)
        asked = _asked(reading)
        prompt, answer = digest(asked), digest(_answered(reading))
        self.numbers.append(reading.number)
        self.prompts.append(prompt if asked else -1)
        self.answers.append(answer)
        self.wholes.append(digest(f"{row.kind}\0{prompt}\0{answer}"))
        self.sides.append(SIDES.index(row.split))
        self.long.append(len(plain(reading.prompt)) >= LEAST_PROMPT)
        self.waiting.append((place, wording(row)))
        if len(self.waiting) >= BATCH:
            self._compare()
        if row.row_id in self.accepted:
            self.kept.add(place)

    def _compare(self) -> None:
        self.likeness.add(self.waiting)
        self.waiting = []

    def found(self) -> Iterable[Found]:
        self._compare()
        sides, wholes = np.array(self.sides, np.int8), np.array(self.wholes, np.int64)
        prompts = np.where(np.array(self.long) > 0, np.array(self.prompts, np.int64), -1)
        duplicates = self._duplicates(wholes, sides)
        near, leaks = self._near(set(duplicates))
        leaks = leaks | _held_too(prompts, sides) | _held_too(wholes, sides)
        kinds = {
            "leaks": leaks,
            "duplicates": duplicates,
            "near_duplicates": near,
            "contradictions": self._contradictions(leaks | duplicates | near),
        }
        told = [self._as_found(kind, places) for kind, places in kinds.items() if places]
        if held := len(kinds["contradictions"].keys() & leaks.keys()):
            told[-1].facts = {"words": _held_words(len(told[-1]), held)}
        groups = self.likeness.groups()
        return [*told, self._nearly_alike(groups)] if groups else told

    def _nearly_alike(self, groups: list[list[int]]) -> Found:
        """Every row of a group, each with another one of it: as many as a split and the pictures count."""
        beside = {place: next(one for one in group if one != place) for group in groups for place in group}
        found = self._as_found("alike", beside)
        told = f"{count(len(beside), 'row')} in {count(len(groups), 'group')}, on all sides together"
        words = f"{told}; at least {self.similarity:.0%} of their wording is the same."
        found.facts = {"words": words, "groups": len(groups)}
        return found

    def _as_found(self, kind: str, places: Places) -> Found:
        found = Found(kind)
        for place in sorted(places):
            found.add(self.numbers[place], self.numbers[places[place]])
        return found

    # ---- Equal ones ----

    def _duplicates(self, wholes: Column, sides: npt.NDArray[np.int8]) -> Places:
        """Copies on one side, each with the row that stays."""
        copies: Places = {}
        for side in range(len(SIDES)):
            for group in _equal(np.where(sides == side, wholes, -1)):
                stays = next((place for place in group if place in self.kept), group[0])
                copies |= {place: stays for place in group if place != stays}
        return copies

    def _contradictions(self, going: Places) -> Places:
        """Rows whose prompt another one answers differently, on any side, each with such a one.

        Args:
            going: rows that other findings leave out; they are named beside a row only where no other one opposes it.
        """
        opposed: Places = {}
        for places in _equal(np.array(self.prompts, np.int64)):
            group = sorted(places, key=lambda place: (place in going, place))
            first = group[0]
            other = next((place for place in group if self.answers[place] != self.answers[first]), None)
            if other is not None:
                opposed |= {place: other if self.answers[place] == self.answers[first] else first for place in group}
        return opposed

    # ---- Alike ones ----

    def _near(self, copies: set[int]) -> tuple[Places, Places]:
        """(near copies on one side with the row that stays, near copies in the training with the held-out row)."""
        groups = components(self.likeness.pairs(self.similarity - SLACK))
        sketches = self._sketches({place for group in groups for place in group})
        near: Places = {}
        leaks: Places = {}
        for component in groups:
            for side in range(len(SIDES)):
                mine = [place for place in component if self.sides[place] == side and place not in copies]
                near |= self._led(mine, sketches)
            held = [place for place in component if self.sides[place] > 0]
            leaks |= self._leaking([place for place in component if self.sides[place] == 0], held, sketches)
        return near, leaks

    def _sketches(self, wanted: set[int]) -> Sketches:
        if not wanted:
            return {}
        made: Sketches = {}
        for place, reading in enumerate(self.again()):
            if place in wanted:
                texts = (wording(reading.row), reading.prompt, reading.answer)
                made[place] = tuple(sketch(text, self.common) for text in texts)  # type: ignore[assignment]
        return made

    def _alike(self, one: int, two: int, sketches: Sketches) -> bool:
        """Alike as a whole and in both parts; rows that answer the very same prompt differently are no copies."""
        if self.prompts[one] == self.prompts[two] >= 0 and self.answers[one] != self.answers[two]:
            return False
        likely = jaccard(sketches[one][0], sketches[two][0]) >= self.similarity
        return likely and all(jaccard(sketches[one][part], sketches[two][part]) >= PART for part in (1, 2))

    def _led(self, places: list[int], sketches: Sketches) -> Places:
        """Each near copy with a row that stays and is alike itself, not only through others."""
        near: Places = {}
        leaders: list[int] = []
        for place in sorted(places, key=lambda one: (one not in self.kept, one)):
            stays = next((one for one in leaders[-CROWD:] if self._alike(one, place, sketches)), None)
            if stays is None:
                leaders.append(place)
            else:
                near[place] = stays
        return near

    def _leaking(self, training: list[int], held: list[int], sketches: Sketches) -> Places:
        """Training rows that are alike to a held-out one."""
        found = (
            (place, next((one for one in held[:CROWD] if self._alike(one, place, sketches)), None))
            for place in training
        )
        return {place: other for place, other in found if other is not None}


def _held_words(rows: int, held: int) -> str:
    training = "1 of them is a training row that is" if held == 1 else f"{held:,} of them are training rows that are"
    return f"{count(rows, 'row')}; {training} held out too. With those left out, the held-out answer is still to check."


def _equal(keys: Column) -> Iterator[list[int]]:
    """Groups of two and more rows with the same key (none for -1), each in the order of the rows."""
    places = np.flatnonzero(keys >= 0)
    order = places[np.argsort(keys[places], kind="stable")]
    ranked = keys[order]
    cuts = np.flatnonzero(ranked[1:] != ranked[:-1]) + 1
    starts, ends = np.append(0, cuts), np.append(cuts, len(order))
    for start, end in zip(starts, ends, strict=True):
        if end - start > 1:
            yield [int(place) for place in order[start:end]]


def _held_too(keys: Column, sides: npt.NDArray[np.int8]) -> Places:
    """Training rows with the key (none for -1) of a held-out one, each with the first such."""
    held, training = np.flatnonzero((sides > 0) & (keys >= 0)), np.flatnonzero((sides == 0) & (keys >= 0))
    values, first = np.unique(keys[held], return_index=True)
    if not len(values):
        return {}
    at = np.minimum(np.searchsorted(values, keys[training]), len(values) - 1)
    hits = values[at] == keys[training]
    return {int(place): int(held[first[where]]) for place, where in zip(training[hits], at[hits], strict=True)}


def _asked(reading: Reading) -> str:
    """What has to be the same for two answers to oppose each other; system prompt and tools are part of it."""
    row = reading.row
    if not reading.prompt.strip():
        return ""
    turns = [compact(row.tools), *(f"{turn['role']}: {_words(turn)}" for turn in reading.parts[0])]
    if row.kind == "preference":  # many answers to one prompt are usual; the same two the other way round are not
        turns += sorted(_joined(side) for side in (row.chosen, row.rejected))
    if row.kind == "feedback":
        turns.append(_joined(reading.parts[1]))
    return "\n".join(turns)


def _answered(reading: Reading) -> str:
    row = reading.row
    return f"{_joined(reading.parts[1])}\0{row.label}" if row.kind == "feedback" else _joined(reading.parts[1])


def _joined(turns: list[Turn] | None) -> str:
    return "\n".join(map(_words, turns or []))


def _words(turn: Turn) -> str:
    return SPACE.sub(" ", said(turn)).strip()
