"""What two rows are compared by, word for word, once MinHash has proposed them as near-duplicates.

A bottom-k sketch (Cohen and Kaplan 2007) keeps the smallest of the numbers that a text's five-letter pieces become: for
texts of up to `SKETCH` different pieces the Jaccard index of two is exact, beyond that a close estimate.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from studio.datasets.likeness import LONGEST, PLAIN, Pieces, pieces

SKETCH = 128
SHORT = 24  # letters; a part as short as this has to be the same
# A number or a denial in one of two texts makes them say different things, however alike they are.
TELLING = re.compile(
    r"\d+|\b(?:not|no|never|none|cannot|nor|without|nicht|kein\w*|nie|pas|jamais|aucun\w*|sans|sin|nunca|jamás|não)\b"
)


@dataclass(frozen=True)
class Sketch:
    """A text in at most a kilobyte.

    Attributes:
        smallest: uint64[at most SKETCH], sorted: the smallest numbers of its pieces.
        full: whether there were more.
        telling: the hash of its numbers and denials.
        short: the text itself where it is too short to differ anywhere.
    """

    smallest: Pieces
    full: bool
    telling: int
    short: str | None


def plain(text: str) -> str:
    """Only letters and digits in lower case, one space between words; of long texts the beginning."""
    return PLAIN.sub(" ", text[:LONGEST].lower()).strip()


def digest(text: str) -> int:
    """A 63-bit number of a text: equal for equal texts."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") >> 1


def sketch(text: str, common: Pieces) -> Sketch:
    """The sketch of a text without the pieces that most rows have in common."""
    small = plain(text)
    numbers = np.setdiff1d(pieces(text), common) if len(common) else np.unique(pieces(text))
    telling = digest(" ".join(TELLING.findall(small)))
    return Sketch(numbers[:SKETCH].copy(), len(numbers) > SKETCH, telling, small if len(small) <= SHORT else None)


def jaccard(one: Sketch, two: Sketch) -> float:
    """How alike two texts are, 0 to 1; 0 where their numbers or denials differ, or a short one is not the same."""
    if one.telling != two.telling:
        return 0.0
    if one.short is not None or two.short is not None:
        return float(one.short == two.short)
    union = np.union1d(one.smallest, two.smallest)
    if not len(union):
        return 1.0  # nothing but what all rows have in common
    common = np.intersect1d(one.smallest, two.smallest, assume_unique=True)
    if not (one.full or two.full):
        return len(common) / len(union)
    known = union[:SKETCH]  # of the union only its smallest numbers are known for certain
    return float(np.count_nonzero(np.isin(common, known, assume_unique=True)) / len(known))
