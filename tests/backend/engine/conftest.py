"""Engines of a tiny model with two adapters, and the plainest loop that answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from backend.engine.conversation import Prompt
from backend.engine.engine import Engine
from studio.settings.answering import Generation
from tests.adapters import adapter
from tests.tiny import tiny_model

WORDS = ["Hello", "where", "is", "my", "parcel", "today", "please", "write", "to", "the", "support", "desk", "within"]
PROMPTS = [Prompt([{"role": "user", "content": " ".join(WORDS[: 2 + 3 * n % 11])}]) for n in range(12)]
GREEDY = Generation(max_new_tokens=12)
WARM = Generation(max_new_tokens=12, temperature=1.5, top_p=0.95, top_k=100, seed=4)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("engine") / "tiny")


@pytest.fixture(scope="module")
def lora(model: Path) -> Path:
    return adapter(model, model.parent / "lora")


@pytest.fixture(scope="module")
def engine(model: Path, lora: Path) -> Engine:
    return Engine(
        model, {"tuned": lora, "other": adapter(model, model.parent / "other", seed=2)}, device="cpu", threads=1
    )


def loop(net: Any, engine: Engine, prompt: Prompt) -> list[int]:
    ids, made = engine.encode(prompt), []
    with torch.inference_mode():
        while len(made) < 12 and not (made and made[-1] in engine.tokenizer.stop_ids):
            made.append(int(net(torch.tensor([ids + made])).logits[0, -1].argmax()))
    return made
