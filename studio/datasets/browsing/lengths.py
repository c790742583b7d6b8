"""How long the rows of a version are, in tokens of one model: what a histogram is drawn from."""

from __future__ import annotations

from dataclasses import dataclass

from studio.batches.encode import whole_rows
from studio.batches.tokenizer import ModelTokenizer
from studio.datasets.store import Dataset
from studio.errors import StudioError

SAMPLE = 1000


@dataclass(frozen=True)
class Lengths:
    """Tokens of each row that was looked at; `rows` how many the version has, `left_out` how many can't be encoded."""

    tokens: list[int]
    rows: int
    left_out: int


def lengths(dataset: Dataset, version: int, tokenizer: ModelTokenizer, most: int = SAMPLE) -> Lengths:
    """The lengths of at most so many rows, evenly spread: as they are trained on, before anything is cut off."""
    found = [whole for _, whole in whole_rows(tokenizer, dataset.sample(version, most), "all")]
    tokens = [len(whole[0]) for whole in found if not isinstance(whole, StudioError)]
    return Lengths(tokens, int(dataset.version_info(version)["rows"]), len(found) - len(tokens))
