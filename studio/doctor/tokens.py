"""Rows in the tokens of the chosen model: cut off at the chosen length, or training nothing at all."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np

from studio.batches.encode import Report, account, whole_rows
from studio.batches.tokenizer import ModelTokenizer
from studio.datasets.rows import Row
from studio.doctor.findings import Found, shown, whole
from studio.doctor.reading import Reading, learned
from studio.errors import StudioError
from studio.wording import count, number


class Tokens:
    """Encodes rows as the trainer does. They come as a stream of their own: the tokenizer takes hundreds at once.

    Args:
        cutoff: tokens after which a row is cut off.
        rows: how many the version has.

    Attributes:
        counts: of each of them how many tokens it has, -1 where it was not counted.
    """

    def __init__(self, tokenizer: ModelTokenizer, cutoff: int, rows: int) -> None:
        self.tokenizer = tokenizer
        self.cutoff = cutoff
        self.cut, self.nothing = Found("cut"), Found("nothing")
        self.lost = 0
        self.counts = np.full(rows, -1, np.int32)

    def look_at(self, readings: Iterable[Reading]) -> Iterator[None]:
        """Looks at all of them; gives a sign after each.

        Raises:
            BadInput: the model has no chat template.
        """
        waiting: deque[Reading] = deque()

        def rows() -> Iterator[Row]:
            for reading in readings:
                if learned(reading):
                    waiting.append(reading)
                    yield reading.row

        for row, found in whole_rows(self.tokenizer, rows(), "all"):
            reading = waiting.popleft()
            if not isinstance(found, StudioError):
                self.counts[reading.number] = len(found[0])
            report = Report()
            account(row.row_id, row.kind, found, report, self.cutoff)
            if report.nothing:
                why = next(iter(report.reasons.values()))
                self.nothing.add(reading.number, pieces=[shown("Why", why), *whole(reading)])
            elif report.cut_tokens and row.kind != "text":
                self.lost += report.cut_tokens
                words = f"{count(report.cut_tokens, 'token')} beyond {number(self.cutoff)} are cut off."
                self.cut.add(reading.number, pieces=[shown("Why", words), *whole(reading)])
            yield

    def found(self) -> Iterable[Found]:
        if len(self.cut):
            lost, after = count(self.lost, "token"), number(self.cutoff)
            words = f"{count(len(self.cut), 'row')} longer than {after} tokens; {lost} at the ends are never seen."
            self.cut.facts = {"words": words}
        return [found for found in (self.nothing, self.cut) if len(found)]
