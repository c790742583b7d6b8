"""The keeper of a training: a small process that holds the run's lock and starts the processes that train.

    python -m backend.train FOLDER            the keeper
      python -m backend.training FOLDER       trains; several of them, under torch.distributed.run, where asked for

A training that the system ends for want of memory can't say so itself: its keeper reads the kernel's mark and ends the
run as failed, with words. Killed by anybody else, the run is interrupted. Neither outlives the other.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from filelock import FileLock, Timeout

from backend.job import LOCK_SECONDS, Concluded, Job, conclude
from studio import events, logs
from studio.errors import NoMemory, StudioError
from studio.jobs import local
from studio.machine import memory_kills

# Held by the process that trains: a second life waits until the last process of the first one is gone.
LOCK = "training.lock"
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux
POLL_SECONDS = 0.1
MEMORY_NEXT = "Take one of the smaller settings beside it; what was saved is kept, so the run can go on from there."


def keep(job: Job, command: list[str], environment: dict[str, str]) -> dict[str, Any]:
    """Starts `command`, waits for it, and sees to it that the run has an end that is true.

    Raises:
        Concluded: the command told its end itself, or was killed by somebody.
        NoMemory: the system ended it because memory ran out.
        StudioError: it crashed without a word.
    """
    kills = memory_kills()
    child = leashed(command, cwd=local.ROOT, env=os.environ | environment)
    code = _wait(job, child)
    last = logs.last(job.folder / events.EVENTS) or {}
    if last.get("type") in events.TERMINAL:
        raise Concluded(1 if last["type"] == "failed" else 0)
    if memory_kills() > kills:
        raise NoMemory("The memory ran out.", "The system ended the training to save itself.", MEMORY_NEXT)
    if code in (-signal.SIGKILL, -signal.SIGTERM):
        raise Concluded(1)  # somebody's kill -9 leaves no word: the run is interrupted
    raise StudioError(
        "The training broke off without a word.",
        f"Its process ended with {signal.Signals(-code).name if code < 0 else f'code {code}'}.",
        "Look into its log, then resume the run.",
    )


def _wait(job: Job, child: subprocess.Popen[bytes]) -> int:
    told = False
    while True:
        try:
            return child.wait(POLL_SECONDS)
        except subprocess.TimeoutExpired:
            if job.terminated and not told:
                told = True
                child.terminate()


def live(main: Callable[[Job], dict[str, Any]]) -> None:
    """One process that trains, from its command line to its end; those after the first are mute.

    Exit codes: as those of `run_job`.
    """
    tie_to_parent()
    folder, first = Path(sys.argv[1]).resolve(), os.environ.get("RANK", "0") == "0"
    lock = FileLock(folder / LOCK, is_singleton=False)
    try:
        if first:
            lock.acquire(timeout=LOCK_SECONDS)
    except Timeout:
        print(f"Another process trains in {folder}.", file=sys.stderr)
        os._exit(3)
    job = Job(folder) if first else Mute(folder)
    signal.signal(signal.SIGTERM, job.on_terminate)
    quit_with(conclude(job, main))


def quit_with(code: int) -> NoReturn:
    """Ends this process at once: libraries' threads can hang the interpreter's own way out."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class Mute(Job):
    """The job of a process beside the first one: it tells nothing but a failure of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.metrics = logs.Log(Path(os.devnull))

    def event(self, type: str, /, **fields: Any) -> None:  # noqa: A002
        if type == "failed" and (logs.last(self.folder / events.EVENTS) or {}).get("type") not in events.TERMINAL:
            super().event(type, **fields)

    def progress(self, *_: Any, **__: Any) -> None:
        """The first process tells how far all are."""


def leashed(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
    """Starts a process that does not outlive this one; on systems other than Linux it calls `tie_to_parent` itself."""
    return subprocess.Popen(command, preexec_fn=_leash() if sys.platform == "linux" else None, **options)


def tie_to_parent() -> None:
    """This process ends when the one that started it does."""
    if sys.platform == "linux":
        _leash()()
    else:
        threading.Thread(target=_watch_parent, args=(os.getppid(),), daemon=True).start()


def _leash() -> Callable[[], None]:
    """What a new process does so that it is killed when the one that started it dies (Linux)."""
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def tie() -> None:
        prctl(DIE_WITH_PARENT, signal.SIGKILL)
        if os.getpid() != parent and os.getppid() != parent:  # it died meanwhile
            os._exit(1)

    return tie


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
