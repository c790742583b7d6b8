"""What the machine has, found without torch: processor, memory, disk, GPUs; and live readings while a job runs."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import psutil

from studio.gpus import (
    AMPERE,
    Gpu,
    Hindrance,
    alike,
    driver_cuda,
    first_gpu,
    gpus,
    has_kernels_for,
    hindrance,
    reading,
    torch_cuda,
)

GB = 1e9
CPUINFO = Path("/proc/cpuinfo")
CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")
STATUS = Path("/proc/self/status")
VMSTAT = Path("/proc/vmstat")
# Instruction sets that decide how fast a model runs, by their names on Linux (x86 and ARM).
TELLING_FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile", "amx_bf16", "asimd", "bf16", "sve")
NO_LIMIT = 1 << 60  # cgroups say “unlimited” with a number near 2^63


@dataclass(frozen=True)
class Machine:
    """Facts about this machine. Sizes in bytes; `cores` counts what this process may use.

    `torch_cuda` is the CUDA that torch is built with, as `13.0`, and empty for a build without; `driver_cuda` the
    newest major version of it that the driver knows. None is for what is not known, and hinders nothing.
    """

    system: str
    cpu: str
    cores: int
    flags: tuple[str, ...]
    memory: int
    memory_available: int
    disk: int
    disk_free: int
    gpus: tuple[Gpu, ...]
    apple_silicon: bool
    torch: str | None
    torch_cuda: str | None = None
    driver_cuda: int | None = None

    @property
    def device(self) -> str:
        """Where training runs: `cuda`, `mps` or `cpu`; on a GPU only where torch can use it."""
        if self.usable_gpus:
            return "cuda"
        return "mps" if self.apple_silicon else "cpu"

    @property
    def bfloat16(self) -> bool:
        """Whether its GPUs compute in bfloat16, which those before Ampere emulate; true of one that is not known."""
        return all((gpu.capability or AMPERE) >= AMPERE for gpu in self.usable_gpus)

    @property
    def usable_gpus(self) -> tuple[Gpu, ...]:
        """The GPUs that torch can use, up to the first that it can't: each process of a run takes the next one."""
        if self.hindrance:
            return ()
        return tuple(takewhile(lambda gpu: has_kernels_for(gpu.capability, self.torch_cuda), self.gpus))

    @property
    def alike_gpus(self) -> tuple[Gpu, ...]:
        """The usable GPUs up to the first that is unlike the first one: those a run is best spread over.

        Process by process a run takes the GPUs in their order (see `studio.gpus`), so that none can be left out between
        others.
        """
        return tuple(takewhile(lambda gpu: alike(gpu, self.usable_gpus[0]), self.usable_gpus))

    @property
    def hindrance(self) -> Hindrance | None:
        """What keeps torch from the first GPU, which every run takes; None where nothing does, or there is no GPU."""
        return hindrance(self.gpus[0], self.torch, self.torch_cuda, self.driver_cuda) if self.gpus else None

    def summary(self) -> str:
        """One line in plain words."""
        parts = [
            f"{self.cpu}, {self.cores} {'core' if self.cores == 1 else 'cores'}",
            f"{self.memory / GB:.0f} GB memory ({self.memory_available / GB:.0f} GB free)",
            f"{self.disk_free / GB:.0f} GB disk free",
            ", ".join(f"{gpu.name} with {gpu.memory / GB:.0f} GB" for gpu in self.gpus) or "no NVIDIA GPU",
        ]
        return " · ".join(parts)

    def lasting(self) -> str:
        """The same without what changes from hour to hour, to stand beside figures measured on it."""
        gpus = ", ".join(f"{gpu.name} with {gpu.memory / GB:.0f} GB" for gpu in self.gpus) or "no NVIDIA GPU"
        flags = f" ({' '.join(self.flags)})" if self.flags else ""
        return f"{self.cpu}{flags}, cores: {self.cores}, {self.memory / GB:.0f} GB memory, {gpus}"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"device": self.device, "summary": self.summary()}


def machine(path: Path | str = ".") -> Machine:
    """The facts about this machine; `disk` and `disk_free` are those of the disk that `path` is or will be on."""
    disk = shutil.disk_usage(_nearest(Path(path)))
    total, available = memory()
    found = gpus()
    return Machine(
        system=platform.system(),
        cpu=cpu_name(),
        cores=cores(),
        flags=cpu_flags(),
        memory=total,
        memory_available=available,
        disk=disk.total,
        disk_free=disk.free,
        gpus=found,
        apple_silicon=sys.platform == "darwin" and platform.machine() == "arm64",
        torch=torch_version(),
        # Without a GPU they matter to nobody.
        torch_cuda=torch_cuda() if found else None,
        driver_cuda=driver_cuda() if found else None,
    )


def _nearest(path: Path) -> Path:
    """`path` or the nearest folder above it that exists."""
    path = path.expanduser().absolute()
    while not path.exists():
        path = path.parent
    return path


def torch_version() -> str | None:
    """The installed torch's version, as `2.13.0+cpu`, without importing it."""
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return None


# Processor


@lru_cache
def _cpuinfo(path: Path = CPUINFO) -> dict[str, str]:
    """The first processor's fields of /proc/cpuinfo, with small letters; {} elsewhere."""
    try:
        first = path.read_text(encoding="utf-8", errors="replace").split("\n\n", 1)[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def cpu_name() -> str:
    return _cpuinfo().get("model name") or platform.processor() or platform.machine() or "unknown processor"


def cpu_flags() -> tuple[str, ...]:
    """Those of TELLING_FLAGS that this processor has; empty where the system does not say."""
    info = _cpuinfo()
    has = set((info.get("flags") or info.get("features") or "").split())
    return tuple(flag for flag in TELLING_FLAGS if flag in has)


def cores() -> int:
    """Physical cores this process may use: affinity and a container's quota are honoured."""
    physical = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else physical
    quota = cpu_quota()
    return max(1, min(physical, allowed, int(quota + 0.5) if quota else physical))


def cpu_quota() -> float | None:
    """Cores' worth of time a container may take, or None."""
    shares = []
    for folder in _cgroups("cpu"):
        try:
            if (folder / "cpu.max").exists():
                quota, period = (folder / "cpu.max").read_text().split()
            else:
                quota = (folder / "cpu.cfs_quota_us").read_text()
                period = (folder / "cpu.cfs_period_us").read_text()
            if float(quota) > 0:
                shares.append(float(quota) / float(period))
        except (OSError, ValueError, ZeroDivisionError):  # “max” is no number: no limit here
            continue
    return min(shares, default=None)


# Memory


def memory() -> tuple[int, int]:
    """Total and available bytes, within the limits of the container if there is one."""
    real = psutil.virtual_memory()
    total, available = real.total, real.available
    for folder in _cgroups("memory"):
        limit = _number(folder / "memory.max", folder / "memory.limit_in_bytes")
        if limit is None or limit >= min(NO_LIMIT, real.total):
            continue
        used = _number(folder / "memory.current", folder / "memory.usage_in_bytes") or 0
        total = min(total, limit)
        available = min(available, max(0, limit - used + _file_cache(folder)))
    return total, available


def _file_cache(folder: Path) -> int:
    """Bytes of a container's memory that only cache files and are given back when needed."""
    try:
        lines = (folder / "memory.stat").read_text().splitlines()
    except OSError:
        return 0
    values = dict(line.split(maxsplit=1) for line in lines if " " in line)
    return int(values.get("total_inactive_file") or values.get("inactive_file") or 0)


def _number(*paths: Path) -> int | None:
    for path in paths:
        try:
            return int(path.read_text())
        except (OSError, ValueError):
            continue
    return None


def _cgroups(controller: str) -> Iterator[Path]:
    """The folders of this process's control group and those above it, for a controller (cgroup 2 or 1)."""
    try:
        lines = OWN_CGROUPS.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0":
            root = CGROUPS
        elif controller in controllers.split(","):
            root = CGROUPS / controller
        else:
            continue
        folder = root / path.lstrip("/")
        while True:
            if folder.is_dir():  # in a container the path named is often not visible; the root then is its own
                yield folder
            if folder == root or root not in folder.parents:
                break
            folder = folder.parent


def memory_kills() -> int:
    """How many processes the kernel has ended for want of memory, ever; 0 where it does not say.

    Those of this process's control group where it counts them, else those of the whole machine.
    """
    groups = (folder / "memory.events" for folder in _cgroups("memory"))
    return _counter(next((path for path in groups if path.exists()), VMSTAT), "oom_kill")


def _counter(path: Path, name: str) -> int:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name} ")), 0)


# Live readings


def peak_memory() -> int:
    """Bytes of this process's highest resident size.

    On Linux from VmHWM: ru_maxrss there also counts the parent's size at the moment of the start.
    """
    try:
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024


class Readings:
    """What a job's process and its GPU use right now; a sample costs well under a millisecond."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._gpu = first_gpu()

    def sample(self) -> dict[str, int]:
        """`memory` and `peak_memory` of this process; with a GPU `gpu_memory` (all its users') and `gpu_use`.

        Bytes, and percent for `gpu_use`.
        """
        found = {"memory": int(self._process.memory_info().rss), "peak_memory": peak_memory()}
        return found if self._gpu is None else found | reading(self._gpu)
