"""How long the rows of a version are, in tokens of one model: what a histogram is drawn from and rows are sorted by.

Where all rows were counted, as the doctor does and a look at a small version, the lengths are kept beside the version:

    datasets/NAME/index/0001/tokens/MODEL.npz    int32 a row, -1 where one can't be counted; the version's stamp
"""

from __future__ import annotations

import zipfile
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from studio.batches.encode import whole_rows
from studio.batches.tokenizer import ModelTokenizer
from studio.datasets.browsing.index import Index, stamp
from studio.datasets.store import Dataset
from studio.errors import StudioError
from studio.files import whole_file
from studio.kept import Kept

SAMPLE = 1000
TOKENS = "tokens"
KEPT: Kept[Any] = Kept(4)
Counts = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Lengths:
    """Tokens of each row that was looked at; `rows` how many the version has, `left_out` how many can't be encoded, and
    the id of the first of those and why."""

    tokens: list[int]
    rows: int
    left_out: int
    first_left_out: tuple[str, str] | None = None


def lengths(
    dataset: Dataset, version: int, tokenizer: ModelTokenizer, most: int = SAMPLE, model: str | None = None
) -> Lengths:
    """The lengths of at most so many rows, evenly spread: as they are trained on, before anything is cut off.

    Args:
        model: under whose name to keep them, where these are all rows.
    """
    found = [(row.row_id, whole) for row, whole in whole_rows(tokenizer, dataset.sample(version, most), "all")]
    counted = [-1 if isinstance(whole, StudioError) else len(whole[0]) for _, whole in found]
    errors = ((row, f"{whole.what} {whole.why}".strip()) for row, whole in found if isinstance(whole, StudioError))
    tokens = [length for length in counted if length >= 0]
    rows = int(dataset.version_info(version)["rows"])
    if model and len(found) == rows:
        keep(dataset, version, model, np.array(counted, np.int32))
    return Lengths(tokens, rows, len(found) - len(tokens), next(errors, None))


def count(
    dataset: Dataset, version: int, tokenizer: ModelTokenizer, model: str, progress: Callable[[int], None]
) -> None:
    """Counts every row, holding only some hundreds of them in memory, and keeps what came of it.

    Args:
        progress: called with the rows done.
    """
    counts = array("i")
    for _, whole in whole_rows(tokenizer, dataset.rows(version), "all"):
        counts.append(-1 if isinstance(whole, StudioError) else len(whole[0]))
        progress(len(counts))
    keep(dataset, version, model, np.array(counts, np.int32))


def keep(dataset: Dataset, version: int, model: str, counts: Counts) -> None:
    """Keeps how many tokens of a model each row has."""
    with whole_file(_folder(dataset, version) / f"{model}.npz") as partial, open(partial, "wb") as file:
        np.savez(file, counts=counts, stamp=np.array(stamp(dataset, version)))


def counted(dataset: Dataset, version: int) -> list[str]:
    """The models in whose tokens every row of a version was counted."""
    names = sorted(path.stem for path in _folder(dataset, version).glob("[!.]*.npz"))
    return [name for name in names if counts_of(dataset, version, name) is not None]


def counts_of(dataset: Dataset, version: int, model: str) -> Counts | None:
    """How many tokens each row has; None where they were not counted for this very version, or can't be read."""
    path = next((path for path in _folder(dataset, version).glob("[!.]*.npz") if path.stem == model), None)
    try:
        found = KEPT.get((str(path), path.stat().st_mtime_ns), lambda: _read(path)) if path else None
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
    if found is None or found[1] != stamp(dataset, version):
        return None
    counts: Counts = found[0]
    return counts


def _read(path: Path) -> tuple[Counts, str]:
    with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
        return arrays["counts"], str(arrays["stamp"])


def _folder(dataset: Dataset, version: int) -> Path:
    return Index(dataset, version).folder / TOKENS
