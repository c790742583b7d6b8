"""Labels and tags: how they are balanced, and labels that are the same but for how they are written or misspelt."""

from __future__ import annotations

import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

from studio.doctor.findings import Found, Piece, whole
from studio.doctor.reading import Reading
from studio.doctor.sketches import plain
from studio.wording import count

MANY = 200  # different values from which on they are no classes any more
UNEVEN = 10  # how many times as frequent the most frequent one may be
FEW = 10  # rows that a label needs at least
LEAST_ROWS = 50  # below, nothing can be said about balance
OFTENER = 10  # how many times as frequent a label is than one that looks like a slip in writing it
LETTERS = 5  # of a label, from which on one letter more or less is a slip: “card” and “cart” are two words
DIGITS = re.compile(r"\d+")
# Scripts of which a single sign is a word or a syllable, so that with another one another thing is meant: 国内 is at
# home, 国际 abroad.
SIGNS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")


class Labels:
    """Counts labels and the values of tags."""

    def __init__(self) -> None:
        self.labels: dict[str, array[int]] = defaultdict(lambda: array("i"))
        self.tags: dict[str, dict[str, array[int]]] = defaultdict(lambda: defaultdict(lambda: array("i")))
        self.examples: dict[int, Reading] = {}

    def look(self, reading: Reading) -> None:
        row = reading.row
        if row.kind == "label" and row.label is not None and (len(self.labels) <= MANY or row.label in self.labels):
            self._count(self.labels, row.label, reading)
        for name, value in row.tags.items():
            values = self.tags[name]
            if len(values) <= MANY or value in values:
                self._count(values, value, reading)

    def _count(self, values: dict[str, array[int]], value: str, reading: Reading) -> None:
        values[value].append(reading.number)
        if len(values[value]) <= 2:
            self.examples[reading.number] = reading

    def found(self) -> Iterable[Found]:
        yield from self._rewritten("label_variants", variants)
        yield from self._rewritten("misspelt_labels", misspelt)
        uneven = self._uneven("labels", self.labels, "label")
        if uneven:
            yield uneven
        for name, values in self.tags.items():
            uneven = self._uneven("tags", values, f"tag “{name}”")
            if uneven:
                yield uneven
                return  # one finding a kind; the others show when this one is settled

    def _rewritten(self, kind: str, sought: Callable[[dict[str, int]], dict[str, list[str]]]) -> Iterable[Found]:
        """Rows whose label should be written as another one is."""
        if len(self.labels) > MANY:
            return
        found = Found(kind)
        told: list[str] = []
        usually: dict[str, str] = {}
        for usual, others in sought({label: len(rows) for label, rows in self.labels.items()}).items():
            told.append(f"{', '.join(f'“{other}”' for other in others)} for “{usual}”")
            usually |= dict.fromkeys(others, usual)
            for number in sorted(number for other in others for number in self.labels[other]):
                found.add(number, pieces=self._pieces(number))
        if told:
            found.facts = {"words": f"{count(len(found), 'row')}: {'; '.join(told[:5])}.", "usual": usually}
            yield found

    def _uneven(self, kind: str, values: dict[str, array[int]], what: str) -> Found | None:
        """Rows of the rare values, where there are such."""
        counts = Counter({value: len(rows) for value, rows in values.items()})
        total = sum(counts.values())
        if not 2 <= len(counts) <= MANY or total < LEAST_ROWS:
            return None
        most, largest = counts.most_common(1)[0]
        rare = [value for value, n in counts.items() if n * UNEVEN <= largest or n < FEW]
        if not rare:
            return None
        found = Found(kind)
        for number in sorted(number for value in rare for number in values[value]):
            found.add(number, pieces=self._pieces(number))
        listed = ", ".join(f"“{value}” {counts[value]:,}" for value in sorted(rare, key=lambda one: counts[one])[:5])
        words = f"Of the {what}, “{most}” has {count(largest, 'row')} of {total:,}; rare are {listed}."
        found.facts = {"words": words, "counts": counts.most_common(12)}
        return found

    def _pieces(self, number: int) -> list[Piece] | None:
        reading = self.examples.get(number)
        return whole(reading) if reading else None


def variants(counts: dict[str, int]) -> dict[str, list[str]]:
    """The most frequent way to write each label → the other ways, for those that have any."""
    alike: dict[str, list[str]] = defaultdict(list)
    for label in counts:
        alike[plain(label) or label].append(label)
    ranked = (sorted(group, key=lambda label: (-counts[label], label)) for group in alike.values() if len(group) > 1)
    return {group[0]: group[1:] for group in ranked}


def misspelt(counts: dict[str, int]) -> dict[str, list[str]]:
    """The frequent labels → the rare ones that look like a slip in writing them, for those that have any.

    What looks like a slip in writing another slip means what that one means.
    """
    ranked = sorted(counts, key=lambda label: (-counts[label], label))
    meant: dict[str, str] = {}
    for rare in ranked:
        often = (one for one in ranked if counts[one] >= OFTENER * counts[rare])
        if found := next((one for one in often if slip(plain(rare), plain(one))), ""):
            meant[rare] = meant.get(found, found)
    return {label: [rare for rare in meant if meant[rare] == label] for label in dict.fromkeys(meant.values())}


def slip(written: str, meant: str) -> bool:
    """Whether a text is another one with a letter missing, too many, mistaken, or two beside each other changed over.

    The word in which it happened must be long enough to be known again (“type a”, “type b” are two), must have the same
    numbers (“class2024”, “class2025”), and begin alike: the first letter is seldom missed, and where it is another one
    (“legal”, “illegal”), another word is meant.
    """
    ours, theirs = written.split(), meant.split()
    if len(ours) == len(theirs):
        unlike = [pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1]]
        return len(unlike) == 1 and _one_letter_off(*unlike[0])
    return _one_letter_off(written, meant)  # a space is a letter, too


def _one_letter_off(one: str, other: str) -> bool:
    if min(len(one), len(other)) < LETTERS or one[0] != other[0] or DIGITS.findall(one) != DIGITS.findall(other):
        return False
    if SIGNS.search(one + other):
        return False
    while one and other and one[0] == other[0]:
        one, other = one[1:], other[1:]
    swapped = one[:2] == other[1::-1] and one[2:] == other[2:]
    return swapped or one[1:] == other[1:] or one[1:] == other or one == other[1:]
