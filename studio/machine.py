"""What the machine has, found without torch: processor, memory, disk, GPUs; and live readings while a job runs."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import psutil

GB = 1e9
CPUINFO = Path("/proc/cpuinfo")
CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")
STATUS = Path("/proc/self/status")
VMSTAT = Path("/proc/vmstat")
# Instruction sets that decide how fast a model runs, by their names on Linux (x86 and ARM).
TELLING_FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile", "amx_bf16", "asimd", "bf16", "sve")
AMPERE = (8, 0)  # the compute capability of that generation (2020)
# PyTorch's builds with CUDA 13 and later have no kernels for GPUs before this compute capability (Turing, 2018).
TURING, WITHOUT_OLDER = (7, 5), 13
# As it stands in torch's version.py: `cuda: Optional[str] = '13.0'`, None in builds for CPUs.
BUILT_WITH = re.compile(r"^cuda\b[^=\n]*=\s*(?:['\"](\d+[\d.]*)['\"]|None\b)", re.MULTILINE)
VISIBLE = "CUDA_VISIBLE_DEVICES"
# GPUs whose memory differs by at most a tenth of the larger one's share a run well.
ALIKE = 0.9
NO_LIMIT = 1 << 60  # cgroups say “unlimited” with a number near 2^63


@dataclass(frozen=True)
class Gpu:
    """One NVIDIA GPU. Memory in bytes, `used_share` in percent of the last sampling period."""

    name: str
    memory: int
    memory_used: int
    used_share: int | None
    capability: tuple[int, int] | None


@dataclass(frozen=True)
class Hindrance:
    """Why a GPU that is there can't be used, and what to do about it."""

    why: str
    next: str


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

        Process by process a run takes the GPUs in their order (see `order`), so that none can be left out between
        others.
        """
        return tuple(takewhile(lambda gpu: _alike(gpu, self.usable_gpus[0]), self.usable_gpus))

    @property
    def hindrance(self) -> Hindrance | None:
        """What keeps torch from the first GPU, which every run takes; None where nothing does, or there is no GPU."""
        if not self.gpus:
            return None
        found, major, first = f"The PyTorch installed here, {self.torch},", cuda_major(self.torch_cuda), self.gpus[0]
        if self.torch_cuda == "" or "+cpu" in (self.torch or ""):
            return Hindrance(
                f"{found} is a build for CPUs only.",
                "Install a CUDA build of torch into the studio's environment (see pytorch.org), then check again.",
            )
        if self.driver_cuda is not None and major > self.driver_cuda:
            return Hindrance(
                f"{found} needs a driver for CUDA {major}; the driver here is for CUDA {self.driver_cuda} at most.",
                f"Update NVIDIA's driver, or install a build of torch for CUDA {self.driver_cuda} (see pytorch.org), "
                "then check again.",
            )
        if not has_kernels_for(first.capability, self.torch_cuda):
            return Hindrance(
                f"{found} is built with CUDA {major}, which computes on GPUs of the Turing generation (2018) or later; "
                f"{first.name} is older.",
                "Install a build of torch for CUDA 12.6 into the studio's environment (see pytorch.org), or let it see "
                "a newer GPU only (CUDA_VISIBLE_DEVICES), then check again.",
            )
        return None

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


def _alike(one: Gpu, other: Gpu) -> bool:
    small, large = sorted((one.memory, other.memory))
    return one.name == other.name or small >= ALIKE * large


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


@lru_cache
def torch_cuda() -> str | None:
    """The CUDA that the installed torch is built with, as `13.0`, without importing it.

    Empty for a build without CUDA, which the version does not always tell: Windows' usual one is called `2.13.0` as
    well. None where it can't be read.
    """
    try:
        found = importlib.util.find_spec("torch")
        text = Path(found.origin).with_name("version.py").read_text("utf-8") if found and found.origin else ""
    except (ImportError, OSError, ValueError):  # half installed, or made by other means
        return None
    return built_with(text)


def built_with(text: str) -> str | None:
    """The CUDA that torch's version.py tells of; empty for none, None where it does not say."""
    line = BUILT_WITH.search(text)
    return (line[1] or "") if line else None


def cuda_major(torch_cuda: str | None) -> int:
    """Of the CUDA that torch is built with; 0 where it is not known."""
    return int((torch_cuda or "0").split(".")[0])


def has_kernels_for(capability: tuple[int, int] | None, torch_cuda: str | None) -> bool:
    """Whether torch built with this CUDA computes on such a GPU."""
    return cuda_major(torch_cuda) < WITHOUT_OLDER or capability is None or capability >= TURING


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


# GPUs


@lru_cache
def _nvml() -> Any:
    """NVIDIA's management library, started; None without a driver."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # no package, no driver, a broken driver: all mean that there is no GPU to use
        return None
    return pynvml


def _handles() -> list[Any]:
    """Handles of the GPUs this process may see, in the order in which runs take them.

    That of CUDA_VISIBLE_DEVICES, by number or by id, and else the best first: see `order`. Of a GPU that is divided
    (MIG) CUDA takes one instance, and then nothing beside it.
    """
    nvml = _nvml()
    if nvml is None:
        return []
    cards = _seated(nvml)
    instances = [_instances(nvml, card) for card in cards]
    every = [instance for of_card in instances for instance in of_card or ()]
    chosen = os.environ.get(VISIBLE)
    if chosen is None:
        whole = [card for card, own in zip(cards, instances, strict=True) if own is None]
        return sorted(whole, key=lambda card: _merit(nvml, card), reverse=True) or every[:1]
    named = [*cards, *every]
    found: list[Any] = []
    for index in visible(chosen, _ids(nvml, named), len(cards)):
        own = instances[index] if index < len(cards) else [named[index]]
        if own is not None:
            return found or own[:1]
        found.append(named[index])
    return found


def _seated(nvml: Any) -> list[Any]:
    """Handles of the GPUs as they sit in the machine; one that has fallen off the bus hides no other."""
    found = []
    for index in range(nvml.nvmlDeviceGetCount()):
        with contextlib.suppress(nvml.NVMLError):
            card = nvml.nvmlDeviceGetHandleByIndex(index)
            nvml.nvmlDeviceGetUUID(card)
            nvml.nvmlDeviceGetMemoryInfo(card)
            found.append(card)
    return found


def _ids(nvml: Any, handles: list[Any]) -> list[str]:
    """As CUDA_VISIBLE_DEVICES names them."""
    return [str(nvml.nvmlDeviceGetUUID(handle)) for handle in handles]


def _merit(nvml: Any, card: Any) -> tuple[bool, int]:
    """The best GPU to train on is the one with the most memory, of those that torch has kernels for.

    With all of its memory and not what is free of it: that changes by the hour, and what was measured and saved on one
    GPU would then go on on another.
    """
    memory = int(nvml.nvmlDeviceGetMemoryInfo(card).total)
    return has_kernels_for(_capability(nvml, card), torch_cuda()), memory


def order() -> str | None:
    """The GPUs for CUDA_VISIBLE_DEVICES, in the order of `gpus`; None where CUDA sees them in this order by itself.

    CUDA counts them as they sit in the machine, and a run in one process takes the first: it may be the small one that
    only drives the display. Whoever names them (CUDA_VISIBLE_DEVICES) keeps their own order.
    """
    nvml = _nvml()
    if nvml is None or VISIBLE in os.environ:
        return None
    ids = _ids(nvml, _handles())
    return None if ids == _ids(nvml, _seated(nvml)) else ",".join(ids)


def _instances(nvml: Any, card: Any) -> list[Any] | None:
    """Handles of the instances that a GPU is divided into; None for one that is whole."""
    try:
        divided, _ = nvml.nvmlDeviceGetMigMode(card)
    except nvml.NVMLError:  # most GPUs can't be divided
        return None
    if not divided:
        return None
    found = []
    for place in range(nvml.nvmlDeviceGetMaxMigDeviceCount(card)):
        with contextlib.suppress(nvml.NVMLError):  # an empty place
            found.append(nvml.nvmlDeviceGetMigDeviceHandleByIndex(card, place))
    return found


def visible(chosen: str, ids: list[str], cards: int) -> list[int]:
    """The GPUs that CUDA shows for a value of CUDA_VISIBLE_DEVICES: everything from the first unknown on is hidden.

    Args:
        ids: of the GPUs, and after these `cards` of the instances they are divided into, which have no numbers.
    """
    shown = []
    for part in (part.strip() for part in chosen.split(",")):
        named = [index for index, name in enumerate(ids) if part and name.startswith(part)]
        if part.isdecimal() and int(part) < cards:
            shown.append(int(part))
        elif len(named) == 1:
            shown.append(named[0])
        else:
            break
    return shown


def gpus() -> tuple[Gpu, ...]:
    """The NVIDIA GPUs in the order in which runs take them, none without a driver."""
    nvml = _nvml()
    found = []
    for handle in _handles():
        try:
            name = nvml.nvmlDeviceGetName(handle)
            room = nvml.nvmlDeviceGetMemoryInfo(handle)
        except nvml.NVMLError:  # a GPU that has fallen off the bus hides no other
            continue
        found.append(Gpu(str(name), int(room.total), int(room.used), _use(nvml, handle), _capability(nvml, handle)))
    return tuple(found)


def gpu_memory_of(pids: set[int], index: int) -> int:
    """Bytes that these processes hold of one of the `gpus`; 0 where the driver does not tell.

    It does not on Windows, and in a container it knows processes by other numbers.
    """
    nvml, handles = _nvml(), _handles()[index : index + 1]
    try:
        users = [user for handle in handles for user in nvml.nvmlDeviceGetComputeRunningProcesses(handle)]
    except nvml.NVMLError:
        return 0
    return sum(int(user.usedGpuMemory or 0) for user in users if user.pid in pids)


@lru_cache
def driver_cuda() -> int | None:
    """The newest major version of CUDA that the driver knows; None where it does not tell."""
    nvml = _nvml()
    try:
        return int(nvml.nvmlSystemGetCudaDriverVersion_v2()) // 1000 if nvml else None
    except nvml.NVMLError:
        return None


def _use(nvml: Any, handle: Any) -> int | None:
    try:
        return int(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    except nvml.NVMLError:  # slices of a shared GPU don't tell
        return None


def _capability(nvml: Any, handle: Any) -> tuple[int, int] | None:
    try:
        major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle)
    except nvml.NVMLError:
        return None
    return int(major), int(minor)


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
        self._handle = next(iter(_handles()), None)

    def sample(self) -> dict[str, int]:
        """`memory` and `peak_memory` of this process; with a GPU `gpu_memory` (all its users') and `gpu_use`.

        Bytes, and percent for `gpu_use`.
        """
        found = {"memory": int(self._process.memory_info().rss), "peak_memory": peak_memory()}
        if self._handle is not None:
            found |= self._gpu()
        return found

    def _gpu(self) -> dict[str, int]:
        nvml = _nvml()
        try:
            room = nvml.nvmlDeviceGetMemoryInfo(self._handle)
        except nvml.NVMLError:  # the driver went away: training goes on without its figures
            return {}
        use = _use(nvml, self._handle)
        return {"gpu_memory": int(room.used)} | ({} if use is None else {"gpu_use": use})
