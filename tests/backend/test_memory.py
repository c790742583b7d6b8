"""Memory that another program takes in mid-run: a real training meets the limit, tells it, and goes on exactly."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
import transformers
from safetensors import SafetensorError

from backend import job
from backend.engine import weights
from backend.job import in_words
from studio import events, proposal, runs
from studio.campaign import differences
from studio.errors import MEMORY, BadInput, JobFailed, NoMemory
from studio.jobs import folder as job_folder
from studio.jobs import follow
from tests.worlds import World, gone, start_worker, told, train, wait, world

__all__ = ["train", "world"]

LONG = {"max_steps": 24, "save_steps": 2, "eval_steps": 24, "samples": 0, "batch_size": 16, "tokens_per_pass": 1024}
CGROUPS = Path("/sys/fs/cgroup")
# glibc then keeps no block of more than this for later use: what the training needs, it asks of the system.
NO_STORE = "MALLOC_MMAP_THRESHOLD_", "16384"


def no_more(trainer: psutil.Process) -> None:
    """The system refuses it any further block, as where it never promises more than there is."""
    trainer.rlimit(psutil.RLIMIT_AS, (trainer.memory_info().vms, -1))


def too_full(trainer: psutil.Process) -> None:
    """The kernel ends it to get memory: it has next to none left for new blocks in its control group."""
    root = CGROUPS / "memory" if (CGROUPS / "memory").is_dir() else CGROUPS
    group = root / f"flextune-test-{os.getpid()}"
    try:
        group.mkdir()
        for name in ("memory.limit_in_bytes", "memory.max"):
            if (group / name).exists():
                (group / name).write_text(str(1 << 20))
        (group / "cgroup.procs").write_text(str(trainer.pid))
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")


@pytest.fixture
def emptied() -> Iterator[None]:
    """The control group goes when nobody is in it any more."""
    yield
    for group in (*CGROUPS.glob(f"flextune-test-{os.getpid()}"), *CGROUPS.glob(f"memory/flextune-test-{os.getpid()}")):
        wait(lambda group=group: not (group / "cgroup.procs").read_text())  # type: ignore[misc]
        group.rmdir()


def trainer_of(worker: subprocess.Popen[bytes], folder: Path) -> psutil.Process:
    """The process that trains, once it has learned some steps; held, until it is let go on."""
    while events.last_metric(folder).get("step", 0) < 3:
        assert worker.poll() is None, (folder / "output.log").read_text()
        time.sleep(0.002)
    (trainer,) = psutil.Process(worker.pid).children()
    trainer.suspend()
    return trainer


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process that runs")
@pytest.mark.parametrize("taken", [no_more, too_full])
def test_memory_that_another_program_takes_in_mid_run_ends_it_with_the_ladder_and_loses_nothing(
    taken: Callable[[psutil.Process], None], world: World, train: Any, monkeypatch: pytest.MonkeyPatch, emptied: None
) -> None:
    whole, short = world.run(**LONG), world.run(**LONG)
    train(whole)
    with monkeypatch.context() as patch:
        patch.setenv(*NO_STORE)
        worker = start_worker(short)
    trainer = trainer_of(worker, short)
    taken(trainer)
    trainer.resume()
    assert worker.wait(timeout=120) == 1, (short / "output.log").read_text()
    (end,) = told(short, "failed")
    assert end.get("cause") == MEMORY and end["what"] == "The memory ran out." and end["next"], end
    assert end["had"]["device"] == "cpu" and end["had"]["gb"] > 0, "the ladder beside it is judged from that"
    about = runs.summary(short)
    assert about.status == "failed" and about.error and about.error["cause"] == MEMORY
    assert any(rung.same for rung in proposal.rungs(world.workspace, short.name)), "it could go on with less"
    assert train(short)["type"] == "finished"
    assert told(short, "resumed")[0]["from_step"] >= 2
    assert differences(whole, short) == []


def test_a_worker_killed_as_a_whole_is_interrupted_and_says_that_memory_may_be_why(world: World) -> None:
    """The kernel may end the keeper too, and then nobody is left to tell why."""
    folder = world.run(**LONG)
    worker = start_worker(folder)
    trainer = trainer_of(worker, folder)
    worker.kill()
    worker.wait()
    wait(lambda: gone(trainer.pid) and not job_folder.alive(folder))
    assert runs.summary(folder).status == "interrupted" and not told(folder, "failed")
    with pytest.raises(JobFailed, match=r"interrupted.*memory runs out.*resume it"):
        follow.result(folder, events.read_state(folder))
    assert list((folder / "checkpoints").glob("step-*"))


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you …"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:83] data. DefaultCPUAllocator: not enough memory: you tried …"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"),
        RuntimeError("could not create a primitive"),
        RuntimeError("unable to mmap 240001485 bytes from file </m/model.bin>: Cannot allocate memory (12)"),
        SafetensorError("Die Auslagerungsdatei ist zu klein. (os error 1455)"),
        OSError(12, "Cannot allocate memory"),
        MemoryError(),
    ],
    ids=[
        "Linux",
        "Windows",
        "C++",
        "cuBLAS",
        "cuBLAS at first",
        "oneDNN",
        "a file",
        "a file on Windows",
        "the system",
        "Python",
    ],
)
def test_a_want_of_memory_is_known_by_every_name(error: Exception) -> None:
    assert isinstance(in_words(error), NoMemory)


@pytest.mark.parametrize(
    ("error", "device"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate …"), "cuda"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), "cuda"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "cpu"),
    ],
)
def test_the_memory_that_was_not_enough_is_that_of_the_device_it_ran_out_on(
    error: Exception, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (10**9, 24 * 10**9))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 22 * 10**9)
    had = job._had(error)["had"]
    assert had["device"] == device and (device == "cpu" or had["gb"] == 23)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("could not create a primitive descriptor for a matmul"),
        BadInput("There is no column “out of memory”.", "The table has others.", "Choose one of these."),
        FileNotFoundError(2, "No such file or directory", "/data/out of memory.jsonl"),
    ],
    ids=["oneDNN", "a column", "a file"],
)
def test_what_only_speaks_of_memory_is_no_want_of_it(error: Exception) -> None:
    assert not isinstance(in_words(error), NoMemory)


def test_a_want_of_memory_that_is_told_already_keeps_its_words() -> None:
    told = NoMemory("The memory ran out.", "can't allocate memory. The run can go on from step 4.", "Resume the run.")
    assert in_words(told) is told


@pytest.mark.parametrize(
    "error", [OSError(12, "Cannot allocate memory"), torch.OutOfMemoryError("CUDA out of memory. Tried to allocate …")]
)
def test_a_model_that_finds_no_room_is_not_called_broken(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", fail)
    monkeypatch.setattr(weights.PeftModel, "from_pretrained", fail)
    base = torch.nn.Linear(1, 1)
    base.device = torch.device("cpu")
    for load in (lambda: weights.load_model(tmp_path, "cpu"), lambda: weights.with_adapter(base, "tuned", tmp_path)):
        with pytest.raises(type(error)):
            load()
