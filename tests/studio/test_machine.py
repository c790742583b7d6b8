"""studio/machine.py: this machine, containers made of files, and a stand-in for NVIDIA's library."""

from __future__ import annotations

import subprocess
import sys
import time
import types
from pathlib import Path
from typing import Any

import psutil
import pytest

from studio import machine as module
from studio.machine import Gpu, Machine, Readings, machine, peak_memory, visible

ROOT = Path(__file__).resolve().parents[2]


def made(**fields: Any) -> Machine:
    facts: dict[str, Any] = {
        "system": "Linux", "cpu": "A CPU", "cores": 2, "flags": (), "memory": 16_000_000_000,
        "memory_available": 8_000_000_000, "disk": 100_000_000_000, "disk_free": 50_000_000_000, "gpus": (),
        "apple_silicon": False, "torch": "2.13.0",
    }  # fmt: skip
    return Machine(**facts | fields)


GPU = Gpu("NVIDIA Test", 24_000_000_000, 1_000_000_000, 7, (8, 9))


def test_this_machine_has_what_psutil_says(tmp_path: Path) -> None:
    here = machine(tmp_path / "not" / "there" / "yet")
    assert 1 <= here.cores <= (psutil.cpu_count() or 1)
    assert 0 < here.memory <= psutil.virtual_memory().total
    assert 0 < here.memory_available <= here.memory
    assert 0 < here.disk_free <= here.disk
    assert here.cpu and "\n" not in here.summary()
    assert here.as_dict()["device"] == here.device


def test_the_device_follows_the_facts() -> None:
    assert made().device == "cpu"
    assert made(gpus=(GPU,)).device == "cuda"
    assert made(gpus=(GPU,), torch=None).device == "cuda"
    assert made(gpus=(GPU,), torch="2.13.0+cpu").device == "cpu"  # a build that can't use it
    assert made(apple_silicon=True).device == "mps"


def test_the_summary_is_in_plain_words() -> None:
    assert made().summary() == "A CPU, 2 cores · 16 GB memory (8 GB free) · 50 GB disk free · no NVIDIA GPU"
    assert made(gpus=(GPU,)).summary().endswith("NVIDIA Test with 24 GB")


def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, groups: str, files: dict[str, str]) -> None:
    """Control groups as files, as the system shows them."""
    root = tmp_path / "cgroup"
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    own = tmp_path / "own"
    own.write_text(groups)
    monkeypatch.setattr(module, "CGROUPS", root)
    monkeypatch.setattr(module, "OWN_CGROUPS", own)


def test_a_containers_limits_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "memory.max": "max\n",
        "a/memory.max": "400000000\n",
        "a/memory.current": "300000000\n",
        "a/memory.stat": "anon 1\ninactive_file 50000000\n",
        "a/b/memory.max": "max\n",
        "a/cpu.max": "100000 100000\n",
        "a/b/cpu.max": "max 100000\n",
    }
    container(tmp_path, monkeypatch, "0::/a/b\n", files)
    assert module.memory() == (400_000_000, 150_000_000)
    assert module.cpu_quota() == 1.0
    assert module.cores() == 1


def test_an_older_containers_limits_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control groups 1, where the path named is that outside the container and not to be seen in it."""
    files = {
        "memory/memory.limit_in_bytes": "500000000\n",
        "memory/memory.usage_in_bytes": "100000000\n",
        "cpu,cpuacct/x": "",
        "cpu/cpu.cfs_quota_us": "150000\n",
        "cpu/cpu.cfs_period_us": "100000\n",
    }
    container(tmp_path, monkeypatch, "4:memory:/docker/abc\n1:cpu,cpuacct:/docker/abc\n0::/\n", files)
    assert module.memory() == (500_000_000, 400_000_000)
    assert module.cpu_quota() == 1.5


def test_no_limit_is_no_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"memory/memory.limit_in_bytes": "9223372036854771712\n", "cpu/cpu.cfs_quota_us": "-1\n"}
    container(tmp_path, monkeypatch, "4:memory:/\n1:cpu:/\n", files)
    assert module.memory()[0] == psutil.virtual_memory().total
    assert module.cpu_quota() is None


def test_kills_for_want_of_memory_are_those_of_the_own_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the whole machine only where no group counts them."""
    whole = tmp_path / "vmstat"
    whole.write_text("pgfault 7\noom_kill 5\n")
    monkeypatch.setattr(module, "VMSTAT", whole)
    container(tmp_path, monkeypatch, "0::/a/b\n", {"a/memory.events": "oom 9\noom_kill 2\n", "a/b/memory.max": "max"})
    assert module.memory_kills() == 2
    (tmp_path / "cgroup" / "a" / "memory.events").unlink()
    assert module.memory_kills() == 5
    whole.unlink()
    assert module.memory_kills() == 0


def test_cuda_visible_devices_is_honoured() -> None:
    ids = ["GPU-aa11", "GPU-bb22", "GPU-bb33"]
    assert visible("0,2", ids) == [0, 2]
    assert visible("1, 0", ids) == [1, 0]
    assert visible("", ids) == []
    assert visible("-1", ids) == []
    assert visible("0,7,1", ids) == [0]  # CUDA shows nothing behind an unknown one
    assert visible("GPU-bb22", ids) == [1]
    assert visible("GPU-bb", ids) == []  # ambiguous


class Nvml(types.SimpleNamespace):
    """NVIDIA's library as far as it is used, with one GPU that tells all and one that tells little."""

    class NVMLError(Exception):
        pass

    def nvmlDeviceGetCount(self) -> int:
        return 2

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


def test_gpus_are_read_through_nvml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_nvml", lambda: Nvml())
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert module.gpus() == (Gpu("GPU 0", 80, 30, 55, (9, 0)), Gpu("GPU 1", 80, 31, None, None))
    assert Readings().sample().items() >= {"gpu_memory": 30, "gpu_use": 55}.items()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert [gpu.name for gpu in module.gpus()] == ["GPU 1"]
    assert "gpu_use" not in Readings().sample()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert module.gpus() == ()


def test_readings_follow_the_process() -> None:
    readings = Readings()
    before = readings.sample()
    block = bytearray(60_000_000)
    during = readings.sample()
    assert during["memory"] >= before["memory"] + 50_000_000
    assert during["peak_memory"] >= during["memory"] - 5_000_000
    del block
    after = readings.sample()
    assert after["peak_memory"] >= before["memory"] + 50_000_000
    start = time.perf_counter()
    for _ in range(100):
        readings.sample()
    print(f"one sample: {(time.perf_counter() - start) * 1e4:.0f} µs")


def test_the_peak_is_the_process_own_and_not_its_parents() -> None:
    block = bytearray(200_000_000)
    code = "from studio.machine import peak_memory; print(peak_memory())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert len(block) < peak_memory()
    assert int(done.stdout) < 150_000_000
