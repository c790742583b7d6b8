"""Where the words of a search stand: found through the index, or by reading the whole version where there is none."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from studio.datasets.browsing.columns import TALKS
from studio.datasets.browsing.fulltext import FullText, Numbers, asked, fold
from studio.datasets.browsing.index import Index, stamp
from studio.datasets.rows import compact
from studio.kept import Kept

if TYPE_CHECKING:
    from studio.datasets.store import Dataset

# What the JSON of turns is made of: only a search for a piece of it has to tell what is said from how it is written.
FRAME = (
    "role content user assistant system tool tool_calls tool_call_id function name arguments type id reasoning_content"
)
ROW_ID = re.compile(r"k?[0-9a-f]{20}(-\d+)?")
KEPT: Kept[Hits] = Kept(8)


class Hits:
    """Rows that may hold the words, in the file's order; which of them do is looked up only where it is wanted.

    Args:
        numbers: the candidates, ascending.
        look: tells of some of them whether they hold the words; None when all do.
    """

    def __init__(self, numbers: Numbers, look: Callable[[Numbers], npt.NDArray[np.bool_]] | None = None) -> None:
        self.numbers = numbers
        self.look = look
        # 1 holds the words, -1 does not, 0 not looked at; the one more at the end stands for rows known otherwise.
        self.known: npt.NDArray[np.int8] = np.full(len(numbers) + 1, 0 if look else 1, np.int8)
        self.known[-1] = 1
        self.lock = threading.Lock()

    def settle(self, places: Numbers) -> None:
        """Looks at the candidates in these places that nobody looked at yet."""
        if self.look is None:
            return
        with self.lock:
            unknown = np.sort(places[self.known[places] == 0])
            self.known[unknown] = np.where(self.look(self.numbers[unknown]), 1, -1)


def hits(dataset: Dataset, version: int, words: str) -> Hits:
    """Where those very words stand in a version, in any case; or the row whose id they are."""
    words = asked(words)
    index = Index(dataset, version)
    text = index.fulltext()
    key = (stamp(dataset, version), str(index.folder), text is not None, words)
    return KEPT.get(key, lambda: _indexed(dataset, version, words, text) if text else _scanned(dataset, version, words))


def _indexed(dataset: Dataset, version: int, words: str, text: FullText) -> Hits:
    folded = fold(words)
    numbers, sure = text.candidates(folded)
    if ROW_ID.fullmatch(words):
        named = list(dataset.numbers(version, [words]).values())
        return Hits(np.union1d(numbers[text.holds(numbers, folded)], np.array(named, np.int64)))
    return Hits(numbers, None if sure else lambda some: text.holds(some, folded))


def _scanned(dataset: Dataset, version: int, words: str) -> Hits:
    """Without an index: the whole file is read, a second for a million rows of a kilobyte."""
    test, values = _test(words)
    found = dataset.query(f"SELECT list(file_row_number) FROM {{}} WHERE {test}", version, values)[0][0]
    return Hits(np.sort(np.array(found or [], np.int64)))


def _test(words: str) -> tuple[str, list[Any]]:
    """A condition on rows, with its values."""
    some = ["row_id = ?", "regexp_matches(text, ?)", "regexp_matches(label, ?)"]
    values: list[Any] = [words, _pattern(words), _pattern(words)]
    for column in TALKS:  # as JSON, which is quick; where its frame could match, then in what the turns say
        test = f"regexp_matches({column}, ?)"
        values.append(_pattern(compact(words)[1:-1]))
        if words.lower() in FRAME or re.search(r"[^\w\s.?!;\'’%-]", words):
            said = f"array_to_string(json_extract_string({column}, '$[*].content'), chr(10))"
            test = f"({test} AND regexp_matches({said}, ?))"
            values.append(_pattern(words))
        some.append(test)
    return f"({' OR '.join(some)})", values


def _pattern(words: str) -> str:
    """A regular expression for these very words in any case: quicker than comparing in lower case."""
    return "(?is)" + re.sub(r"[!-/:-@\[-`{-~]", r"\\\g<0>", words)
