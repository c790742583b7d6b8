"""How well an answer matches the expected one, per row: exact match and token F1, both from 0 to 1."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable

# Scripts written without spaces between words: there each character counts as a token, as MLQA does it for Chinese.
UNSPACED = re.compile(
    r"([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])"
)


def normalise(text: str) -> str:
    """`text` in Unicode's composed form (NFC), without outer white space, inner white space as single spaces.

    Case, punctuation and everything else stay: “Yes” and “yes” differ.
    """
    return " ".join(unicodedata.normalize("NFC", text).split())


def exact_match(expected: str, answer: str) -> float:
    """1.0 when both are the same after `normalise`, else 0.0."""
    return float(normalise(expected) == normalise(answer))


def tokens(text: str) -> list[str]:
    """The words that token F1 compares: lower case, without punctuation, split at white space.

    Unlike SQuAD's own script, articles stay, for they belong to one language only, and each character of a script
    without spaces is a word.
    """
    kept = "".join(char for char in unicodedata.normalize("NFC", text).lower() if not _punctuation(char))
    return UNSPACED.sub(r" \1 ", kept).split()


def _punctuation(char: str) -> bool:
    return char in string.punctuation or unicodedata.category(char).startswith("P")


def token_f1(expected: str, answer: str) -> float:
    """The harmonic mean of precision and recall over the words of both, counting repeats.

    As for SQuAD (Rajpurkar et al. 2016, section 6.1). Where either has no words (only punctuation, or nothing), it is
    the exact match.
    """
    wanted, given = Counter(tokens(expected)), Counter(tokens(answer))
    if not wanted or not given:
        return exact_match(expected, answer)
    shared = sum((wanted & given).values())
    return 2 * shared / (wanted.total() + given.total())


METRICS: dict[str, Callable[[str, str], float]] = {"exact_match": exact_match, "token_f1": token_f1}
