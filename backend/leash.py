"""Processes that end when the one that started them does, however that ends: kill -9 too.

`leashed` starts one of ours: on Linux the system ends it, elsewhere it calls `tie_to_parent` itself. `guarded` starts
anybody's program under a guard, a small process of this very file that ends the program and all that it has started:

    python -P backend/leash.py PROGRAM ARGUMENTS

The guard reads a pipe that only its starter writes to: the system closes it when the starter is gone.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

DIE_WITH_PARENT, ADOPT = 1, 36  # PR_SET_PDEATHSIG and PR_SET_CHILD_SUBREAPER of Linux
KILLED = 128  # a guard's exit code for a program ended by a signal is this and the signal's number
KILL = getattr(signal, "SIGKILL", 9)  # Windows has none
TRIES, TRY_SECONDS = 10, 1.0
LOOK_SECONDS = 0.5


def leashed(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
    """Starts a process that does not outlive this one; on systems other than Linux it calls `tie_to_parent` itself."""
    return subprocess.Popen(command, preexec_fn=_leash() if sys.platform == "linux" else None, **options)


def tie_to_parent() -> None:
    """This process ends when the one that started it does."""
    if sys.platform == "linux":
        _leash()()
    else:
        threading.Thread(target=_watch_parent, args=(os.getppid(),), daemon=True).start()


def guarded(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
    """Starts a program under a guard; `end` ends it, and so does the end of this process.

    The guard's exit code is the program's, or KILLED and the number of the signal that ended it.
    """
    return subprocess.Popen([sys.executable, "-P", __file__, *command], stdin=subprocess.PIPE, **options)


def end(guard: subprocess.Popen[bytes]) -> int:
    """Ends what `guarded` started, if it has not ended yet, and waits until nothing of it is left."""
    assert guard.stdin
    guard.stdin.close()
    return guard.wait()


def _leash() -> Callable[[], None]:
    """What a new process does so that it is killed when the one that started it dies (Linux)."""
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def tie() -> None:
        prctl(DIE_WITH_PARENT, KILL)
        if os.getpid() != parent and os.getppid() != parent:  # it died meanwhile
            os._exit(1)

    return tie


def _watch_parent(parent: int) -> None:
    """Ends this process with that one.

    On Windows `os.getppid` gives the number of a gone parent too; elsewhere it alone knows of one that is gone and that
    its own parent has not waited for yet.
    """
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):  # it is gone
        process = psutil.Process(parent)
        while os.getppid() == parent and process.is_running():
            with contextlib.suppress(psutil.TimeoutExpired):
                process.wait(LOOK_SECONDS)
    os._exit(1)


def _guard(command: list[str]) -> int:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(ADOPT, 1)  # what a process of the program leaves behind becomes the guard's child
    program = leashed(command, stdin=subprocess.DEVNULL)
    alone = threading.Event()
    threading.Thread(target=_end_with_starter, args=(alone,), daemon=True).start()
    code = program.wait()
    _end_all()
    return KILLED + KILL if alone.is_set() else code if code >= 0 else KILLED - code


def _end_with_starter(alone: threading.Event) -> None:
    sys.stdin.buffer.read()
    alone.set()
    _end_all()


def _end_all() -> None:
    """Kills every process that this one has started, and those that they have."""
    import psutil

    this = psutil.Process()
    for _ in range(TRIES):
        others = this.children(recursive=True)
        if not others:
            return
        for other in others:
            with contextlib.suppress(psutil.Error):
                other.kill()
        psutil.wait_procs(others, TRY_SECONDS)


if __name__ == "__main__":
    os._exit(_guard(sys.argv[1:]))
