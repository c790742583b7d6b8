"""What a run leaves to be read: its figures, and the loss of every row at every update.

Per-row losses are kept in parts, one for each resume point, so that a resumed run has each update once:

    rows/000000-000050.parquet   updates 1 to 50, written with the resume point of step 50
    rows.parquet                 all of them, at the end
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from studio.files import whole_file
from studio.logs import Log
from studio.machine import Readings, peak_memory

GB = 1e9
PARTS = "rows"
WHOLE = "rows.parquet"
SCHEMA = pa.schema(
    [
        ("step", pa.int32()),
        ("epoch", pa.float32()),
        ("row_id", pa.string()),
        ("loss", pa.float32()),
        ("tokens", pa.int32()),
    ]
)


@dataclass
class Figures:
    """What is summed up over a run, its interruptions included. Seconds are those of the loop without its checks."""

    step: int = 0
    seconds: float = 0.0
    tokens: int = 0
    trained_tokens: int = 0
    loss_sum: float = 0.0
    peak_memory: int = 0
    checks: list[tuple[int, float]] = field(default_factory=list)

    @classmethod
    def of(cls, data: dict[str, Any]) -> Figures:
        return cls(**data | {"checks": [(int(step), float(loss)) for step, loss in data["checks"]]})

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def start(self) -> float | None:
        """The validation loss before the first update."""
        return next((loss for step, loss in self.checks if step == 0), None)

    @property
    def best(self) -> tuple[int, float] | None:
        """Step and validation loss of the best check; before the first update nothing is learned, so it can't win."""
        return min(((step, loss) for step, loss in self.checks if step), key=lambda check: check[1], default=None)

    def checks_since_best(self) -> int:
        """How many checks have passed without a lower loss than any before, the one before the first update counted."""
        steps = [step for step, _ in self.checks]
        best = min(self.checks, key=lambda check: check[1], default=None)
        return len(steps) - 1 - steps.index(best[0]) if best else 0

    def note_peak(self) -> None:
        self.peak_memory = max(self.peak_memory, peak_memory())

    def result(self, kept: int) -> dict[str, Any]:
        """The fields of the `finished` event, when the weights of step `kept` are the result."""
        loss = dict(self.checks).get(kept)
        return {
            "steps": self.step,
            "train_seconds": round(self.seconds, 3),
            "tokens_per_second": round(self.tokens / self.seconds, 1) if self.seconds else 0.0,
            "peak_memory_gb": round(self.peak_memory / GB, 3),
            "train_loss": self.loss_sum / self.step if self.step else None,
            "best_step": kept,
            "validation_loss": loss,
        }


class Meter:
    """Writes one line of metrics.jsonl for each update, and sums up."""

    def __init__(self, log: Log, figures: Figures) -> None:
        self.log = log
        self.figures = figures
        self._readings = Readings()
        self._since = time.perf_counter()

    def skip(self) -> None:
        """What has passed since the last update was not the loop's: a check, or the start."""
        self._since = time.perf_counter()

    def step(self, step: int, loss: float, tokens: int, trained: int, **more: float) -> None:
        """One update done."""
        now = time.perf_counter()
        seconds, self._since = now - self._since, now
        figures = self.figures
        figures.step, figures.loss_sum = step, figures.loss_sum + loss
        figures.seconds += seconds
        figures.tokens += tokens
        figures.trained_tokens += trained
        sample = self._readings.sample()
        figures.peak_memory = max(figures.peak_memory, sample["peak_memory"])
        self.log.append(
            "step",
            step=step,
            loss=loss,
            tokens=tokens,
            trained_tokens=trained,
            tokens_per_second=round(tokens / seconds, 1),
            seconds=round(seconds, 4),
            **more,
            **_readable(sample),
        )


def _readable(sample: dict[str, int]) -> dict[str, float]:
    found: dict[str, float] = {"memory_gb": round(sample["memory"] / GB, 3)}
    if "gpu_memory" in sample:
        found["gpu_memory_gb"] = round(sample["gpu_memory"] / GB, 3)
    if "gpu_use" in sample:
        found["gpu_use"] = sample["gpu_use"]
    return found


class RowLosses:
    """Collects the losses of rows between two resume points; numbers only, the ids are looked up when they are written.

    Args:
        folder: the run's.
        names: row ids by the numbers of rows.
        step: the update that this life of the run starts from.
    """

    def __init__(self, folder: Path, names: Callable[[npt.NDArray[np.int64]], pa.Array], step: int) -> None:
        self.folder = folder / PARTS
        self.names = names
        self.step = step
        self._lines: list[tuple[int, float, npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]] = []
        forget_after(folder, step)

    def add(
        self,
        step: int,
        epoch: float,
        numbers: list[int],
        owners: npt.NDArray[np.int64],
        losses: npt.NDArray[np.float32],
    ) -> None:
        """One pass: its rows' numbers, and for each learned token which of them it belongs to and its loss."""
        tokens = np.bincount(owners, minlength=len(numbers))
        sums = np.bincount(owners, weights=losses, minlength=len(numbers))
        self._lines.append((step, epoch, np.array(numbers, np.int64), sums / np.maximum(tokens, 1), tokens))

    def save(self, step: int) -> None:
        """Writes what was collected up to `step`, before its resume point is."""
        if not self._lines:
            return
        counts = [len(numbers) for _, _, numbers, _, _ in self._lines]
        steps, epochs, numbers, losses, tokens = zip(*self._lines, strict=True)
        columns = [
            np.repeat(np.array(steps, np.int32), counts),
            np.repeat(np.array(epochs, np.float32), counts),
            self.names(np.concatenate(numbers)),
            np.concatenate(losses).astype(np.float32),
            np.concatenate(tokens).astype(np.int32),
        ]
        with whole_file(self.folder / f"{self.step:06}-{step:06}.parquet") as partial:
            pq.write_table(pa.table(columns, schema=SCHEMA), partial)
        self.step, self._lines = step, []


def forget_after(folder: Path, step: int) -> None:
    """Drops the parts of updates that will be done again."""
    for part in (folder / PARTS).glob("*.parquet"):
        if int(part.stem.partition("-")[2]) > step:
            part.unlink(missing_ok=True)


def merge_rows(folder: Path) -> None:
    """All parts as one rows.parquet, in the order of the steps; the parts stay."""
    parts = sorted((folder / PARTS).glob("*.parquet"), key=lambda part: int(part.stem.partition("-")[0]))
    if not parts:
        return
    with whole_file(folder / WHOLE) as partial, pq.ParquetWriter(partial, SCHEMA) as writer:
        for part in parts:
            writer.write_table(pq.read_table(part))


def drop_parts(folder: Path) -> None:
    """Once the run is finished, rows.parquet has them all. They go at once, so that never some of them are left."""
    if (folder / PARTS).exists():
        gone = (folder / PARTS).rename(folder / f".{PARTS}.partial")
        shutil.rmtree(gone, ignore_errors=True)
