"""The NVIDIA GPUs of this machine, as the driver tells of them (NVML, without torch), in the order in which runs take
them; and what the installed PyTorch can do with them."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

AMPERE = (8, 0)  # the compute capability of that generation (2020)
# PyTorch's builds with CUDA 13 and later have no kernels for GPUs before this compute capability (Turing, 2018).
TURING, WITHOUT_OLDER = (7, 5), 13
# As it stands in torch's version.py: `cuda: Optional[str] = '13.0'`, None in builds for CPUs.
BUILT_WITH = re.compile(r"^cuda\b[^=\n]*=\s*(?:['\"](\d+[\d.]*)['\"]|None\b)", re.MULTILINE)
VISIBLE = "CUDA_VISIBLE_DEVICES"
# GPUs whose memory differs by at most a tenth of the larger one's share a run well.
ALIKE = 0.9


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


def alike(one: Gpu, other: Gpu) -> bool:
    """Whether both do the same work in about the same time, so that a run is well shared by them."""
    small, large = sorted((one.memory, other.memory))
    return one.name == other.name or small >= ALIKE * large


# What this PyTorch can do with them


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


def hindrance(gpu: Gpu, torch: str | None, torch_cuda: str | None, driver: int | None) -> Hindrance | None:
    """What keeps torch from a GPU; None where nothing does.

    Args:
        torch: its version, as `2.13.0+cpu`.
        torch_cuda, driver: the CUDA that torch is built with, and the newest that the driver knows; None where that is
            not known.
    """
    found, major = f"The PyTorch installed here, {torch},", cuda_major(torch_cuda)
    if torch_cuda == "" or "+cpu" in (torch or ""):
        return Hindrance(
            f"{found} is a build for CPUs only.",
            "Install a CUDA build of torch into the studio's environment (see pytorch.org), then check again.",
        )
    if driver is not None and major > driver:
        return Hindrance(
            f"{found} needs a driver for CUDA {major}; the driver here is for CUDA {driver} at most.",
            f"Update NVIDIA's driver, or install a build of torch for CUDA {driver} (see pytorch.org), "
            "then check again.",
        )
    if not has_kernels_for(gpu.capability, torch_cuda):
        return Hindrance(
            f"{found} is built with CUDA {major}, which computes on GPUs of the Turing generation (2018) or later; "
            f"{gpu.name} is older.",
            "Install a build of torch for CUDA 12.6 into the studio's environment (see pytorch.org), or let it see "
            "a newer GPU only (CUDA_VISIBLE_DEVICES), then check again.",
        )
    return None


# As NVIDIA's library tells


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


def first_gpu() -> Any:
    """The handle of the GPU that a run alone takes, for `reading`; None without a GPU."""
    return next(iter(_handles()), None)


def reading(handle: Any) -> dict[str, int]:
    """`gpu_memory` (bytes, all its users') and `gpu_use` (percent) right now; what the driver does not tell is left
    out."""
    nvml = _nvml()
    try:
        room = nvml.nvmlDeviceGetMemoryInfo(handle)
    except nvml.NVMLError:  # the driver went away: a job goes on without its figures
        return {}
    use = _use(nvml, handle)
    return {"gpu_memory": int(room.used)} | ({} if use is None else {"gpu_use": use})
