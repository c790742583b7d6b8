"""studio/machine.py: this machine, and containers made of files."""

from __future__ import annotations

import mmap
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from studio import gpus
from studio import machine as module
from studio.gpus import Gpu
from studio.machine import Machine, Readings, machine, peak_memory
from tests.studio.test_gpus import Nvml

ROOT = Path(__file__).resolve().parents[2]


def made(**fields: Any) -> Machine:
    facts: dict[str, Any] = {
        "system": "Linux", "cpu": "A CPU", "cores": 2, "flags": (), "memory": 16_000_000_000,
        "memory_available": 8_000_000_000, "disk": 100_000_000_000, "disk_free": 50_000_000_000, "gpus": (),
        "apple_silicon": False, "torch": "2.13.0",
    }  # fmt: skip
    return Machine(**facts | fields)


def new_memory(size: int) -> mmap.mmap:
    """So many bytes that this process did not hold before.

    A `bytearray` may lie where the tests before this one have left room in a heap that is still theirs.
    """
    block = mmap.mmap(-1, size, access=mmap.ACCESS_COPY)  # private to this process
    block.write(b"1" * size)
    return block


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


@pytest.mark.parametrize(
    ("facts", "why", "advice"),
    [
        ({"torch_cuda": "", "driver_cuda": 13}, "2.13.0, is a build for CPUs", "CUDA build"),
        ({"torch_cuda": "13.0", "driver_cuda": 12}, "needs a driver for CUDA 13; .* CUDA 12 at most", "for CUDA 12 "),
        ({"torch_cuda": "13.0", "driver_cuda": 13, "gpus": (replace(GPU, capability=(7, 0)),)}, "is older", "12.6"),
    ],
)
def test_a_gpu_that_this_torch_can_not_use_is_left_alone(facts: dict[str, Any], why: str, advice: str) -> None:
    here = made(**{"gpus": (GPU,)} | facts)
    assert here.device == "cpu" and here.usable_gpus == ()
    assert here.hindrance and re.search(why, here.hindrance.why) and advice in here.hindrance.next
    assert replace(here, gpus=()).hindrance is None
    assert replace(here, apple_silicon=True).device == "mps"


def test_a_gpu_is_used_where_torch_and_driver_fit_and_where_they_do_not_tell() -> None:
    old = replace(GPU, capability=(7, 0))
    for facts in (
        {"torch_cuda": "13.0", "driver_cuda": 13},
        {"torch_cuda": "12.8", "driver_cuda": 13},
        {"torch_cuda": "12.8", "driver_cuda": 12, "gpus": (old,)},
        {"torch_cuda": "13.0", "driver_cuda": None, "gpus": (replace(GPU, capability=(7, 5)),)},
        {"torch_cuda": "13.0", "driver_cuda": 13, "gpus": (replace(GPU, capability=None),)},
        {"torch_cuda": None, "driver_cuda": 11, "gpus": (old,)},
    ):
        here = made(**{"gpus": (GPU,)} | facts)
        assert here.device == "cuda" and here.hindrance is None and here.usable_gpus == here.gpus, facts
    mixed = made(gpus=(GPU, old, GPU), torch_cuda="13.0", driver_cuda=13)
    assert mixed.device == "cuda" and mixed.usable_gpus == (GPU,)  # a third process would take the third


def test_gpus_are_alike_by_name_or_memory_from_the_first_on() -> None:
    sibling, display = replace(GPU, name="Sibling", memory=22_000_000_000), replace(GPU, name="Old", memory=2 * 10**9)
    smaller = replace(GPU, memory=20_000_000_000)  # of the same name
    assert made().alike_gpus == ()
    assert made(gpus=(GPU, GPU, sibling, smaller)).alike_gpus == (GPU, GPU, sibling, smaller)
    assert made(gpus=(GPU, sibling, display, GPU)).alike_gpus == (GPU, sibling)
    assert made(gpus=(display, GPU, GPU)).alike_gpus == (display,)
    assert made(gpus=(GPU, GPU), torch_cuda="").alike_gpus == ()


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


def test_torch_and_driver_are_held_against_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "_nvml", lambda: Nvml())
    monkeypatch.setattr(module, "torch_cuda", lambda: "13.0")
    monkeypatch.setattr(module, "torch_version", lambda: "2.13.0")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    gpus.driver_cuda.cache_clear()
    try:
        here = machine()
    finally:
        gpus.driver_cuda.cache_clear()
    assert (here.torch_cuda, here.driver_cuda) == ("13.0", 12)
    assert here.hindrance and not here.usable_gpus


def test_readings_have_the_gpu_of_a_run_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "_nvml", lambda: Nvml())
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert Readings().sample().items() >= {"gpu_memory": 30, "gpu_use": 55}.items()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert "gpu_use" not in Readings().sample()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert set(Readings().sample()) == {"memory", "peak_memory"}


def test_readings_follow_the_process() -> None:
    readings = Readings()
    before = readings.sample()
    block = new_memory(60_000_000)
    during = readings.sample()
    assert during["memory"] >= before["memory"] + 50_000_000
    assert during["peak_memory"] >= during["memory"] - 5_000_000
    block.close()
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
