"""A process run to its end, with how long it took and how much memory it held at most."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from backend import leash
from backend.job import StopRequested
from studio import gpus
from studio.errors import StudioError

LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Measured:
    """What one process took.

    Attributes:
        seconds: from its start to its end, imports and loading included.
        processor: seconds of all its threads and of the processes that it started.
        peak: bytes, the highest resident size of one of them; the same figure for every program that is compared.
        gpu: bytes, the most that was held on the GPUs more than before, by anybody; 0 where there is none.
        output: what it printed.
    """

    seconds: float
    processor: float
    peak: int
    gpu: int
    output: str


def run(
    command: list[str],
    output: Path,
    *,
    cwd: Path,
    env: dict[str, str],
    should_stop: Callable[[], bool] = lambda: False,
) -> Measured:
    """Runs `command`, its output into a file. Nothing that it has started outlives it, or this process.

    Raises:
        StopRequested: somebody asked to stop; it was ended.
        StudioError: it ended with another code than 0.
    """
    held, gpu = _on_gpus(), 0
    start = time.perf_counter()
    with open(output, "wb") as out:
        guard = leash.guarded(command, cwd=cwd, env=env, stdout=out, stderr=out)
    peaks: dict[int, int] = {}
    times: dict[int, float] = {}
    try:
        while guard.poll() is None:
            _look(guard.pid, peaks, times)
            gpu = max(gpu, _on_gpus() - held)
            if should_stop():
                raise StopRequested
            time.sleep(LOOK_SECONDS)
    finally:
        code = leash.end(guard)
    seconds = time.perf_counter() - start
    text = output.read_text(encoding="utf-8", errors="replace")
    if code:
        print(text, flush=True)  # what it printed lies in a folder that goes
        raise StudioError(
            f"{Path(command[0]).name} ended with {_named(code)}.",
            " ".join(text.strip().splitlines()[-3:])[-600:],
            "All that it printed is in the benchmark's output.log.",
        )
    return Measured(seconds, sum(times.values()), max(peaks.values(), default=0), gpu, text)


def _named(code: int) -> str:
    try:
        return signal.Signals(code - leash.KILLED).name
    except ValueError:
        return f"code {code}"


def _look(pid: int, peaks: dict[int, int], times: dict[int, float]) -> None:
    """Notes the highest resident size and the processor time so far of a process and of those it started."""
    try:
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            peaks[one.pid] = max(peaks.get(one.pid, 0), peak_of(one))
            spent = one.cpu_times()
            times[one.pid] = spent.user + spent.system
    except psutil.Error:  # one of them has just ended
        pass


def peak_of(process: psutil.Process) -> int:
    """Bytes, its highest resident size. Linux and Windows keep the highest; elsewhere it is the size at this moment."""
    if sys.platform == "linux":
        try:
            for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        except OSError:
            return 0
    info = process.memory_info()
    return int(getattr(info, "peak_wset", info.rss))


def _on_gpus() -> int:
    """Bytes that all programs hold on all GPUs."""
    return sum(gpu.memory_used for gpu in gpus.gpus())


def environment(**more: str) -> dict[str, str]:
    """Ours, without what would lead another Python astray."""
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    return kept | {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"} | more


def of_another(folder: Path, **more: str) -> dict[str, str]:
    """For another trainer at work in `folder`: asks nothing of the network, and its caches stay there."""
    caches = {name: str(folder / "cache") for name in ("HF_HOME", "MPLCONFIGDIR", "XDG_CACHE_HOME")}
    return environment(HF_HUB_OFFLINE="1", OMP_WAIT_POLICY="PASSIVE", **caches, **more)
