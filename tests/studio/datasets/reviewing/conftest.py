"""Small datasets to review: texts with labels, pairs of answers, conversations."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.datasets.importing.steps import import_file
from studio.datasets.reviewing.queue import Queue
from studio.settings.importing import ImportSettings
from studio.workspace import Workspace

KINDS: dict[str, Callable[[int], dict[str, Any]]] = {
    "labels": lambda n: {"text": f"message {n}", "label": "ab"[n % 2]},
    "pairs": lambda n: {"prompt": f"q{n}", "chosen": f"good {n}", "rejected": f"bad {n}"},
    "chats": lambda n: {"prompt": f"Where is Anna {n}?", "completion": f"In Rome {n}."},
}


@pytest.fixture
def made(workspace: Workspace, tmp_path: Path) -> Callable[..., Queue]:
    """Makes the queue of a dataset of one of the KINDS, all of it to train on."""

    def make(name: str, rows: int = 8) -> Queue:
        source = tmp_path / f"{name}.jsonl"
        source.write_text("".join(json.dumps(KINDS[name](n)) + "\n" for n in range(rows)))
        import_file(workspace, ImportSettings(source=str(source), name=name, split="train=1"))
        return Queue(workspace, name)

    return make
