"""The frame of every worker: its lock, its logs, its end.

A job's module has a `main(job) -> fields of the finished event` and ends with

    if __name__ == "__main__":
        run_job(main)

and is run as `python -m backend.<job> FOLDER`.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from studio import events, headroom, runs
from studio.errors import Busy, NoMemory, StudioError, explain
from studio.jobs import folder as job_folder
from studio.jobs import local, queue
from studio.libraries import do_without_bitsandbytes
from studio.logs import Log
from studio.machine import memory
from studio.workspace import Workspace

PROGRESS_SECONDS = 0.5
LOCK_SECONDS = 10.0
# How PyTorch says it on a GPU, on Linux and macOS, and on Windows; systems, of a file that is laid into memory, and
# Windows by number, as it speaks every language; C++ libraries; cuBLAS and cuDNN, the former also of its own beginning,
# for which it needs memory first; oneDNN, for which a primitive without its descriptor is a matter of memory.
RAN_OUT = re.compile(
    r"out of memory|can't allocate memory|not enough memory|cannot allocate memory|error 1455\b"
    r"|std::bad_alloc|STATUS_ALLOC_FAILED|CUBLAS_STATUS_NOT_INITIALIZED"
    r"|could not create a (primitive|memory object)(?! descriptor)",
    re.IGNORECASE,
)
ON_GPU = re.compile(r"\bcu(da|blas|dnn)", re.IGNORECASE)


class StopRequested(Exception):
    """Raised by a job that has saved what it had because it was asked to stop; `fields` go into `stopped`."""

    def __init__(self, **fields: Any) -> None:
        super().__init__()
        self.fields = fields


class Concluded(Exception):
    """Raised by a job whose end was told already, or can't be: it adds no terminal event of its own."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self.code = code


class Job:
    """What a worker knows: its folder, its settings, where to say what happens, and whether to stop."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workspace = Workspace(folder.parent.parent)
        self.settings: dict[str, Any] = job_folder.read_settings(folder)
        self.log = Log(folder / events.EVENTS)
        self.metrics = Log(folder / events.METRICS)
        self._terminated = False
        self._said_stopping = False
        self._last_progress = 0.0

    def event(self, type: str, /, **fields: Any) -> None:  # noqa: A002
        self.log.append(type, **fields)

    def message(self, text: str) -> None:
        """Something a person should know, in plain words."""
        self.event("message", text=text)

    def resumed(self, step: int) -> None:
        """Says that it goes on from this step, and how much of metrics.jsonl is of the lives before."""
        self.event("resumed", from_step=step, metrics=self.metrics.path.stat().st_size)

    def progress(self, done: float, total: float | None, unit: str, message: str = "", *, always: bool = False) -> None:
        """Says how far it is, at most twice a second; the last one (`done == total`) is always said."""
        now = time.monotonic()
        if always or done == total or now - self._last_progress >= PROGRESS_SECONDS:
            self._last_progress = now
            self.metrics.append("progress", done=done, total=total, unit=unit, message=message)

    def watch(self, done: int, total: int, what: str) -> None:
        """Says how far rows are, and raises StopRequested when it was asked to stop: what long work of studio calls."""
        self.stop_if_asked()
        self.progress(done, total, "rows", what)

    def should_stop(self) -> bool:
        """Whether a person asked it to end (the stop file), or the system did (SIGTERM)."""
        if not (self._terminated or (self.folder / job_folder.STOP).exists()):
            return False
        if not self._said_stopping:
            self._said_stopping = True
            self.event("stopping")
        return True

    def stop_if_asked(self, **fields: Any) -> None:
        """Raises StopRequested when it was asked to stop: for jobs that have nothing to save."""
        if self.should_stop():
            raise StopRequested(**fields)

    def on_terminate(self, *_: object) -> None:
        self._terminated = True

    @property
    def terminated(self) -> bool:
        """Whether the system asked it to end."""
        return self._terminated


def run_job(main: Callable[[Job], dict[str, Any]]) -> None:
    """Runs a worker from its command line to its terminal event.

    Exit codes: 0 finished or stopped, 1 failed, 2 not a job's folder, 3 another worker is at it.
    """
    if len(sys.argv) != 2:
        sys.exit(f"Usage: python -m {main.__module__} FOLDER")
    folder = Path(sys.argv[1]).resolve()
    if not (folder / job_folder.SETTINGS).is_file():
        print(f"{folder} is no job's folder: it has no {job_folder.SETTINGS}.", file=sys.stderr)
        sys.exit(2)
    lock = FileLock(folder / job_folder.LOCK, is_singleton=False)
    try:
        lock.acquire(timeout=LOCK_SECONDS)  # a reader that asks whether we live holds it for a moment
    except Timeout:
        print(f"Another worker is at {folder}.", file=sys.stderr)
        sys.exit(3)
    code = 1
    if not _needs_bitsandbytes(folder):
        do_without_bitsandbytes()
    try:
        # The device comes before `starting`: whoever starts the next worker waits for that event under the queue's
        # lock, and so finds the device taken.
        with _device(folder):
            code = _work(folder, main)
    except Busy as error:
        print(error, file=sys.stderr)
    finally:
        lock.release()
        with contextlib.suppress(Exception):
            os.environ[headroom.AFTER] = str(os.getpid())
            queue.advance(Workspace(folder.parent.parent), patience=2 * local.START_SECONDS)
    sys.stdout.flush()
    sys.stderr.flush()
    # Libraries' threads (datasets, torch, the hub) can hang the interpreter's own way out.
    os._exit(code)


def _needs_bitsandbytes(folder: Path) -> bool:
    """Whether this job answers as a run that was trained on a base in few bits.

    What trains on one is no process of this frame: backend/training/__main__.py.
    """
    try:
        settings = job_folder.read_settings(folder)
        run = str(settings.get("run") or settings.get("writer") or "")
        return bool(run) and runs.bits(runs.open_run(Workspace(folder.parent.parent), run)) is not None
    except (StudioError, OSError):
        return False  # said by the job where it matters


def _work(folder: Path, main: Callable[[Job], dict[str, Any]]) -> int:
    try:
        job = Job(folder)
    except StudioError as error:
        with Log(folder / events.EVENTS) as log:
            log.append("starting", pid=os.getpid())
            log.append("failed", **error.as_dict())
        return 1
    signal.signal(signal.SIGTERM, job.on_terminate)
    job.event("starting", pid=os.getpid())
    return conclude(job, lambda job: _in_turn(job, main))


def _in_turn(job: Job, main: Callable[[Job], dict[str, Any]]) -> dict[str, Any]:
    """The work, for jobs that need the device as soon as others have given back what they held of it."""
    if job.settings.get("job") in queue.DEVICE_JOBS:
        headroom.wait_for_memory(job.workspace, job.stop_if_asked, job.message)
    return main(job)


def conclude(job: Job, main: Callable[[Job], dict[str, Any]]) -> int:
    """Does the work and tells its end; the exit code."""
    try:
        job.event("finished", **main(job))
    except Concluded as end:
        return end.code
    except StopRequested as stop:
        job.should_stop()
        job.event("stopped", **stop.fields)
    except BaseException as error:
        words = in_words(error)  # told first: where memory is short, the rest may fail
        job.event("failed", **words.as_dict(), **(_had(error) if isinstance(words, NoMemory) else {}))
        with contextlib.suppress(MemoryError):
            traceback.print_exception(error)
        return 1
    return 0


def _had(error: BaseException) -> dict[str, Any]:
    """The memory that was not enough, in GB: what this process holds and what is free; of the GPU where it was that."""
    with contextlib.suppress(Exception):
        if ON_GPU.search(str(error)):
            cuda = sys.modules["torch"].cuda
            return {"had": {"device": "cuda", "gb": round((cuda.mem_get_info()[0] + cuda.memory_reserved()) / 1e9, 3)}}
        return {"had": {"device": "cpu", "gb": round((psutil.Process().memory_info().rss + memory()[1]) / 1e9, 3)}}
    return {}


@contextlib.contextmanager
def _device(folder: Path) -> Iterator[None]:
    """Holds the device for the jobs that need the whole of it."""
    try:
        needed = job_folder.read_settings(folder).get("job") in queue.DEVICE_JOBS
    except StudioError:
        needed = False  # `_work` says what is wrong with them
    if not needed:
        yield
        return
    lock = queue.take_device(Workspace(folder.parent.parent), folder)
    try:
        yield
    finally:
        lock.release()


def in_words(error: BaseException) -> StudioError:
    """`explain`, and what the torch stack says when memory runs out.

    What is said in words already keeps them, and so does what the system told: a file or a column may have any name.
    """
    known, text = explain(error), str(error)
    if type(known) is not StudioError or known is error:
        return known
    if type(error).__name__ == "OutOfMemoryError" or RAN_OUT.search(text):
        return NoMemory(
            "The memory ran out.",
            text.splitlines()[0] if text else "The device has not enough memory for these settings.",
            "Close other programs and try again; a smaller model, batch or cut-off needs less. What was saved is kept.",
        )
    return known
