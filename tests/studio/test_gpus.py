"""studio/gpus.py: a stand-in for NVIDIA's library, and a torch made of files."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest

from studio import gpus as module
from studio.gpus import Gpu


def test_the_cuda_of_torch_is_read_from_its_version_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert module.built_with("__version__ = '2.13.0'\ncuda: Optional[str] = '13.0'\nhip = None\n") == "13.0"
    assert module.built_with("debug = False\ncuda = '12.1'\n") == "12.1"
    assert module.built_with("cuda: Optional[str] = None\n") == ""
    assert module.built_with("debug = False\n") is None
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    module.torch_cuda.cache_clear()
    try:
        assert module.torch_cuda() is None
        module.torch_cuda.cache_clear()
        (tmp_path / "torch" / "version.py").write_text("cuda: Optional[str] = None\n")
        assert module.torch_cuda() == ""
    finally:
        module.torch_cuda.cache_clear()


def test_cuda_visible_devices_is_honoured() -> None:
    ids = ["GPU-aa11", "GPU-bb22", "GPU-bb33", "MIG-cc44"]

    def visible(chosen: str) -> list[int]:
        return module.visible(chosen, ids, cards=3)

    assert visible("0,2") == [0, 2]
    assert visible("1, 0") == [1, 0]
    assert visible("") == []
    assert visible("-1") == []
    assert visible("0,7,1") == [0]  # CUDA shows nothing behind an unknown one
    assert visible("GPU-bb22") == [1]
    assert visible("GPU-bb") == []  # ambiguous
    assert visible("MIG-cc44") == [3] and visible("3") == []  # what a GPU is divided into has no number


class Nvml(types.SimpleNamespace):
    """NVIDIA's library as far as it is used, with one GPU that tells all and one that tells little."""

    class NVMLError(Exception):
        pass

    def nvmlDeviceGetCount(self) -> int:
        return 2

    def nvmlSystemGetCudaDriverVersion_v2(self) -> int:
        return 12080

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        return f"GPU-{handle}"

    def nvmlDeviceGetName(self, handle: int) -> str:
        return f"GPU {handle}"

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:
        return types.SimpleNamespace(total=80, used=30 + handle)

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:
        if handle:
            raise self.NVMLError
        return types.SimpleNamespace(gpu=55)

    def nvmlDeviceGetCudaComputeCapability(self, handle: int) -> tuple[int, int]:
        if handle:
            raise self.NVMLError
        return 9, 0

    def nvmlDeviceGetMigMode(self, handle: int) -> list[int]:
        raise self.NVMLError

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[Any]:
        if handle:
            raise self.NVMLError
        return [types.SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in ((7, 20), (8, None), (9, 5))]


class Divided(Nvml):
    """The second GPU is divided into two instances, whose handles are 11 and 13; two more places are empty."""

    def nvmlDeviceGetMigMode(self, handle: int) -> list[int]:
        return [handle, handle]

    def nvmlDeviceGetMaxMigDeviceCount(self, handle: int) -> int:
        return 4

    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: int, index: int) -> int:
        if index % 2 == 0:
            raise self.NVMLError
        return 10 * handle + index

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        return f"{'MIG' if handle > 1 else 'GPU'}-{handle}"


def test_gpus_are_read_through_nvml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_nvml", lambda: Nvml())
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert module.gpus() == (Gpu("GPU 0", 80, 30, 55, (9, 0)), Gpu("GPU 1", 80, 31, None, None))
    assert module.reading(module.first_gpu()) == {"gpu_memory": 30, "gpu_use": 55}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert [gpu.name for gpu in module.gpus()] == ["GPU 1"]
    assert module.reading(module.first_gpu()) == {"gpu_memory": 31}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert module.gpus() == () and module.first_gpu() is None


def test_the_gpu_with_the_most_memory_comes_first_and_cuda_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of those that torch can use: a large old one is no use."""
    memory, generation = {0: 8, 1: 24, 2: 24, 3: 48}, {0: (8, 6), 1: (8, 9), 2: (8, 9), 3: (7, 0)}

    class Unlike(Nvml):
        nvmlDeviceGetCount = staticmethod(lambda: 4)
        nvmlDeviceGetMemoryInfo = staticmethod(lambda handle: types.SimpleNamespace(total=memory[handle], used=1))
        nvmlDeviceGetCudaComputeCapability = staticmethod(lambda handle: generation[handle])

    monkeypatch.setattr(module, "_nvml", lambda: Unlike())
    monkeypatch.setattr(module, "torch_cuda", lambda: "13.0")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert [gpu.memory for gpu in module.gpus()] == [24, 24, 8, 48]
    assert module.order() == "GPU-1,GPU-2,GPU-0,GPU-3"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,3")  # whoever names them keeps their order
    assert [gpu.memory for gpu in module.gpus()] == [8, 48] and module.order() is None


def test_a_gpu_that_has_fallen_off_the_bus_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lost(Nvml):
        def nvmlDeviceGetUUID(self, handle: int) -> str:
            if handle == 0:
                raise self.NVMLError("GPU is lost")
            return super().nvmlDeviceGetUUID(handle)

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(module, "_nvml", lambda: Lost())
    assert [gpu.name for gpu in module.gpus()] == ["GPU 1"] and module.order() is None


def test_what_processes_hold_of_a_gpu_is_known_where_the_driver_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_nvml", lambda: Nvml())
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert [module.gpu_memory_of(pids, 0) for pids in ({7, 9}, {7, 8}, {8}, set())] == [25, 20, 0, 0]
    assert module.gpu_memory_of({7}, 1) == module.gpu_memory_of({7}, 2) == 0
    monkeypatch.setattr(module, "_nvml", lambda: None)
    assert module.gpu_memory_of({7}, 0) == 0


def test_gpus_that_stand_in_this_order_are_left_to_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for nvml, order in ((Nvml(), None), (Divided(), "GPU-0"), (None, None)):
        monkeypatch.setattr(module, "_nvml", lambda nvml=nvml: nvml)
        assert module.order() == order


@pytest.mark.parametrize(
    ("chosen", "seen"),
    [
        (None, ["GPU 0"]),
        ("0,1", ["GPU 0"]),
        ("1", ["GPU 11"]),
        ("1,0", ["GPU 11"]),
        ("GPU-1", ["GPU 11"]),
        ("MIG-13", ["GPU 13"]),
        ("MIG-13,MIG-11", ["GPU 13"]),
        ("MIG-12", []),
    ],
)
def test_of_a_divided_gpu_one_instance_is_seen(
    chosen: str | None, seen: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_nvml", lambda: Divided())
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if chosen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert [gpu.name for gpu in module.gpus()] == seen
    monkeypatch.setattr(Divided, "nvmlDeviceGetCount", lambda self: 1)
    monkeypatch.setattr(Divided, "nvmlDeviceGetMigMode", lambda self, handle: [1, 1])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert [gpu.name for gpu in module.gpus()] == ["GPU 1"]  # all are divided: the first instance there is
