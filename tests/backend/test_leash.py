"""What is started under a guard ends with the one who started it, and whatever it has started ends too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from backend import leash
from tests.worlds import gone, wait

ROOT = Path(__file__).resolve().parents[2]
# A program with a child in a session of its own, that leaves behind an orphan; each writes down who it is.
FAMILY = """
import os, subprocess, sys, time
place, deep = sys.argv[1], int(sys.argv[2])
if deep:
    subprocess.Popen([sys.executable, __file__, place, str(deep - 1)], start_new_session=True)
open(os.path.join(place, f"{deep}.pid"), "w").write(str(os.getpid()))
time.sleep(0 if deep == 1 else 1000)
"""
DEEP = 2


def family(folder: Path) -> list[str]:
    (folder / "family.py").write_text(FAMILY)
    return [sys.executable, str(folder / "family.py"), str(folder), str(DEEP)]


def pids(folder: Path) -> list[int]:
    """Of all of the family, once they have all started."""
    files = [folder / f"{deep}.pid" for deep in range(DEEP + 1)]
    wait(lambda: all(file.exists() and file.read_text() for file in files))
    return [int(file.read_text()) for file in files]


def test_to_end_it_is_to_end_all(tmp_path: Path) -> None:
    guard = leash.guarded(family(tmp_path))
    started = pids(tmp_path)
    assert leash.end(guard) == leash.KILLED + signal.SIGKILL
    assert all(gone(pid) for pid in started)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_its_starter(tmp_path: Path, how: signal.Signals) -> None:
    code = f"from backend import leash; leash.guarded({family(tmp_path)!r}).wait()"
    starter = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    started = pids(tmp_path)
    os.kill(starter.pid, how)
    starter.wait()
    wait(lambda: all(gone(pid) for pid in started))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_a_guard_that_is_killed_takes_the_program_along(tmp_path: Path) -> None:
    guard = leash.guarded([sys.executable, "-c", "import time; print('x', flush=True); time.sleep(1000)"])
    wait(lambda: bool(psutil.Process(guard.pid).children()))
    (program,) = psutil.Process(guard.pid).children()
    guard.kill()
    assert leash.end(guard) == -signal.SIGKILL
    wait(lambda: gone(program.pid))


def test_its_end_is_that_of_the_program(tmp_path: Path) -> None:
    for code, wanted in (("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", leash.KILLED + 9), ("", 0)):
        guard = leash.guarded([sys.executable, "-c", code], cwd=tmp_path)
        assert guard.wait() == wanted
        assert leash.end(guard) == wanted


def test_what_a_program_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    code = f"""
        import os, subprocess, time
        subprocess.Popen({family(tmp_path)!r}, start_new_session=True)
        while not os.path.exists({str(tmp_path / "enough")!r}): time.sleep(0.01)
    """
    guard = leash.guarded([sys.executable, "-c", textwrap.dedent(code)])
    started = pids(tmp_path)
    (tmp_path / "enough").touch()
    assert guard.wait() == 0
    assert leash.end(guard) == 0
    if sys.platform == "linux":  # elsewhere nobody knows any more whose it was
        assert all(gone(pid) for pid in started)


def test_a_process_ends_with_its_parent_where_the_system_does_not_see_to_it(tmp_path: Path) -> None:
    """By the way that macOS and Windows go; the parent is killed, or gone before it is looked for."""
    told = tmp_path / "pid"
    child = f"""
        import os, sys, time
        import psutil
        from backend import leash
        sys.platform = "elsewhere"
        leash.tie_to_parent()
        open({str(told)!r}, "w").write(str(os.getpid()))
        time.sleep(1000)
    """
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {textwrap.dedent(child)!r}])"
    starter = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    wait(lambda: told.exists() and bool(told.read_text()))
    assert not gone(int(told.read_text()))
    starter.kill()
    wait(lambda: gone(int(told.read_text())))  # before anybody has waited for the parent
    starter.wait()
    late = f"from backend import leash; leash._watch_parent({starter.pid})"
    assert subprocess.run([sys.executable, "-c", late], cwd=ROOT, timeout=60).returncode == 1
