"""Is the tuned model better than its base? A paired comparison over the same rows, with its uncertainty.

The interval is the percentile bootstrap of the mean difference (Efron & Tibshirani 1993, chapter 13), with rows
resampled in pairs (Koehn 2004, “Statistical significance tests for machine translation evaluation”).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

RESAMPLES = 10_000
LEVEL = 0.95
# Fewer rows than this say nothing about others, whatever their scores.
FEWEST_ROWS = 10
BLOCK = 1 << 22  # numbers drawn at a time: 32 MB


@dataclass(frozen=True)
class Comparison:
    """One metric of base and tuned over the same rows; means and their difference are in the metric's own unit."""

    rows: int
    base: float
    tuned: float
    difference: float
    low: float
    high: float
    better_rows: int
    worse_rows: int
    verdict: str  # better, worse or can't tell
    sentence: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def compare(base: Sequence[float], tuned: Sequence[float], seed: int = 0) -> Comparison:
    """The verdict on paired scores: `base[i]` and `tuned[i]` belong to row i. At least one row.

    “better” or “worse” when the 95 % interval of the mean difference leaves out zero and there are at least FEWEST_ROWS
    rows; else “can't tell”.
    """
    before, after = np.asarray(base, dtype=np.float64), np.asarray(tuned, dtype=np.float64)
    if before.shape != after.shape or before.ndim != 1 or before.size == 0:
        raise ValueError("base and tuned need one score for each row, and at least one row")
    differences = after - before
    low, high = interval(differences, seed)
    better, worse = int((differences > 0).sum()), int((differences < 0).sum())
    verdict, sentence = _judge(len(differences), better, worse, low, high)
    mean = float(differences.mean())
    return Comparison(
        len(differences), float(before.mean()), float(after.mean()), mean, low, high, better, worse, verdict, sentence
    )


def interval(differences: np.ndarray, seed: int = 0, resamples: int = RESAMPLES) -> tuple[float, float]:
    """The 95 % percentile interval of the mean of `differences` (float64[n], n > 0).

    A resample of n rows only matters by how often it took each value, so the counts are drawn (multinomial) instead of
    the rows. Where all differences are equal, its width is 0.
    """
    values, counts = np.unique(differences, return_counts=True)
    if len(values) == 1:
        return float(values[0]), float(values[0])
    draw = np.random.default_rng(seed)
    rows = len(differences)
    means = np.empty(resamples)
    block = max(1, BLOCK // len(values))
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        means[start : start + size] = draw.multinomial(rows, counts / rows, size) @ values / rows
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def no_interval(rows: int, low: float, high: float) -> str:
    """Why no interval is stated, or "" where one is: a few rows, or rows that all differ alike, show no uncertainty."""
    if rows < FEWEST_ROWS:
        return "Too few rows for an interval"
    return "No interval: the difference is the same on every row" if low == high else ""


def _judge(rows: int, better: int, worse: int, low: float, high: float) -> tuple[str, str]:
    if rows < FEWEST_ROWS:
        return "can't tell", (
            f"Better on {better} of {_rows(rows)}, worse on {worse}; "
            f"fewer than {FEWEST_ROWS} rows are too few to tell from."
        )
    if better + worse == 0:
        return "can't tell", f"Base and tuned scored the same on each of {_rows(rows)}."
    if low > 0:
        more = "" if better > worse else ", though by less each"
        return "better", f"Better on {better} of {_rows(rows)}, worse on {worse}{more}; unlikely to be chance."
    if high < 0:
        more = "" if worse > better else ", though by less each"
        return "worse", f"Worse on {worse} of {_rows(rows)}, better on {better}{more}; unlikely to be chance."
    return "can't tell", f"Better on {better} of {_rows(rows)}, worse on {worse}; this may well be chance."


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"
