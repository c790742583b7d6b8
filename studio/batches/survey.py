"""Training rows as a model reads them: tokenised once, kept, and then accounted at any cut-off in milliseconds.

Preflight asks at every change of a setting; only data, model, template or what is learned from change the tokens.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.batches.encode import IGNORED, Report, Whole, account, whole_rows
from studio.batches.kept_tokenizers import kept_tokenizer, stamp, tokenizer_stamp
from studio.batches.labels import LossOn
from studio.errors import StudioError

if TYPE_CHECKING:
    from studio.datasets.rows import Row
    from studio.datasets.store import Dataset

SAMPLE = 4000
# Of a larger set so many rows of the longest text are looked at besides, as far as this many bytes go.
LONGEST = 512
LONGEST_BYTES = 16 << 20
# The text a row is made of, in bytes of UTF-8, which bound its tokens closer than characters do.
TEXT = " + ".join(f"coalesce(strlen({name}), 0)" for name in ("messages", "tools", "chosen", "label", "text"))
KEPT = 4  # surveys held at a time, each at most some megabytes: one byte a token

Key = tuple[object, ...]
Surveyed = tuple[str, str, Whole]


@dataclass(frozen=True)
class Survey:
    """Rows spread evenly over a set.

    Attributes:
        rows: (row id, kind, the row before anything is cut off).
        scale: how many rows of the set one row here stands for.
        text: whether all of them are raw text.
        longest: rows of the longest text besides, where a row here stands for several.
    """

    rows: Sequence[Surveyed]
    scale: float
    text: bool
    longest: Sequence[Surveyed] = ()

    @property
    def looked_at(self) -> int:
        return len(self.rows) + len(self.longest)

    def report(self, cutoff: int) -> Report:
        """What becomes of these rows at a cut-off; `longest` is that of all that were looked at."""
        report = _report(self.rows, cutoff)
        report.longest = max(report.longest, _report(self.longest, cutoff).longest)
        return report

    def cut_rows(self, cutoff: int) -> int:
        """How many rows of the set lose their ends at a cut-off, as far as it is known."""
        spread = _report(self.rows, cutoff).cut_rows
        return max(round(spread * self.scale), spread + _report(self.longest, cutoff).cut_rows)


def _report(rows: Sequence[Surveyed], cutoff: int) -> Report:
    report = Report()
    for row_id, kind, found in rows:
        account(row_id, kind, found, report, cutoff)
    return report


class Surveys:
    """The latest ones; a file that changed on the disk is read again."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept: OrderedDict[Key, Survey] = OrderedDict()
        self._most = kept
        self._lock = threading.Lock()

    def of(
        self, dataset: Dataset, version: int, model: Path, template: str | None, loss_on: LossOn, sample: int = SAMPLE
    ) -> Survey:
        """The survey of a version's training rows with a model's tokenizer.

        Raises:
            StudioError: the rows or the tokenizer can't be read, or the model has no chat template for them.
        """
        key = (stamp(dataset.path(version)), tokenizer_stamp(model), template, loss_on, sample)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = survey(dataset, version, model, template, loss_on, sample)
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key]


def survey(
    dataset: Dataset, version: int, model: Path, template: str | None, loss_on: LossOn, sample: int = SAMPLE
) -> Survey:
    """Reads and tokenises the rows; of a set larger than `sample` every second, third … row, and the longest."""
    tokenizer = kept_tokenizer(model, template)
    total = dataset.counts(version).get("train", 0)
    spread, longest = (
        [(row.row_id, row.kind, _slim(found)) for row, found in whole_rows(tokenizer, rows, loss_on)]
        for rows in looked_at(dataset, version, total, sample)
    )
    return Survey(spread, total / max(1, len(spread)), {kind for _, kind, _ in spread} == {"text"}, longest)


def looked_at(dataset: Dataset, version: int, total: int, sample: int = SAMPLE) -> tuple[Iterator[Row], Iterator[Row]]:
    """The training rows that all are judged by: every so many-th, and of the others those of the longest text.

    Args:
        total: how many there are.
        sample: how many are enough; of a set no larger the second part is empty.
    """
    every = max(1, round(total / sample))
    spread = islice(dataset.rows(version, split="train"), 0, None, every)
    return spread, iter(()) if every == 1 else _longest(dataset, version, every)


def _longest(dataset: Dataset, version: int, every: int) -> Iterator[Row]:
    found = dataset.query(
        f"""SELECT number, size FROM (
                SELECT file_row_number AS number, {TEXT} AS size,
                    row_number() OVER (ORDER BY file_row_number) - 1 AS place
                FROM {{}} WHERE split = 'train'
            ) WHERE place % ? != 0 ORDER BY size DESC, number LIMIT ?""",
        version,
        [every, LONGEST],
    )
    sizes = accumulate(size for _, size in found)
    numbers = [number for (number, _), size in zip(found, sizes, strict=True) if size <= LONGEST_BYTES]
    yield from dataset.at(version, numbers or [number for number, _ in found[:1]])


def _slim(found: Whole) -> Whole:
    """Only what an account needs: which tokens are learned, one byte each."""
    if isinstance(found, StudioError):
        return found
    whole, unclosed = found
    marks: Any = whole.labels.clip(IGNORED, 0).astype(np.int8)
    return replace(whole, ids=marks, labels=marks, special=np.broadcast_to(np.False_, len(marks))), unclosed
