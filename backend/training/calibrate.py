"""Times matrix products for about a second, to choose what is fastest on this CPU; see `studio/calibration.py`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import torch

from backend.training import load, products
from studio import calibration
from studio.calibration import Calibration
from studio.settings.train import TrainSettings
from studio.workspace import Workspace

# A layer of a small model: large enough to fill every core, small enough for several rounds in a second.
ROWS, INPUTS, OUTPUTS = 512, 768, 2048
SIZES = (64, 128, 256, 512, 1024, 2048)
NEARLY = 0.92
ROUNDS = 5


def suited(workspace: Workspace, settings: TrainSettings, device: str) -> tuple[TrainSettings, bool]:
    """The settings with the number format that trains fastest here, and whether float32 products go through oneDNN.

    On a GPU nothing has to be measured: bfloat16 where it has that. It is said nonetheless, so that a run that goes on
    elsewhere goes on in it.
    """
    if device != "cpu":
        dtype = str(load.choose_dtype(settings.dtype, device)).removeprefix("torch.")
        return settings.model_copy(update={"dtype": dtype}), False
    found = calibrated(workspace)
    if settings.dtype == "auto":
        settings = settings.model_copy(update={"dtype": calibration.dtype(settings.method.name, found)})
    return settings, found.takes_onednn


def calibrated(workspace: Workspace) -> Calibration:
    """What this machine does with the threads that PyTorch uses now: as it was measured before, else measured now."""
    threads = torch.get_num_threads()
    found = calibration.read(workspace, threads)
    if found is None:
        found = measure()
        calibration.write(workspace, threads, found)
    return found


def measure() -> Calibration:
    """Products in every way there is, in turns; the best round of each counts."""
    ways: dict[str, Callable[[], object]] = {"float32": _product(torch.float32, ROWS)}
    if products.has_onednn():
        ways["onednn"] = _product(torch.float32, ROWS, onednn=True)
    with contextlib.suppress(RuntimeError):  # a build without it
        ways["bfloat16"] = _product(torch.bfloat16, ROWS)
    seconds = _best(ways)
    work = 2.0 * ROWS * INPUTS * OUTPUTS
    speeds = {name: work / taken for name, taken in seconds.items()}
    found = Calibration(speeds["float32"], speeds.get("onednn", 0.0), speeds.get("bfloat16", 0.0), ROWS)
    dtype = torch.bfloat16 if found.prefers_bfloat16 else torch.float32
    return Calibration(found.float32, found.onednn, found.bfloat16, _tokens(dtype, found.takes_onednn))


def _tokens(dtype: torch.dtype, onednn: bool) -> int:
    """The fewest rows at which a row costs nearly as little as it ever does."""
    seconds = _best({str(rows): _product(dtype, rows, onednn) for rows in SIZES}, rounds=3)
    pace = {rows: rows / seconds[str(rows)] for rows in SIZES}
    return next(rows for rows in SIZES if pace[rows] >= NEARLY * max(pace.values()))


def _product(dtype: torch.dtype, rows: int, onednn: bool = False) -> Callable[[], object]:
    x, weight = torch.ones(rows, INPUTS, dtype=dtype), torch.ones(OUTPUTS, INPUTS, dtype=dtype)

    def once() -> object:
        return products.product(x, weight, onednn=onednn)

    once()
    return once


def _best(ways: dict[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, float]:
    """Seconds of the fastest call of each."""
    best = dict.fromkeys(ways, float("inf"))
    clock = _clock()
    for _ in range(rounds):
        for name, once in ways.items():
            start = clock()
            once()
            best[name] = min(best[name], clock() - start)
    return best


def _clock() -> Callable[[], float]:
    """The processor's time of this process over its threads: what others do on the machine does not count."""
    if time.get_clock_info("process_time").resolution > 1e-6:  # as on Windows
        return time.perf_counter
    threads = torch.get_num_threads()
    return lambda: time.process_time() / threads
