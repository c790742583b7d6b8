"""Our side of every comparison: a run as anybody starts it, in a process of its own."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.benchmarks.bench import Bench
from studio import events, runs
from studio.jobs.local import ROOT, environment
from studio.settings.base import check
from studio.settings.train import TrainSettings

# What is compared: LoRA on all linear layers, one pass, the same schedule on both sides.
WORK: dict[str, Any] = {
    "method": {"name": "lora", "rank": 8, "alpha": 16.0, "dropout": 0.0, "targets": "all-linear"},
    "objective": {"name": "sft", "loss_on": "all"},
    "epochs": 1.0,
    "batch_size": 4,
    "cutoff": 512,
    "learning_rate": 1e-4,
    "schedule": "cosine",
    "warmup": 0.1,
    "eval_rows": 0,
    "eval_steps": 1_000_000,
    "save_steps": 1_000_000,
    "seed": 1,
}


@dataclass(frozen=True)
class Ran:
    """One training, whoever's.

    Attributes:
        seconds: of the training itself; `whole` with imports, loading and saving.
        processor: seconds of all threads, over the whole.
        peak: bytes, the highest resident size; gpu: of the GPUs, 0 where there is none.
        loss: mean over the updates.
        tokens: that were read, without padding; 0 where the other side does not say.
    """

    seconds: float
    whole: float
    processor: float
    peak: int
    loss: float
    tokens: int = 0
    gpu: int = 0

    @property
    def memory(self) -> int:
        """Bytes of that memory which is scarce: the GPU's where one trains."""
        return self.gpu or self.peak


def train(bench: Bench, dataset: str, **given: Any) -> tuple[Ran, Path]:
    """Trains on a dataset of the scratch workspace; what it took, and the run's folder."""
    settings = check(TrainSettings, {**WORK, "dataset": dataset, "model": bench.settings.model, **given})
    folder = runs.create(bench.scratch, settings)
    command = [sys.executable, "-m", "backend.train", str(folder)]
    took = bench.run(command, folder / "output.log", cwd=ROOT, env=environment(folder))
    state = events.read_state(folder)
    result = state.result
    ran = Ran(
        seconds=result["train_seconds"],
        whole=took.seconds,
        processor=took.processor,
        peak=took.peak,
        loss=result["train_loss"],
        tokens=round(result["train_seconds"] * result["tokens_per_second"]),
        gpu=took.gpu,
    )
    return ran, folder
