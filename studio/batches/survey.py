"""Training rows as a model reads them: tokenised once, kept, and then accounted at any cut-off in milliseconds.

Preflight asks at every change of a setting; only data, model, template or what is learned from change the tokens.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
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
KEPT = 4  # surveys held at a time, each at most some megabytes: one byte a token

Key = tuple[object, ...]


@dataclass(frozen=True)
class Survey:
    """Rows spread evenly over a set.

    Attributes:
        rows: (row id, kind, the row before anything is cut off).
        scale: how many rows of the set one row here stands for.
        text: whether all of them are raw text.
    """

    rows: Sequence[tuple[str, str, Whole]]
    scale: float
    text: bool

    def report(self, cutoff: int) -> Report:
        """What becomes of these rows at a cut-off."""
        report = Report()
        for row_id, kind, found in self.rows:
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
    """Reads and tokenises the rows; of a set larger than `sample` every second, third … row."""
    tokenizer = kept_tokenizer(model, template)
    total = dataset.counts(version).get("train", 0)
    every = max(1, round(total / sample))
    rows: Iterator[Row] = islice(dataset.rows(version, split="train"), 0, None, every)
    kept = [(row.row_id, row.kind, _slim(found)) for row, found in whole_rows(tokenizer, rows, loss_on)]
    return Survey(kept, total / max(1, len(kept)), {kind for _, kind, _ in kept} == {"text"})


def _slim(found: Whole) -> Whole:
    """Only what an account needs: which tokens are learned, one byte each."""
    if isinstance(found, StudioError):
        return found
    whole, unclosed = found
    marks: Any = whole.labels.clip(IGNORED, 0).astype(np.int8)
    return replace(whole, ids=marks, labels=marks, special=np.broadcast_to(np.False_, len(marks))), unclosed
