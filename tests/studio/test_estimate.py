"""What a model's config.json says of its cost."""

from __future__ import annotations

from typing import Any

from studio.estimate import Shape

DENSE: dict[str, Any] = {
    "num_hidden_layers": 10, "hidden_size": 1000, "intermediate_size": 4000, "vocab_size": 50_000,
    "num_attention_heads": 10, "head_dim": 100, "tie_word_embeddings": True,
}  # fmt: skip


def test_of_layers_of_several_widths_the_widest_counts() -> None:
    config = {"text_config": DENSE | {"intermediate_size": [4000, 8000, 6000]}}
    assert Shape.read(config, 10**9) == Shape.read(DENSE | {"intermediate_size": 8000}, 10**9)
