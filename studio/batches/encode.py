"""Rows as token ids with labels, truncated, many at a time; and the account of what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding

from studio.batches.labels import Answers, LossOn
from studio.batches.template import Span
from studio.batches.tokenizer import ModelTokenizer
from studio.errors import Refused, StudioError

if TYPE_CHECKING:
    from studio.datasets.rows import Row

IGNORED = -100  # the label that the loss of PyTorch passes over
BATCH = 256
NAMED = 1000

Ids = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Encoded:
    """One row as the model is fed it.

    Attributes:
        row_id: the row's id; the pieces of a long text share it.
        ids: int32[n].
        labels: int32[n], the id itself where it is learned, else -100.
        cut: how many tokens were cut off at the end.
        special: bool[n], which ids are special tokens.
    """

    row_id: str
    ids: Ids
    labels: Ids
    cut: int
    special: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def trained(self) -> int:
        """How many tokens are learned; a row's first token is never predicted, so it does not count."""
        return int(np.count_nonzero(self.labels[1:] != IGNORED))


# A row before anything is cut off and how many of its answers stay unclosed; or why it can't be encoded.
Whole = tuple[Encoded, int] | StudioError


@dataclass
class Report:
    """What became of a set of rows.

    Attributes:
        rows: rows seen.
        sequences: what they became; more than rows when long texts were split, less when rows train nothing.
        tokens, trained_tokens: tokens fed, and those learned.
        cut_rows, cut_tokens: rows cut at the end, and tokens lost by it.
        open_answers: answers that the template closes with no token, so that the model can't learn to stop.
        nothing: rows that train nothing; they are left out.
        reasons: the first thousand of them as row id: why.
        longest: tokens of the longest sequence.
    """

    rows: int = 0
    sequences: int = 0
    tokens: int = 0
    trained_tokens: int = 0
    cut_rows: int = 0
    cut_tokens: int = 0
    open_answers: int = 0
    nothing: int = 0
    reasons: dict[str, str] = field(default_factory=dict)
    longest: int = 0

    def left_out(self, row_id: str, why: str) -> None:
        self.nothing += 1
        if len(self.reasons) < NAMED:
            self.reasons[row_id] = why

    def fed(self, encoded: Encoded) -> None:
        self.sequences += 1
        self.tokens += len(encoded)
        self.trained_tokens += encoded.trained
        self.longest = max(self.longest, len(encoded))

    def check(self) -> None:
        """Raises Refused when there is nothing to learn in the whole set."""
        if self.trained_tokens:
            return
        if not self.rows:
            raise Refused(
                "There is nothing to train on.", "The set has no rows.", "Choose a dataset with training rows."
            )
        row_id, why = next(iter(self.reasons.items()))
        raise Refused(
            "There is nothing to learn in these rows.",
            f"None of the {self.rows} rows has an answer that the model would see. Row {row_id}: {why}",
            "Raise the cut-off (`--cutoff`) if answers are cut off, or look at the rows' answers and the template.",
        )


def encode_rows(
    tokenizer: ModelTokenizer, rows: Iterable[Row], *, loss_on: LossOn = "all", cutoff: int
) -> tuple[list[Encoded], Report]:
    """Every row that trains something, in order, and the account of all.

    Raises:
        Refused: all of them train nothing.
        BadInput: there are conversations and the model has no chat template.
    """
    report = Report()
    encoded = list(encode_stream(tokenizer, rows, report, loss_on=loss_on, cutoff=cutoff))
    report.check()
    return encoded, report


def encode_stream(
    tokenizer: ModelTokenizer, rows: Iterable[Row], report: Report, *, loss_on: LossOn = "all", cutoff: int
) -> Iterator[Encoded]:
    """The same row by row, holding only a few hundred in memory; `report` grows as they come."""
    for row, found in whole_rows(tokenizer, rows, loss_on):
        yield from account(row.row_id, row.kind, found, report, cutoff)


def whole_rows(tokenizer: ModelTokenizer, rows: Iterable[Row], loss_on: LossOn) -> Iterator[tuple[Row, Whole]]:
    """Each row before anything is cut off, holding only a few hundred in memory."""
    source = iter(rows)
    while batch := list(islice(source, BATCH)):
        yield from zip(batch, _encode_batch(tokenizer, batch, loss_on), strict=True)


def account(row_id: str, kind: str, found: Whole, report: Report, cutoff: int) -> list[Encoded]:
    """What is fed of one whole row at a cut-off, entered into `report`; nothing when it trains nothing."""
    report.rows += 1
    if isinstance(found, StudioError):
        report.left_out(row_id, f"{found.what} {found.why}".strip())
        return []
    whole, unclosed = found
    pieces = _pieces(whole, cutoff) if kind == "text" else [_cut(whole, cutoff)]
    report.cut_rows += pieces[0].cut > 0
    report.cut_tokens += pieces[0].cut
    kept = [piece for piece in pieces if piece.trained]
    if not kept:
        report.left_out(row_id, _why_nothing(whole, cutoff))
        return []
    report.open_answers += unclosed
    for piece in kept:
        report.fed(piece)
    return kept


def encode_row(tokenizer: ModelTokenizer, row: Row, *, loss_on: LossOn = "all", cutoff: int) -> Encoded:
    """One row as it is trained on. A text comes whole here; `encode_rows` splits it at the cut-off.

    Raises:
        StudioError: the row can't be encoded; the reason is in it.
    """
    whole = whole_row(tokenizer, row, loss_on)
    return whole if row.kind == "text" else _cut(whole, cutoff)


def whole_row(tokenizer: ModelTokenizer, row: Row, loss_on: LossOn) -> Encoded:
    """One row before anything is cut off."""
    found = _encode_batch(tokenizer, [row], loss_on)[0]
    if isinstance(found, StudioError):
        raise found
    return found[0]


def _encode_batch(tokenizer: ModelTokenizer, rows: list[Row], loss_on: LossOn) -> list[Whole]:
    """Each row whole, with its number of unclosed answers; or why it can't be encoded."""
    found: dict[int, Whole] = {}
    answers: dict[int, Answers] = {}
    texts = [at for at, row in enumerate(rows) if row.kind == "text"]
    for at, row in enumerate(rows):
        if row.kind == "text":
            continue
        finder = tokenizer.answers(bool(row.tools))
        try:
            answers[at] = finder.find(row.conversation(), row.tools or None, loss_on)
        except StudioError as error:
            found[at] = error
    encodings = tokenizer.encode_batch([answer.text for answer in answers.values()])
    for (at, answer), encoding in zip(answers.items(), encodings, strict=True):
        found[at] = _conversation(tokenizer, rows[at].row_id, encoding, answer.spans), answer.open
    encodings = tokenizer.encode_batch([rows[at].text or "" for at in texts], add_special_tokens=True)
    for at, encoding in zip(texts, encodings, strict=True):
        found[at] = _text(tokenizer, rows[at].row_id, encoding), 0
    return [found[at] for at in range(len(rows))]


def _conversation(tokenizer: ModelTokenizer, row_id: str, encoding: Encoding, spans: list[Span]) -> Encoded:
    ids = np.array(encoding.ids, np.int32)
    labels = np.full(len(ids), IGNORED, np.int32)
    if len(ids):
        starts, ends = np.array(encoding.offsets, np.int32).T
        for start, end in spans:
            touching = np.flatnonzero((starts < end) & (ends > start))
            if len(touching):
                # All between the first and the last: a token that stands for no character of its own belongs to it.
                learned = slice(touching[0], touching[-1] + 1)
                labels[learned] = ids[learned]
    return Encoded(row_id, ids, labels, 0, tokenizer.special_ids[ids])


def _text(tokenizer: ModelTokenizer, row_id: str, encoding: Encoding) -> Encoded:
    numbers = list(encoding.ids)
    if tokenizer.eos_id is not None and numbers and numbers[-1] != tokenizer.eos_id:
        numbers.append(tokenizer.eos_id)
    ids = np.array(numbers, np.int32)
    return Encoded(row_id, ids, ids.copy(), 0, tokenizer.special_ids[ids])


def _cut(row: Encoded, cutoff: int) -> Encoded:
    if len(row) <= cutoff:
        return row
    return replace(
        row, ids=row.ids[:cutoff], labels=row.labels[:cutoff], cut=len(row) - cutoff, special=row.special[:cutoff]
    )


def _pieces(row: Encoded, cutoff: int) -> list[Encoded]:
    """A text split at the cut-off, so that nothing of it is lost."""
    if len(row) <= cutoff:
        return [row]
    return [
        replace(row, ids=row.ids[part], labels=row.labels[part], special=row.special[part])
        for part in (slice(start, start + cutoff) for start in range(0, len(row), cutoff))
    ]


def _why_nothing(whole: Encoded, cutoff: int) -> str:
    if whole.trained:
        first = int(np.flatnonzero(whole.labels != IGNORED)[0])
        return f"Its answer begins at token {first + 1}, beyond the cut-off of {cutoff}."
    return "It has no answer to learn from."
