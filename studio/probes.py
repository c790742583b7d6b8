"""The ability probes in assets/probes: short general questions with answers that can be checked.

They tell what a model could do before it was tuned; the data doctor keeps them out of what is trained on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).resolve().parents[1] / "assets" / "probes" / "probes.jsonl"


@dataclass(frozen=True)
class Probe:
    """One question.

    Args:
        id: its kind and a number; it never changes.
        kind: knowledge, arithmetic, reading, form, sense, translation or code.
        answers: what counts as right.
        exact: whether the whole answer has to be one of these, instead of having one in it.
    """

    id: str
    kind: str
    question: str
    answers: tuple[str, ...]
    exact: bool = False


def load() -> list[Probe]:
    """All probes, kind by kind."""
    lines = FILE.read_text(encoding="utf-8").splitlines()
    return [Probe(**data | {"answers": tuple(data["answers"])}) for data in map(json.loads, lines)]
