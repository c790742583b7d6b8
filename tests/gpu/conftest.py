"""What needs a GPU: `pytest tests/gpu` on a machine that has one; without, every test is skipped with a message.

A workspace with a random Llama of some 60 million parameters stands in for a real model, so that nothing is fetched.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from studio.machine import machine
from studio.workspace import Workspace
from tests.tiny import tiny_model
from tests.worlds import World, places, train

__all__ = ["train"]

HIDDEN, LAYERS = 1024, 8
SEEN = os.environ.get("CUDA_VISIBLE_DEVICES")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    found = machine()
    for item in here:
        item.add_marker(pytest.mark.gpu)
        if found.device != "cuda":
            words = found.hindrance.why if found.hindrance else "there is no NVIDIA GPU here"
            item.add_marker(pytest.mark.skip(reason=words))


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> int:
    """How many there are, for the processes that a test starts: a training in this one sees the first only."""
    if SEEN is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", SEEN)
    return len(machine().gpus)


@pytest.fixture
def world(workspace: Workspace) -> World:
    """60 rows to train on, 12 to validate with, and a model that is worth a GPU."""
    tiny_model(workspace.models / "middle", hidden=HIDDEN, layers=LAYERS)
    made = World(workspace)
    made.dataset("places", places("train", 60) + places("validation", 12))
    return made


@pytest.fixture
def given() -> dict[str, Any]:
    """Settings of a short run on the GPU."""
    return {
        "model": "middle", "device": "cuda", "dtype": "bfloat16", "learning_rate": 1e-3, "batch_size": 8,
        "tokens_per_pass": 1024, "spread": {"name": "single"}, "max_steps": 12,
        "eval_steps": 6, "save_steps": 6, "samples": 1,
    }  # fmt: skip
