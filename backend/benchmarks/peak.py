"""The products that a device makes in a second when it makes nothing else, and those that a training made.

Counted is what the model asks for, as model FLOPs utilisation does (Chowdhery et al. 2022, PaLM, appendix B; the
2 + 4 a weight of Kaplan et al. 2020, table 1): 2 operations a token for each weight of a linear layer in the forward
pass, 2 for the gradient of its input, and 2 for its own where it is trained itself; of the vocabulary's matrix only for
tokens that are learned, as no others are multiplied by it. Left out are attention's scores, an adapter's own small
products, and what recomputation does twice, so the share is on the low side.
"""

from __future__ import annotations

import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from backend.benchmarks.bench import Bench
from backend.training.products import has_onednn, product
from backend.training.report import WHOLE
from studio import events, runs
from studio.estimate import operations
from studio.files import read_json
from studio.settings.train import TrainSettings
from studio.shape import Shape

# Rows, inputs and outputs of the products tried: layers of a small model, of a larger one, and a square.
SIZES = ((512, 768, 2048), (1024, 2048, 2048), (2048, 2048, 2048))
SECONDS = 0.3  # for each size and way


def peak(settings: TrainSettings) -> float:
    """Operations a second of the fastest product in the number format and with the threads of a run; best of all."""
    torch.set_num_threads(settings.threads or 1)
    device = "cuda" if torch.cuda.is_available() and settings.device != "cpu" else "cpu"
    dtype = torch.float32 if settings.dtype == "float32" else torch.bfloat16
    onednn = device == "cpu" and dtype == torch.float32 and has_onednn()
    return max(_speed(size, dtype, device, way) for size in SIZES for way in {False, onednn})


def _speed(size: tuple[int, int, int], dtype: torch.dtype, device: str, onednn: bool) -> float:
    rows, inputs, outputs = size
    x, weight = (torch.ones(one, inputs, dtype=dtype, device=device) for one in (rows, outputs))
    best, end = float("inf"), time.perf_counter() + SECONDS
    product(x, weight, onednn=onednn)
    while time.perf_counter() < end:
        start = time.perf_counter()
        product(x, weight, onednn=onednn)
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return 2.0 * rows * inputs * outputs / best


def reached(bench: Bench, run: Path) -> float:
    """Operations a second that the model of a finished run asked for while it trained."""
    result = events.read_state(run).result
    pace = float(result["tokens_per_second"])
    learned = pa.compute.sum(pq.read_table(run / WHOLE)["tokens"]).as_py()
    share = learned / max(1.0, float(result["train_seconds"]) * pace)
    shape = Shape.read(read_json(bench.model.path / "config.json"), bench.model.parameters)
    settings = runs.settings_of(run).model_copy(update={"recompute": False})
    return pace * operations(settings, shape, share)
