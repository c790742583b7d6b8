"""Training as it is here: both settings, their share of the processor's peak, and what the row losses cost."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from backend.benchmarks import ours, peak
from backend.benchmarks.bench import Bench
from backend.benchmarks.contest import Contest
from backend.benchmarks.ours import Ran
from backend.training.report import WHOLE, RowLosses, merge_rows
from studio import runs
from studio.benchmarks import Bar, Result


def measure(bench: Bench) -> Result:
    """Fast and lean against each other, each beside the peak that was measured around it."""
    dataset = bench.dataset(bench.conversations())
    folders: dict[str, Path] = {}
    shares: dict[str, list[Share]] = {"fast": [], "lean": []}

    def train(memory: str) -> Ran:
        before = peak.peak(runs.settings_of(folders[memory])) if memory in folders else 0.0
        ran, folders[memory] = ours.train(bench, dataset, memory=memory)
        settings = runs.settings_of(folders[memory])  # the number format that was chosen stands in them now
        most = max(before, peak.peak(settings))
        shares[memory].append(Share(settings.dtype, most, peak.reached(bench, folders[memory])))
        return ran

    contest = Contest(bench, {"fast": lambda: train("fast"), "lean": lambda: train("lean")})
    lines = [line | _middle(shares[line["side"]]) for line in contest.lines()]
    logging = _logging_seconds(bench, folders["fast"]) / lines[0]["seconds"]
    return Result(
        lines,
        [
            Bar("share of the time that the losses of the rows take", logging, 0.02, at_most=True),
            Bar("lean: times the memory of fast", contest.ratio("memory", "lean", "fast"), 1.0, at_most=True),
        ],
        {"tokens": contest.tokens},
    )


@dataclass(frozen=True)
class Share:
    """What one run reached of the peak measured around it, in operations a second."""

    number_format: str
    peak: float
    reached: float


def _middle(shares: list[Share]) -> dict[str, float | str]:
    """Of the rounds the one with the middle share: its two speeds belong together."""
    middle = sorted(shares, key=lambda share: share.reached / share.peak)[len(shares) // 2]
    return {
        "number_format": middle.number_format,
        "peak_gflops": middle.peak / 1e9,
        "reached_gflops": middle.reached / 1e9,
        "share_of_the_peak": middle.reached / middle.peak,
    }


def _logging_seconds(bench: Bench, run: Path) -> float:
    """Seconds that collecting and writing all row losses of a run takes, done again with the same figures."""
    table = pq.read_table(run / WHOLE)
    ids, steps = table["row_id"].combine_chunks(), table["step"].to_numpy()
    means, tokens = table["loss"].to_numpy(), table["tokens"].to_numpy()
    folder = bench.folder("row-losses")
    updates = []
    for step in np.unique(steps):
        numbers = np.flatnonzero(steps == step)
        owners = np.repeat(np.arange(len(numbers)), tokens[numbers])
        updates.append((int(step), numbers.tolist(), owners, means[numbers][owners].astype(np.float32)))
    start = time.perf_counter()
    losses = RowLosses(folder, lambda taken: ids.take(pa.array(taken)), 0)
    for step, rows, owners, known in updates:
        losses.add(step, 1.0, rows, owners, known)
    losses.save(len(updates))
    merge_rows(folder)
    return time.perf_counter() - start
