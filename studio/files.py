"""Files of the workspace: names checked in one place, files that appear whole, JSON with a format number."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from studio.errors import BadInput, Broken, Refused

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?")
LONGEST = 64
# Windows refuses these as file names, whatever follows the dot.
RESERVED = {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(10)), *(f"lpt{n}" for n in range(10))}


def check_name(name: str, of: str = "name") -> str:
    """Returns `name` if it may become a file name, else raises BadInput.

    1 to 64 of letters, digits, dot, dash and underscore, starting with a letter or digit, not ending in a dot.
    """
    if not NAME.fullmatch(name) or ".." in name or name.split(".")[0].lower() in RESERVED:
        shown = name if len(name) <= 80 else f"{name[:80]}…"
        long = f"It has {len(name):,} characters. " if len(name) > LONGEST else ""
        raise BadInput(
            f"“{shown}” can't be used as a {of}.",
            f"{long}Names become folders, so they have 1 to 64 letters (a-z), digits, dots, dashes or underscores, "
            "and start with a letter or digit.",
            f"Try “{suggest_name(name)}”.",
            field="name",
        )
    return name


def suggest_name(text: str, fallback: str = "untitled") -> str:
    """The nearest allowed name to `text`, as for a file called `Meine Daten (2).csv`."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:48].strip("-._")
    name = re.sub(r"\.{2,}", ".", name)
    return name if name and name.split(".")[0].lower() not in RESERVED else fallback


def inside(root: Path, *parts: str) -> Path:
    """`root / parts` resolved, or Refused when it would leave `root` (through `..`, an absolute path or a link)."""
    base = root.resolve()
    path = base.joinpath(*parts).resolve()
    if path != base and base not in path.parents:
        raise Refused(
            "That path lies outside the workspace.",
            f"{'/'.join(parts)} leads out of {base}.",
            "Use a path inside the workspace.",
        )
    return path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` to write to; flushed and renamed on success, so `path` is whole or absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial(path)
    partial.touch(exist_ok=False)  # with the permissions the user's umask gives, which a temporary file would not have
    try:
        yield partial
        flush(partial)
        os.replace(partial, path)
        flush(path.parent)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """The same for a folder: `path` must not exist yet; what is written appears under that name all at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial(path)
    partial.mkdir()
    try:
        yield partial
        for file in partial.rglob("*"):
            if file.is_file():
                flush(file)
        os.rename(partial, path)
        flush(path.parent)
    finally:
        if partial.exists():
            shutil.rmtree(partial, ignore_errors=True)


def _partial(path: Path) -> Path:
    return path.parent / f".{path.name[:40]}.{secrets.token_hex(4)}.partial"


def flush(path: Path) -> None:
    """Asks the system to put a file (or a folder's entries, where the system can) on the disk."""
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(path, flags)
    except (PermissionError, IsADirectoryError):  # Windows opens no folder
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if path.is_dir():  # some file systems can't flush a folder
            return
        raise error
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Writes `data` whole, as readable JSON. NaN and infinity are refused: they are not JSON."""
    write_text(path, json.dumps(data, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; Broken when it is none."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise Broken(
            f"{path.name} can't be read.",
            f"It is not valid JSON: {error}.",
            f"Restore {path} from a copy, or delete the folder it is in.",
        ) from None
    if not isinstance(data, dict):
        raise Broken(f"{path.name} can't be read.", "It holds no JSON object.", f"Restore {path} from a copy.")
    return data


def disk_use(folder: Path) -> int:
    """Bytes of all files below `folder`; what vanishes meanwhile counts as nothing."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(where, name)).st_size
            except OSError:
                continue
    return total
