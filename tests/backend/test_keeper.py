"""The keeper tells how a training ended that can't tell it itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from backend import keeper
from backend.job import Concluded, Job
from studio import events, machine
from studio.errors import MEMORY, NoMemory, StudioError
from studio.jobs import folder as job_folder
from studio.workspace import Workspace
from tests.worlds import World, gone, start_worker, told, wait, world

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
            keeper.keep(job, python(f"{code}.append({kind!r})"), [{}])
        assert end.value.code == wanted


def test_a_crash_is_said_with_its_signal(job: Job) -> None:
    with pytest.raises(StudioError, match="SIGSEGV") as crash:
        keeper.keep(job, python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"), [{}])
    assert not isinstance(crash.value, NoMemory) and crash.value.next
    with pytest.raises(StudioError, match="code 7"):
        keeper.keep(job, python("raise SystemExit(7)"), [{}])


def test_a_system_without_that_signal_is_told_of_a_crash_too(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(signal, "SIGKILL")  # as on Windows
    with pytest.raises(StudioError, match="code 7"):
        keeper.keep(job, python("raise SystemExit(7)"), [{}])


def test_killed_by_somebody_there_is_no_end(job: Job) -> None:
    with pytest.raises(Concluded) as end:
        keeper.keep(job, python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"), [{}])
    assert end.value.code == 1
    assert not told(job.folder, "failed")


def test_a_shell_of_several_processes_does_not_reach_a_training_of_one(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under torchrun, or on a cluster."""
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "1")
    code = "import os; raise SystemExit(9 if 'RANK' in os.environ else int(os.environ.get('WORLD_SIZE', '7')))"
    for given, wanted in (({}, "code 7"), ({"WORLD_SIZE": "2"}, "code 2")):
        with pytest.raises(StudioError, match=wanted):
            keeper.keep(job, python(code), [given])


class Kernel:
    """Counts as the kernel would when it is asked again and again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *counts: int) -> None:
        self.counts = list(counts)
        monkeypatch.setattr(keeper, "memory_kills", self.count)

    def count(self) -> int:
        return self.counts.pop(0) if len(self.counts) > 1 else self.counts[0]


KILLED = python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")


def test_the_kernels_mark_tells_a_want_of_memory_from_a_kill(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    Kernel(monkeypatch, 4, 5)
    with pytest.raises(NoMemory) as end:
        keeper.keep(job, KILLED, [{}])
    assert end.value.as_dict()["cause"] == MEMORY


def test_only_a_kill_with_a_mark_just_now_is_a_want_of_memory(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program's end for want of memory is none of ours, nor is one of a while ago."""
    Kernel(monkeypatch, 4, 5)
    with pytest.raises(StudioError, match="code 7") as crash:
        keeper.keep(job, python("raise SystemExit(7)"), [{}])
    assert not isinstance(crash.value, NoMemory)
    Kernel(monkeypatch, 4, 5)
    monkeypatch.setattr(keeper, "MARK_SECONDS", 0.0)
    with pytest.raises(Concluded):
        keeper.keep(job, KILLED, [{}])


LOST_ONE = "RuntimeError('[gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:4711')"


def companion(job: Job, fault: str) -> list[str]:
    """A training of two: the second has the fault, upon which the first loses it."""
    return python(f"""
        import os, signal, sys, time
        from backend.keeper import live
        sys.argv = ["", {str(job.folder)!r}]
        first = os.environ["RANK"] == "0"
        gone = {str(job.folder / "gone")!r}
        def main(job):
            while first and not os.path.exists(gone): time.sleep(0.01)
            if first: raise {LOST_ONE}
            open(gone, "w")
            {fault}
        live(main)
    """)


TWO = [{"RANK": str(index), "WORLD_SIZE": "2"} for index in range(2)]


def test_the_end_of_several_is_that_of_the_one_that_was_lost(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Concluded):  # killed by somebody
        keeper.keep(job, companion(job, "os.kill(os.getpid(), signal.SIGKILL)"), TWO)
    assert not told(job.folder, "failed")
    (job.folder / "gone").unlink()
    with pytest.raises(StudioError, match="code 7"):  # it crashed
        keeper.keep(job, companion(job, "os._exit(7)"), TWO)
    (job.folder / "gone").unlink()
    with monkeypatch.context() as patch, pytest.raises(NoMemory):  # ended by the kernel
        Kernel(patch, 4, 5)
        keeper.keep(job, companion(job, "os.kill(os.getpid(), signal.SIGKILL)"), TWO)
    (job.folder / "gone").unlink()
    with pytest.raises(Concluded):  # it failed in words
        keeper.keep(job, companion(job, "raise RuntimeError('the true cause')"), TWO)
    (failure,) = told(job.folder, "failed")
    assert "the true cause" in failure["why"]


def test_one_that_waits_for_a_lost_one_is_ended(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "GRACE_SECONDS", 0.2)
    code = "import os, time; time.sleep(1000) if os.environ['RANK'] == '0' else os._exit(7)"
    with pytest.raises(StudioError, match="code 7"):
        keeper.keep(job, python(code), TWO)
    assert not [child for child in psutil.Process().children() if code in child.cmdline()]


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


def test_the_real_kernel_ends_a_training_that_takes_too_much(
    job: Job, small_memory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The training enters the group, fills it, and is ended by the system; the keeper looks at that group."""
    (tmp_path / "own").write_text(f"0::/{small_memory.name}\n")
    monkeypatch.setattr(machine, "OWN_CGROUPS", tmp_path / "own")
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
            keeper.keep(job, python(code), [{}])
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
        wait(lambda pid=child: gone(pid), folder)
        assert job_folder.status(folder) == "interrupted"


def children(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return [int(line) for line in found.stdout.split()]
