"""Presets: sets of settings to start from, one JSON file each in assets/presets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.errors import NotFound
from studio.files import read_json

FOLDER = Path(__file__).resolve().parents[1] / "assets" / "presets"
ORDER = ("quick", "balanced", "thorough")


@dataclass(frozen=True)
class Preset:
    """A name, what it is called, when to take it, and the settings it sets."""

    name: str
    title: str
    help: str
    settings: dict[str, Any]


def names() -> list[str]:
    """The presets there are, from quick to thorough."""
    found = {path.stem for path in FOLDER.glob("*.json")}
    return [name for name in ORDER if name in found] + sorted(found - set(ORDER))


def load(name: str) -> Preset:
    path = FOLDER / f"{name}.json"
    if name not in names():
        raise NotFound(f"There is no preset “{name}”.", "", f"The presets are {', '.join(names())}.")
    data = read_json(path)
    return Preset(name, data["title"], data["help"], data["settings"])
