"""Runs pip so that people can follow it, and says in plain words what stopped it.

Standard library only: launch.py needs it before anything is installed.
"""

from __future__ import annotations

import math
import os
import platform
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from studio import packages
from studio.errors import BadInput, NoRoom, Offline, Refused, StudioError

LOG = "install.log"
QUIET_SECONDS = 4.0
FOUND = re.compile(r"(?:Collecting|Requirement already satisfied:) ([A-Za-z0-9._-]+)")
FETCHED = re.compile(
    r" *(?:Downloading|Using cached|Processing) (?:.*[/\\])?([A-Za-z0-9_.]+)-[^/\\]*\.whl(?: \((.+)\))?$"
)
SIZE = re.compile(r"[\d.]+ ?[kMG]?B")
TESTED = "3.11"


class Progress:
    """What is being done, on standard error: one line that changes on a terminal, a line now and then elsewhere."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty()
        self.text = ""
        self.pending = False
        self.since = time.monotonic()
        self.written = -math.inf

    def show(self, text: str) -> None:
        """Shows a text; off a terminal, those that follow each other fast are passed over."""
        if text != self.text:
            self.text, self.since, self.pending = text, time.monotonic(), True
        self.beat()

    def say(self, text: str) -> None:
        """Shows a text that stays."""
        self.text, self.since = text, time.monotonic()
        self._write(text + ("\n" if self.live else ""))

    def beat(self) -> None:
        """To be called often: shows what is still to be shown, and says that a long step goes on."""
        quiet = time.monotonic() - self.written
        if self.pending and (self.live or quiet >= 1.0):
            self._write(self.text)
        elif self.text and quiet >= QUIET_SECONDS:
            self._write(f"{self.text} ({time.monotonic() - self.since:.0f} s so far)")

    def _write(self, text: str) -> None:
        self.written, self.pending = time.monotonic(), False
        self.stream.write(f"\r\x1b[K{text}" if self.live else f"{text}\n")
        self.stream.flush()


def install(python: Path, site: Path, root: Path, requirements: list[str], progress: Progress, lock: int) -> None:
    """Installs requirements, at the versions of constraints.txt, into the environment of `python`.

    Args:
        site: that environment's site-packages.
        lock: the open lock file: pip keeps it held should this process be killed.

    Raises:
        Offline, NoRoom, Refused, BadInput, StudioError: pip failed; its whole text is in `.venv/install.log`.
    """
    command = [str(python), "-m", "pip", "install", "--no-input", "--no-user", "--disable-pip-version-check"]
    command += ["--progress-bar", "off", "-c", str(root / "constraints.txt"), *requirements]
    log = root / ".venv" / LOG
    counter = Counter(packages.pinned(root), site)
    progress.show("looking up what to install")
    with log.open("w", encoding="utf-8") as copy:
        code = run(command, lock, copy.write, counter, progress)
    if code != 0:
        raise failure(log.read_text(encoding="utf-8"), log)
    progress.say("installed: everything that is needed is there")


class Counter:
    """Turns pip's lines into short ones with a count: “fetching 23 of 81: torch (198.7 MB)”."""

    def __init__(self, total: int, site: Path) -> None:
        self.total = total
        self.site = site
        self.found: set[str] = set()
        self.fetched: set[str] = set()
        self.order: list[str] = []

    def line(self, line: str) -> str | None:
        """What to show for one line of pip's; None for nothing new."""
        if match := FETCHED.match(line):
            name = packages.plain(match[1])
            self.found.add(name)
            self.fetched.add(name)
            size = f" ({match[2]})" if match[2] and SIZE.fullmatch(match[2]) else ""
            return self._count("fetching", self.fetched, name) + size
        if match := FOUND.match(line):
            self.found.add(packages.plain(match[1]))
            return self._count("looking up", self.found, packages.plain(match[1]))
        if line.startswith("Installing collected packages: "):
            self.order = line.split(": ")[1].replace(" ", "").strip().split(",")
        if "WARNING: Retrying" in line:
            return "the package index does not answer; trying again"
        return self.installing()

    def installing(self) -> str | None:
        """Once pip writes packages it says nothing more: what is there already tells how far it is."""
        if not self.order:
            return None
        there = packages.installed(self.site)
        left = [name for name in self.order if packages.plain(name) not in there]
        done = len(self.order) - len(left)
        return (
            f"installing {min(done + 1, len(self.order))} of {len(self.order)}: {left[0] if left else 'the last files'}"
        )

    def _count(self, verb: str, seen: set[str], name: str) -> str:
        return f"{verb} {len(seen)} of {max(self.total, len(seen))}: {name}"


def run(command: list[str], lock: int, keep: Callable[[str], object], counter: Counter, progress: Progress) -> int:
    """Runs pip to its end, handing each line to `keep` and to the counter; returns its exit code."""
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", "NO_COLOR": "1"},
        pass_fds=() if sys.platform == "win32" else (lock,),
    )
    assert child.stdout
    with child:
        try:
            for line in ticking(child.stdout):
                keep(line)
                if text := counter.line(line) if line else counter.installing():
                    progress.show(text)
                progress.beat()
        except BaseException:
            child.terminate()
            raise
    return child.returncode


def ticking(stream: IO[str], seconds: float = 0.5) -> Iterator[str]:
    """The lines of a stream as they come, and an empty string whenever none came for a while."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in stream:
            lines.put(line)
        lines.put("end")

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=seconds)
        except queue.Empty:
            yield ""
            continue
        if line == "end":  # a line of the stream has its newline
            return
        yield line


NETWORK = re.compile(
    r"NewConnectionError|Failed to establish|name resolution|Name or service not known|ConnectTimeout|ReadTimeout"
    r"|ProxyError|Connection (?:refused|reset|broken|aborted)|Network is unreachable|SSLError|ConnectionError",
)
UNKNOWN = re.compile(r"(?:No matching distribution found for|The user requested \(constraint\)) (\S+)")


def failure(text: str, log: Path) -> StudioError:
    """pip's output as an error of ours."""
    again = "then give the command again: what is there already is kept."
    errors = [line.removeprefix("ERROR: ") for line in text.splitlines() if line.startswith("ERROR: ")]
    why = errors[-1] if errors else (text.strip().splitlines() or ["pip ended without a word"])[-1]
    what = "The packages could not be installed."
    if "No space left on device" in text or "Disk quota exceeded" in text:
        return NoRoom(what, "The disk is full.", f"Free some space, {again}")
    if NETWORK.search(text):
        return Offline(
            what,
            "The package index can't be reached from this machine.",
            f"Check the network (or pip's proxy and index settings), {again}",
        )
    if "Permission denied" in text:
        return Refused(what, f"The system does not allow it: {why}", f"Mend the permissions of .venv, {again}")
    if match := UNKNOWN.search(text):
        here = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
        return BadInput(
            what,
            f"No release of {match[1]} fits {here}; the studio was tested with Python {TESTED}.",
            f"Install Python {TESTED}, delete the folder .venv, and start launch.py with that Python.",
        )
    return StudioError(what, why, f"The whole text is in {log}; mend what it names, {again}")
