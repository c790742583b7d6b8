"""The keeper of a training: a small process that holds the run's lock and starts the processes that train.

    python -m backend.train FOLDER            the keeper
      python -m backend.training FOLDER       trains; several of them where asked for

A training that the system ends for want of memory can't say so itself: its keeper reads the kernel's mark and ends the
run as failed, with words. Killed by anybody else, the run is interrupted. Neither outlives the other. Of several that
train together, those that only lost another one say nothing: the end is that of the one that was lost.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from filelock import FileLock, Timeout

from backend.job import LOCK_SECONDS, Concluded, Job, conclude
from backend.leash import KILL, leashed, tie_to_parent
from backend.training.launching import environment, forget_meetings
from studio import events, logs
from studio.errors import NoMemory, StudioError
from studio.jobs import local
from studio.machine import memory_kills

# Held by the process that trains: a second life waits until the last process of the first one is gone.
LOCK = "training.lock"
POLL_SECONDS = 0.1
# When one has failed, the others get this long to end by themselves; NCCL's would wait for ever.
GRACE_SECONDS = 5.0
# A process killed this soon after the kernel counted a want of memory was killed for it.
MARK_SECONDS = 10.0
# How gloo and NCCL say that another process is gone, and how such a process ends.
LOST = re.compile(r"gloo/transport|Connection (closed|reset) by peer|Broken pipe|remote process exited")
LOST_CODE = 4
MEMORY_NEXT = "Take one of the smaller settings beside it; what was saved is kept, so the run can go on from there."


def keep(job: Job, command: list[str], environments: list[dict[str, str]]) -> dict[str, Any]:
    """Starts `command` once with each of `environments`, waits, and sees to it that the run has an end that is true.

    Raises:
        Concluded: the training told its end itself, or was killed by somebody.
        NoMemory: the system ended it because memory ran out.
        StudioError: it crashed without a word.
    """
    mark = MemoryMark()
    forget_meetings(job.folder)
    children = [leashed(command, cwd=local.ROOT, env=environment(given)) for given in environments]
    codes = _wait(job, children, mark)
    forget_meetings(job.folder)
    last = logs.last(job.folder / events.EVENTS) or {}
    if last.get("type") in events.TERMINAL:
        raise Concluded(1 if last["type"] == "failed" else 0)
    if -KILL in codes and mark.fresh():
        raise NoMemory("The memory ran out.", "The system ended the training to save itself.", MEMORY_NEXT)
    if {-KILL, -signal.SIGTERM} & set(codes):
        raise Concluded(1)  # somebody's kill -9 leaves no word: the run is interrupted
    code = next((code for code in codes if code not in (0, LOST_CODE)), codes[0])
    raise StudioError(
        "The training broke off without a word.",
        f"Its process ended with {signal.Signals(-code).name if code < 0 else f'code {code}'}.",
        "Look into its log, then resume the run.",
    )


class MemoryMark:
    """Whether the kernel has ended a process for want of memory just now."""

    def __init__(self) -> None:
        self._count, self._rose = memory_kills(), -math.inf

    def look(self) -> None:
        """Called again and again: only what rises between two calls has a time."""
        before, self._count = self._count, memory_kills()
        if self._count > before:
            self._rose = time.monotonic()

    def fresh(self) -> bool:
        self.look()
        return time.monotonic() - self._rose < MARK_SECONDS


def _wait(job: Job, children: list[subprocess.Popen[bytes]], mark: MemoryMark) -> list[int]:
    """Until none is left; when one fails, the others are ended. The exit codes of those that ended by themselves."""
    asked, deadline = False, math.inf
    while running := [child for child in children if child.poll() is None]:
        mark.look()
        if job.terminated and not asked:
            asked = True
            local.stop(job.folder)
        codes = [child.returncode for child in children if child.returncode is not None]
        if any(codes):
            deadline = min(deadline, time.monotonic() + GRACE_SECONDS)
        if time.monotonic() > deadline:
            _kill(running)
            return codes
        with contextlib.suppress(subprocess.TimeoutExpired):
            running[0].wait(POLL_SECONDS)
    return [child.returncode for child in children]


def _kill(children: list[subprocess.Popen[bytes]]) -> None:
    for child in children:
        child.kill()
    for child in children:
        child.wait()


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
    if os.environ.get("WORLD_SIZE", "1") == "1":
        job = Job(folder)
    else:
        job = Companion(folder) if first else Mute(folder)
    signal.signal(signal.SIGTERM, job.on_terminate)
    quit_with(conclude(job, lambda job: _unless_lost(job, main)))


def _unless_lost(job: Job, main: Callable[[Job], dict[str, Any]]) -> dict[str, Any]:
    """Does the work; that another process was lost is not a failure to tell, for it is not the cause."""
    try:
        return main(job)
    except RuntimeError as error:
        if not isinstance(job, Companion) or not LOST.search(str(error)):
            raise
        traceback.print_exc()
        raise Concluded(LOST_CODE) from error


def quit_with(code: int) -> NoReturn:
    """Ends this process at once: libraries' threads can hang the interpreter's own way out."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class Companion(Job):
    """The job of one of several processes: a failure after that of another one is its consequence, and not told."""

    def event(self, type: str, /, **fields: Any) -> None:  # noqa: A002
        if type != "failed" or (logs.last(self.folder / events.EVENTS) or {}).get("type") not in events.TERMINAL:
            super().event(type, **fields)


class Mute(Companion):
    """The job of a process beside the first one: it tells nothing but a failure of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.metrics = logs.Log(Path(os.devnull))

    def event(self, type: str, /, **fields: Any) -> None:  # noqa: A002
        if type == "failed":
            super().event(type, **fields)

    def progress(self, *_: Any, **__: Any) -> None:
        """The first process tells how far all are."""
