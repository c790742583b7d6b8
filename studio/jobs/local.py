"""Processes on this machine: start, stop, alive. Another place to run (a cluster) would offer the same three."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from studio import events, preferences
from studio.errors import JobFailed
from studio.gpus import VISIBLE, order
from studio.jobs import folder as job_folder
from studio.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0

# Workers this process started, so that the dead ones are reaped and leave no zombies.
_children: list[subprocess.Popen[bytes]] = []


def start(folder: Path) -> int:
    """Starts the worker of a job in a session of its own and waits until it has said so.

    Returns:
        The worker's process id.

    Raises:
        JobFailed: it died before its first event.
    """
    job = str(job_folder.read_settings(folder)["job"])
    before = len(_starts(folder))
    with open(folder / job_folder.OUTPUT, "ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", f"backend.{job}", str(folder)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment(folder),
            **_detached(),  # type: ignore[call-overload]
        )
    reap()
    _children.append(child)
    deadline = time.monotonic() + START_SECONDS
    while len(_starts(folder)) == before:
        if child.poll() is not None or time.monotonic() > deadline:
            if len(_starts(folder)) > before:
                break
            raise JobFailed(
                "The worker did not start.",
                _tail(folder / job_folder.OUTPUT) or f"It ended at once with code {child.poll()}.",
                "Run `launch.py check`; the whole text is in output.log beside the job.",
            )
        time.sleep(0.02)
    return child.pid


def _starts(folder: Path) -> list[object]:
    lines, _ = events.logs.read(folder / events.EVENTS)
    return [line for line in lines if line.get("type") == "starting"]


def _detached() -> dict[str, object]:
    """Popen's arguments that let a worker outlive the page, the studio and the terminal."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def environment(folder: Path) -> dict[str, str]:
    """The environment of a job's worker: nobody is called home, text is UTF-8, output is not held back.

    Threads of OpenMP that wait for one another sleep instead of spinning: on a machine that does other things besides,
    spinning was seen to make matrix products up to 20 times slower. CUDA numbers the GPUs as `studio.gpus` does, so
    that the first one is the same to both. Whoever sets these variables keeps their own way.
    """
    best_first = order()
    return (
        {"OMP_WAIT_POLICY": "PASSIVE", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
        | ({VISIBLE: best_first} if best_first else {})
        | os.environ
        | preferences.environment(Workspace(folder.parent.parent))
        | {
            "DO_NOT_TRACK": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "PYTHONUNBUFFERED": "1",
            "PYTHONUTF8": "1",
            "TOKENIZERS_PARALLELISM": "false",
        }
    )


def stop(folder: Path) -> None:
    """Asks a worker to save and end; it looks at every step."""
    (folder / job_folder.STOP).touch()


def reap() -> None:
    """Collects the exit codes of workers that have ended."""
    _children[:] = [child for child in _children if child.poll() is None]


def _tail(path: Path, characters: int = 400) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()[-characters:]
    except FileNotFoundError:
        return ""
