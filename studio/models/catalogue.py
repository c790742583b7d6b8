"""The list of known models in assets/models.json: small open ones that a person may add."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[2] / "assets" / "models.json"


@dataclass(frozen=True)
class Known:
    """One known model. `id` is what `models add` takes; `gated` ones ask for an account and consent first.

    `parameters` are rounded to millions; `context` is in tokens; `languages` are those its makers name; `shape` has
    the figures of its config.json that `studio.shape.Shape` takes.
    """

    id: str
    parameters: int
    context: int
    licence: str
    languages: tuple[str, ...]
    gated: bool
    description: str
    shape: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For lists and JSON output."""
        fields = asdict(self)
        del fields["shape"]
        return fields


@lru_cache
def catalogue() -> tuple[Known, ...]:
    """The known models, the starter first, then by size."""
    items = json.loads(FILE.read_text(encoding="utf-8"))["models"]
    return tuple(Known(**item | {"languages": tuple(item["languages"])}) for item in items)
