"""The keeper tells how a training ended that can't tell it itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend import keeper
from backend.job import Concluded, Job
from studio import events, logs
from studio.errors import MEMORY, NoMemory, StudioError
from studio.jobs import folder as job_folder
from studio.workspace import Workspace
from tests.worlds import World, start_worker, told, world

__all__ = ["world"]

CGROUP = Path("/sys/fs/cgroup/memory")
LIMIT = 96 << 20


@pytest.fixture
def job(workspace: Workspace) -> Iterator[Job]:
    job = Job(job_folder.create(workspace, "train", {}))
    with job.log, job.metrics:
        yield job


def python(code: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(code)]


def test_a_training_that_told_its_end_is_believed(job: Job) -> None:
    code = f"from studio.logs import Log; from pathlib import Path; Log(Path({str(job.folder / events.EVENTS)!r}))"
    for kind, wanted in (("finished", 0), ("stopped", 0), ("failed", 1)):
        with pytest.raises(Concluded) as end:
            keeper.keep(job, python(f"{code}.append({kind!r})"), {})
        assert end.value.code == wanted


def test_a_crash_is_said_with_its_signal(job: Job) -> None:
    with pytest.raises(StudioError, match="SIGSEGV") as crash:
        keeper.keep(job, python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"), {})
    assert not isinstance(crash.value, NoMemory) and crash.value.next
    with pytest.raises(StudioError, match="code 7"):
        keeper.keep(job, python("raise SystemExit(7)"), {})


def test_killed_by_somebody_there_is_no_end(job: Job) -> None:
    with pytest.raises(Concluded) as end:
        keeper.keep(job, python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"), {})
    assert end.value.code == 1
    assert not told(job.folder, "failed")


def test_the_kernels_mark_tells_a_want_of_memory_from_a_kill(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = iter((4, 5))
    monkeypatch.setattr(keeper, "memory_kills", lambda: next(counts))
    with pytest.raises(NoMemory) as end:
        keeper.keep(job, python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"), {})
    assert end.value.as_dict()["cause"] == MEMORY


@pytest.fixture
def small_memory() -> Iterator[Path]:
    """A control group with little memory, where this user may make one (cgroup 1 or 2)."""
    root = CGROUP if CGROUP.is_dir() else CGROUP.parent
    group = root / f"flextune-test-{os.getpid()}"
    try:
        group.mkdir()
        for name in ("memory.limit_in_bytes", "memory.max"):
            if (group / name).exists():
                (group / name).write_text(str(LIMIT))
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    yield group
    group.rmdir()


def test_the_real_kernel_ends_a_training_that_takes_too_much(job: Job, small_memory: Path) -> None:
    """The keeper is outside of the group; the training enters it, fills it, and is ended by the system."""
    code = f"""
        import os
        open({str(small_memory / "cgroup.procs")!r}, "w").write(str(os.getpid()))
        kept = []
        while True:
            kept.append(b"x" * 1_000_000)
            if len(kept) > {4 * LIMIT // 1_000_000}: raise SystemExit(9)
    """
    try:
        with pytest.raises(NoMemory, match="The system ended"):
            keeper.keep(job, python(code), {})
    except StudioError as error:
        if "code 9" in str(error):
            pytest.skip("this kernel sets no limit to a control group")
        raise


def test_nobody_outlives_the_other(world: World) -> None:
    """kill -9 of the keeper ends the training; kill -9 of the training ends the keeper; both are interrupted."""
    for victim in ("keeper", "training"):
        folder = world.run(max_steps=5000, samples=0)
        process = start_worker(folder)
        wait(lambda f=folder: events.last_metric(f).get("step", 0) >= 1, folder)
        (child,) = children(process.pid)
        os.kill(process.pid if victim == "keeper" else child, signal.SIGKILL)
        process.wait(timeout=30)
        wait(lambda pid=child: not Path(f"/proc/{pid}").exists(), folder)
        assert job_folder.status(folder) == "interrupted"


def children(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return [int(line) for line in found.stdout.split()]


def wait(ready: Callable[[], bool], folder: Path) -> None:
    deadline = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < deadline, (logs.last(folder / events.EVENTS), (folder / "output.log").read_text())
        time.sleep(0.02)
