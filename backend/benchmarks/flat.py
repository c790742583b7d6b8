"""Whether a token costs the same in a large set as in a small one, and late in a run as early.

The model's part is the same by its nature, so what is timed is everything around it: finding the rows of an update,
packing them, and writing the logs.
"""

from __future__ import annotations

import time
from pathlib import Path

import datasets
import numpy as np
from datasets.arrow_writer import ArrowWriter

from backend.benchmarks.bench import Bench
from backend.training.prepare import FEATURES, Rows, Updates
from backend.training.ranks import Ranks
from backend.training.report import Figures, Meter, RowLosses
from studio.batches.encode import Encoded, Report, encode_rows
from studio.batches.plan import Plan
from studio.batches.tokenizer import load_tokenizer
from studio.benchmarks import Bar, Result
from studio.datasets.store import Dataset
from studio.logs import Log

FEW, MANY = 100, 100_000
EARLY, LATE = 10, 10_000
LOOKS = 200
BATCH, TOKENS = 8, 1024


def measure(bench: Bench) -> Result:
    """Microseconds a token around the model, and how they grow."""
    dataset = Dataset.open(bench.scratch, bench.dataset(bench.conversations()))
    rows = list(dataset.rows(dataset.latest, "train"))
    encoded, _ = encode_rows(load_tokenizer(bench.model.path), rows, loss_on="all", cutoff=512)
    sets = {count: _rows(bench.folder("rows"), encoded, count) for count in (FEW, MANY)}
    costs = {count: min(_updates(sets[count]) for _ in range(bench.settings.rounds)) for count in (FEW, MANY, FEW)}
    logs = _logs(bench, encoded)
    return Result(
        [
            *({"side": f"{count:,} rows", "microseconds_per_token": cost * 1e6} for count, cost in costs.items()),
            *({"side": f"step {step:,}", "microseconds_per_token": cost * 1e6} for step, cost in logs.items()),
        ],
        [
            Bar(f"times the cost of a token among {MANY:,} rows", costs[MANY] / costs[FEW], 1.5, at_most=True),
            Bar(f"times the cost of its logs at step {LATE:,}", logs[LATE] / logs[EARLY], 1.5, at_most=True),
        ],
    )


def _rows(folder: Path, encoded: list[Encoded], count: int) -> Rows:
    """So many rows in a file as a run keeps them."""
    with ArrowWriter(path=str(folder / "train.arrow"), features=FEATURES) as writer:
        for number in range(count):
            row = encoded[number % len(encoded)]
            writer.write(
                {"row_id": str(number), "ids": row.ids, "labels": row.labels, "cut": 0, "special": row.special}
            )
        writer.finalize()
    return Rows(datasets.Dataset.from_file(str(folder / "train.arrow")), Report())


def _updates(rows: Rows) -> float:
    """Processor seconds a token of making updates from all over an epoch."""
    plan = Plan(rows.lengths, BATCH, TOKENS, epochs=1.0, seed=1)
    updates = Updates(rows, plan, Ranks())
    steps = np.linspace(0, len(plan) - 2, LOOKS).astype(int).tolist()
    updates[0]  # the order of an epoch is made once
    start, tokens = time.process_time(), 0
    for step in steps:
        tokens += updates[step].tokens
    return (time.process_time() - start) / tokens


def _logs(bench: Bench, encoded: list[Encoded]) -> dict[int, float]:
    """Processor seconds a token of the lines and row losses of one update, around an early and a late step."""
    folder = bench.folder("logs")
    losses = RowLosses(folder, lambda numbers: np.array(numbers, dtype=str), 0)
    taken = np.zeros(LATE + LOOKS + 1)
    owners = np.repeat(np.arange(BATCH), TOKENS // BATCH)
    known = np.ones(len(owners), np.float32)
    with Log(folder / "metrics.jsonl") as log:
        meter = Meter(log, Figures())
        for step in range(1, LATE + LOOKS + 1):
            start = time.process_time()
            meter.step(step, 1.0, TOKENS, TOKENS, learning_rate=1e-4, grad_norm=1.0, rows=BATCH)
            losses.add(step, 1.0, list(range(BATCH)), owners, known)
            taken[step] = time.process_time() - start
            if step % 1000 == 0:
                losses.save(step)
    return {step: float(np.median(taken[step : step + LOOKS])) / TOKENS for step in (EARLY, LATE)}
