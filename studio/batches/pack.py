"""Several rows as one line of tokens without padding, for one forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from studio.batches.encode import IGNORED, Encoded

Line = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Packed:
    """One forward pass of T tokens.

    Attributes:
        input_ids: int64[1, T], the rows one after another.
        position_ids: int64[1, T], from 0 again in every row: by this attention keeps the rows apart.
        labels: int64[1, T], not shifted: the token that stands at a place where it is learned, else -100. The first
            token of every row is -100, as nothing before it belongs to it.
        rows: the row ids, in order.
        segments: int32[T], which of `rows` a token belongs to.
    """

    input_ids: Line
    position_ids: Line
    labels: Line
    rows: list[str]
    segments: npt.NDArray[np.int32]


def pack(encoded: Sequence[Encoded]) -> Packed:
    """The rows in one line, in the order given; at least one row, each with at least one token."""
    lengths = [len(row) for row in encoded]
    starts = np.cumsum([0, *lengths[:-1]])
    labels = np.concatenate([row.labels for row in encoded], dtype=np.int64)
    labels[starts] = IGNORED
    return Packed(
        input_ids=np.concatenate([row.ids for row in encoded], dtype=np.int64)[None],
        position_ids=np.concatenate([np.arange(length, dtype=np.int64) for length in lengths])[None],
        labels=labels[None],
        rows=[row.row_id for row in encoded],
        segments=np.repeat(np.arange(len(lengths), dtype=np.int32), lengths),
    )
