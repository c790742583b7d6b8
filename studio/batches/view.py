"""A row in the pieces the model reads it in, each with what becomes of it: what the page shows is what is trained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from studio.batches.encode import IGNORED, whole_row
from studio.batches.labels import LossOn
from studio.batches.tokenizer import ModelTokenizer

if TYPE_CHECKING:
    from studio.datasets.rows import Row

Kind = Literal["trained", "context", "special", "cut"]
KINDS: tuple[Kind, ...] = ("context", "special", "trained", "cut")
# What a decoder writes for bytes that are no whole character yet.
INCOMPLETE = "\ufffd"
# Tokens decoded before a piece, because some decoders treat the first token of a text differently.
CONTEXT = 4


def token_view(tokenizer: ModelTokenizer, row: Row, *, loss_on: LossOn = "all", cutoff: int) -> list[tuple[str, Kind]]:
    """The row's tokens as text with their kinds; joined they are the decoded row.

    `trained` tokens are learned (the end token too), `special` ones are read and not learned, `cut` ones lie beyond
    the cut-off (of a text, they go on in further pieces and are shown as trained), the rest is `context`. Tokens that
    share a character make one piece, of the kind of its last token.

    Raises:
        StudioError: the row can't be encoded; the reason is in it.
    """
    whole = whole_row(tokenizer, row, loss_on)
    kinds = np.where(whole.labels != IGNORED, 2, np.where(whole.special, 1, 0))
    if row.kind != "text":
        kinds[cutoff:] = 3
    return [(text, KINDS[int(kinds[last])]) for text, last in pieces(tokenizer, whole.ids)]


def pieces(tokenizer: ModelTokenizer, ids: npt.NDArray[np.int32]) -> Iterator[tuple[str, int]]:
    """The text of each token, and its place; tokens that make one character only together come as one."""
    start = 0
    for at in range(len(ids)):
        before = [int(number) for number in ids[max(0, start - CONTEXT) : start]]
        text = tokenizer.decode([*before, *(int(number) for number in ids[start : at + 1])], special=True)
        if text.endswith(INCOMPLETE) and at + 1 < len(ids):
            continue
        # Up to `start` all characters are whole, so what was decoded before stands in front unchanged.
        yield text[len(tokenizer.decode(before, special=True)) :], at
        start = at + 1
