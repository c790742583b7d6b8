"""Waiting for a job from a terminal: its events and its progress as they come."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any, TextIO

from studio import events, logs, wording
from studio.errors import JobFailed
from studio.events import State
from studio.jobs import folder as job_folder
from studio.jobs import local, queue
from studio.workspace import Workspace

POLL_SECONDS = 0.1
ADVANCE_SECONDS = 1.0


class Terminal:
    """Progress on standard error: one line that changes on a terminal, a line every few seconds elsewhere."""

    def __init__(self, out: TextIO | None = None, every: float = 5.0) -> None:
        self.out = out or sys.stderr
        self.live = self.out.isatty()
        self.every = every
        self.last = 0.0
        self.shown = ""

    def say(self, text: str) -> None:
        """A line that stays."""
        self.clear()
        print(text, file=self.out, flush=True)

    def progress(self, text: str) -> None:
        """A line that is soon replaced."""
        if text == self.shown:
            return
        if self.live:
            self.clear()
            self.out.write(text[:110])
            self.out.flush()
        elif time.monotonic() - self.last >= self.every:
            self.last = time.monotonic()
            print(text, file=self.out, flush=True)
        else:
            return
        self.shown = text

    def clear(self) -> None:
        if self.live and self.shown:
            self.out.write("\r\x1b[K")
            self.shown = ""


def follow(workspace: Workspace, folder: Path, terminal: Terminal | None = None) -> State:
    """Waits until a job ends, telling what it does; a queued one is started when its turn comes.

    Returns:
        The folded events; look at `phase`. A job whose worker died is returned as it stands.
    """
    terminal = terminal or Terminal()
    state, offset, next_advance = State(), 0, 0.0
    while True:
        now = time.monotonic()
        if now >= next_advance:
            queue.advance(workspace)
            next_advance = now + ADVANCE_SECONDS
        status = job_folder.status(folder)  # before the log is read: what it wrote last must not be missed
        lines, offset = logs.read(folder / events.EVENTS, offset)
        for line in lines:
            state.take(line)
            text = wording.event(line)
            if text:
                terminal.say(text)
        if status not in ("queued", "running", "stopping"):
            break
        text = wording.metric(events.last_metric(folder), state.total_steps)
        if text and status == "running":
            terminal.progress(text)
        time.sleep(POLL_SECONDS)
    terminal.clear()
    local.reap()
    return state


def result(folder: Path, state: State) -> dict[str, Any]:
    """The fields of a job's `finished` event.

    Raises:
        JobFailed: it ended otherwise; with its own words where it left any.
    """
    fields = {key: value for key, value in state.result.items() if key not in ("type", "time")}
    if state.phase == "finished":
        return fields
    if state.phase == "failed" and state.error:
        raise JobFailed(state.error["what"], state.error["why"], state.error["next"])
    if state.phase == "stopped":
        raise JobFailed(f"{folder.name} was stopped.", "Somebody asked it to stop.", "Resume it, or start another.")
    raise JobFailed(
        f"{folder.name} was interrupted.",
        "Its worker is gone without having said why: it was killed, as systems do when memory runs out, or the machine "
        "went down.",
        f"What it saved is kept; see {folder / job_folder.OUTPUT} and resume it.",
    )


def start_and_follow(workspace: Workspace, folder: Path, terminal: Terminal | None = None) -> dict[str, Any]:
    """Starts a job that needs no device, waits for it, and returns its result; Ctrl+C stops it too."""
    local.start(folder)
    try:
        return result(folder, follow(workspace, folder, terminal))
    except KeyboardInterrupt:
        local.stop(folder)
        raise
