"""Formats of the workspace's JSON files: today's numbers, and the one place where older files are patched.

To change a format: raise its number in FORMATS and add a step to STEPS that turns the old form into the new one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio.errors import Broken, NewerFormat
from studio.files import read_json, write_json

FORMATS = {
    "workspace": 1,
    "dataset": 1,
    "model": 1,
    "settings": 1,
    "verdict": 1,
    "parity": 1,
    "checkpoint": 1,
    "password": 1,
    "note": 1,
    "preferences": 1,
    "findings": 1,
    "doctor": 1,
    "guidelines": 1,
    "split": 1,
    "merge": 1,
    "mixture": 1,
    "calibration": 1,
    "benchmark": 1,
}

# (kind, format it starts from) -> the function that makes the next format of it
STEPS: dict[tuple[str, int], Callable[[dict[str, Any]], dict[str, Any]]] = {}


def load(path: Path, kind: str) -> dict[str, Any]:
    """The JSON object at `path` in today's format of its kind. Raises NewerFormat or Broken."""
    return upgrade(read_json(path), kind, path)


def save(path: Path, kind: str, data: dict[str, Any]) -> None:
    """Writes `data` whole, with the format number of its kind in front; `format` is no key of anything else."""
    assert "format" not in data, f"{kind} files use the key “format” for their number"
    write_json(path, {"format": FORMATS[kind], **data})


def upgrade(data: dict[str, Any], kind: str, path: Path) -> dict[str, Any]:
    """`data` with every step applied that its age asks for, and without the number itself."""
    number = data.get("format")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise Broken(
            f"{path.name} can't be read.",
            f"It has no valid “format” number, so it was not written by the studio or was damaged ({path}).",
            "Restore it from a copy, or delete the folder it is in.",
        )
    if number > FORMATS[kind]:
        raise NewerFormat(
            f"{path.name} was written by a newer studio.",
            f"It has format {number}; this studio knows {kind} files up to format {FORMATS[kind]} ({path}).",
            "Update the studio, then open it again.",
        )
    while number < FORMATS[kind]:
        data = STEPS[kind, number](data)
        number += 1
    return {key: value for key, value in data.items() if key != "format"}
