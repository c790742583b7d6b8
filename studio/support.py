"""The support bundle: what somebody needs who is to find out what went wrong here, and no secret.

A zip of texts: what `check` says, versions, preferences, and of some jobs their settings, events and the end of their
output. No rows, no answers, no weights. The user's folders, name and machine are masked, and so is what looks like a
token or a password. It goes nowhere by itself.
"""

from __future__ import annotations

import getpass
import io
import json
import os
import platform
import re
import socket
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from studio import __version__, events, preferences
from studio.errors import StudioError
from studio.files import read_json
from studio.jobs import folder as job_folder
from studio.workspace import Workspace

KINDS = ("runs", "evaluations", "exports", "jobs")
TAIL_BYTES = 400_000
LAST_JOBS = 5
SHORTEST_SECRET = 8
SECRET_NAME = re.compile(r"(?:^|_)(?:token|secret|passw\w*|api_?key|key|credentials?)(?:_|$)", re.IGNORECASE)
# What a secret looks like wherever it stands, and what stands there instead.
SECRETS = (
    (re.compile(r"\b(?:hf|ghp|gho|ghs|glpat|pypi|sk|rk|xox[abps])[_-][A-Za-z0-9_\-]{12,}"), "‹token›"),
    (re.compile(r"\bgithub_pat_\w{20,}"), "‹token›"),
    (re.compile(r"\bAKIA[0-9A-Z]{16}\b"), "‹token›"),
    (re.compile(r"\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*"), "‹token›"),
    (re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE), r"\1 ‹token›"),
    (re.compile(r"(\w+://)[^\s/:@\"']+:[^\s/@\"']+@"), r"\1‹user›:‹password›@"),
    (
        re.compile(
            r"((?:token|secret|passw\w*|api_?key|authorization)\"?'?\s*[:=]\s*\"?'?)(?!‹)[^\s\"',;}]{4,}", re.IGNORECASE
        ),
        r"\1‹secret›",
    ),
)


@dataclass(frozen=True)
class Entry:
    """One file of the bundle: its name, what it is for people, and how its text is made."""

    name: str
    about: str
    make: Callable[[], str]


def entries(workspace: Workspace, chosen: list[str] | None = None) -> list[Entry]:
    """What the bundle holds, in order.

    Args:
        chosen: jobs as `KIND/ID`; None for the last few.

    Raises:
        NotFound: one of them is not there.
    """
    listed = [
        Entry("about.txt", "What this is, and what was masked", lambda: ABOUT),
        Entry("check.json", "What this machine has and what works here", lambda: _check(workspace)),
        Entry("versions.json", "Versions of the studio, Python and every package", lambda: _as_json(versions())),
        Entry("preferences.json", "The preferences of this workspace", lambda: _preferences(workspace)),
    ]
    for job in last_jobs(workspace) if chosen is None else chosen:
        kind, _, name = job.partition("/")
        folder = workspace.folder(kind if kind in KINDS else "jobs", name)
        listed += [entry for entry in _of_job(folder, f"{kind}/{folder.name}") if entry is not None]
    return listed


def last_jobs(workspace: Workspace, most: int = LAST_JOBS) -> list[str]:
    """The newest jobs of all kinds as `KIND/ID`, newest first."""
    found = [(name, kind) for kind in KINDS for name in workspace.names(kind)]
    return [f"{kind}/{name}" for name, kind in sorted(found, reverse=True)[:most]]


def zipped(listed: list[Entry], mask: Mask) -> Iterator[bytes]:
    """The bundle, piece by piece; what can't be read says so in its place."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]
        for entry in listed:
            archive.writestr(mask(entry.name), text_of(entry, mask))
            yield pipe.take()
    yield pipe.take()


def text_of(entry: Entry, mask: Mask) -> str:
    """An entry's text as it goes into the bundle."""
    try:
        return mask(entry.make())
    except (OSError, StudioError) as error:
        return mask(f"This could not be read: {error}")


class Mask:
    """Takes folders, names and secrets of this user out of texts."""

    def __init__(self, workspace: Workspace) -> None:
        places = {
            str(workspace.root): "‹workspace›",
            str(workspace.root.resolve()): "‹workspace›",
            str(Path(__file__).resolve().parents[1]): "‹studio›",
            str(Path.home()): "‹home›",
        }
        words = {_user(): "‹user›", socket.gethostname(): "‹machine›"}
        # A short value is no secret worth the name, and would be found in places that mean something else.
        secret = {
            value: "‹secret›"
            for name, value in os.environ.items()
            if SECRET_NAME.search(name) and len(value) >= SHORTEST_SECRET
        }
        self.plain = sorted(
            [(text, mark) for text, mark in (secret | places).items() if len(text) > 3], key=lambda pair: -len(pair[0])
        )
        # Backslashes are doubled in JSON, and `C:/Users` is as good as `C:\Users`.
        self.plain += [(text.replace("\\", "\\\\"), mark) for text, mark in self.plain if "\\" in text]
        self.words = [
            (re.compile(rf"\b{re.escape(word)}\b", re.IGNORECASE), mark)
            for word, mark in words.items()
            if len(word) > 3 and word.lower() not in ("root", "user", "home", "localhost")
        ]

    def __call__(self, text: str) -> str:
        for found, mark in self.plain:
            text = text.replace(found, mark)
        for pattern, mark in (*SECRETS, *self.words):
            text = pattern.sub(mark, text)
        return text


def versions() -> dict[str, Any]:
    """The studio, Python, the system, and every installed package."""
    found = {str(one.metadata["Name"]): one.version for one in distributions() if one.metadata["Name"]}
    return {
        "studio": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "packages": dict(sorted(found.items(), key=lambda pair: pair[0].lower())),
    }


ABOUT = f"""Support bundle of FlexTune Studio {__version__}

Made by a person on the Settings page, for a person they trust. It holds what `check` says about the machine, the
versions of all packages, and of some jobs their settings, their events and the end of their output.

It holds no rows, no answers, no weights and no password. Masked are the user's folders, the user's name, the name of
the machine, and what looks like a token or a password. Names of datasets, runs and models, the system prompt, and what
a library wrote to its output are in it as they are: look through the files before you send them.
"""


def _of_job(folder: Path, name: str) -> list[Entry | None]:
    """The files of one job that tell what happened; metrics only by their end."""
    return [
        _file(folder / job_folder.SETTINGS, f"{name}/settings.json", "Its settings"),
        _file(folder / events.EVENTS, f"{name}/events.jsonl", "What happened, in order"),
        _file(folder / events.METRICS, f"{name}/metrics.jsonl", "The last of its numbers"),
        _file(folder / job_folder.OUTPUT, f"{name}/output.log", "The end of what it wrote"),
    ]


def _file(path: Path, name: str, about: str) -> Entry | None:
    return Entry(name, about, lambda: _tail(path)) if path.is_file() else None


def _tail(path: Path) -> str:
    with open(path, "rb") as file:
        file.seek(0, io.SEEK_END)
        size = file.tell()
        file.seek(max(0, size - TAIL_BYTES))
        text = file.read().decode("utf-8", errors="replace")
    return text if size <= TAIL_BYTES else text.partition("\n")[2]


def _check(workspace: Workspace) -> str:
    from studio.diagnosis import diagnose

    return _as_json({"made": time.strftime("%Y-%m-%d %H:%M:%S"), **diagnose(workspace.root).as_dict()})


def _preferences(workspace: Workspace) -> str:
    path = workspace.root / preferences.FILE
    return _as_json(read_json(path)) if path.exists() else "Nobody chose any."


def _as_json(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, indent=2)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return ""


class _Pipe:
    """A file that zipfile writes to and whose bytes are taken away as they come."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.written = 0

    def write(self, data: bytes) -> int:
        self.pieces.append(bytes(data))
        self.written += len(data)
        return len(data)

    def flush(self) -> None:
        """There is nothing to flush."""

    def take(self) -> bytes:
        taken, self.pieces = b"".join(self.pieces), []
        return taken
