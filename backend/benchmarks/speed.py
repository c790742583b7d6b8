"""Training as it is here: both settings, their share of the processor's peak, and what the row losses cost."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from backend.benchmarks import ours
from backend.benchmarks.bench import Bench
from backend.benchmarks.contest import Contest
from backend.benchmarks.ours import Ran
from backend.training import calibrate
from backend.training.report import WHOLE, RowLosses, merge_rows
from studio import runs
from studio.benchmarks import Bar, Result
from studio.estimate import Shape, operations
from studio.files import read_json


def measure(bench: Bench) -> Result:
    """Fast and lean against each other, and their parts."""
    dataset = bench.dataset(bench.conversations())
    folders: dict[str, Path] = {}

    def train(memory: str) -> Ran:
        ran, folders[memory] = ours.train(bench, dataset, memory=memory)
        return ran

    contest = Contest(bench, {"fast": lambda: train("fast"), "lean": lambda: train("lean")})
    facts: dict[str, float | str] = {"tokens": contest.tokens}
    lines = contest.lines()
    if not torch.cuda.is_available():
        facts |= _peak(bench, folders["fast"], lines[0]["tokens_per_second"])
    logging = _logging_seconds(bench, folders["fast"]) / lines[0]["seconds"]
    return Result(
        lines,
        [
            Bar("share of the time that the losses of the rows take", logging, 0.02, at_most=True),
            Bar("lean: times the memory of fast", contest.ratio("peak", "lean", "fast"), 1.0, at_most=True),
        ],
        facts,
    )


def _peak(bench: Bench, run: Path, pace: float) -> dict[str, float | str]:
    """The products that training makes in a second, against those that this CPU makes when it makes nothing else."""
    settings = runs.settings_of(run)
    torch.set_num_threads(settings.threads or 1)
    peak = calibrate.measure().speed(settings.dtype)
    losses = pq.read_table(run / WHOLE)
    share = pa.compute.sum(losses["tokens"]).as_py() / max(1.0, _tokens(run))
    shape = Shape.read(read_json(bench.model.path / "config.json"), bench.model.parameters)
    reached = pace * operations(settings, shape, share)
    return {
        "number_format": settings.dtype,
        "peak_gflops": peak / 1e9,
        "reached_gflops": reached / 1e9,
        "share_of_the_peak": reached / peak,
    }


def _tokens(run: Path) -> float:
    from studio import events

    result = events.read_state(run).result
    return float(result["train_seconds"] * result["tokens_per_second"])


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
