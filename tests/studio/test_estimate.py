"""What a model's config.json says of its cost."""

from __future__ import annotations

from typing import Any

import pytest

from studio.estimate import estimate, operations
from studio.settings.train import TrainSettings
from studio.shape import Experts, Shape

DENSE: dict[str, Any] = {
    "num_hidden_layers": 10, "hidden_size": 1000, "intermediate_size": 4000, "vocab_size": 50_000,
    "num_attention_heads": 10, "head_dim": 100, "tie_word_embeddings": True,
}  # fmt: skip


def test_of_layers_of_several_widths_the_widest_counts() -> None:
    config = {"text_config": DENSE | {"intermediate_size": [4000, 8000, 6000]}}
    assert Shape.read(config, 10**9) == Shape.read(DENSE | {"intermediate_size": 8000}, 10**9)


def gb(shape: Shape, part: str, method: str = "qlora") -> float:
    settings = TrainSettings.model_validate(
        {"dataset": "d", "method": {"name": method}, "cutoff": 100, "tokens_per_pass": 100, "dtype": "bfloat16"}
    )
    return estimate(settings, shape, 100, 0.5, 1, "cuda").parts[part]


def test_only_what_bitsandbytes_packs_is_counted_as_packed() -> None:
    """An embedding of 50 million weights and 160 million in linear layers; a head of its own is never packed."""
    tied = Shape.read(DENSE, 210_000_000)
    untied = Shape.read(DENSE | {"tie_word_embeddings": False}, 260_000_000)
    assert gb(tied, "weights") == pytest.approx(0.160 * 0.53 + 0.050 * 2)
    assert gb(untied, "weights") == pytest.approx(0.160 * 0.53 + 0.100 * 2)


def test_what_every_token_goes_through_is_counted_with_what_it_chooses() -> None:
    """The first two of ten layers have no experts; in the others a token takes two, and two that all share."""
    config = DENSE | {
        "n_routed_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 1000, "n_shared_experts": 2,
        "first_k_dense_replace": 2,
    }  # fmt: skip
    shape = Shape.read(config, 350_000_000)
    assert shape.experts == Experts(layers=8, width=1000, chosen=2, shared=2000)
    assert shape.gated_width == 4000 and operations(TrainSettings(dataset="d"), shape, 0.5) == operations(
        TrainSettings(dataset="d"), Shape.read(DENSE, 210_000_000), 0.5
    )
    packed = 10 * 4 + 2 * 12 + 8 * 6  # millions: attention, two layers without experts, what is shared in the others
    assert gb(shape, "weights") == pytest.approx((packed * 0.53 + (350 - packed) * 2) / 1000)


@pytest.mark.parametrize("name", ["num_experts", "num_local_experts", "n_routed_experts"])
def test_experts_are_held_in_full_and_learn_no_adapter(name: str) -> None:
    """Eight experts of 12 million weights in each of ten layers, beside 40 million in attention."""
    experts = {name: 8, "num_experts_per_tok": 2}
    shape = Shape.read(DENSE | experts, 1_050_000_000)
    assert gb(shape, "weights") == pytest.approx(0.040 * 0.53 + 1.010 * 2)
    assert shape.adapter(4) == 10 * 4 * 4 * 2000
    narrow = Shape.read(DENSE | experts | {"moe_intermediate_size": 2000}, 1_050_000_000)
    # Two experts of half the width take what one gated part of the whole width does.
    dense, settings = Shape.read(DENSE, 210_000_000), TrainSettings(dataset="d")
    assert operations(settings, narrow, 0.5) == operations(settings, dense, 0.5)
    assert gb(narrow, "activations", "full") == gb(dense, "activations", "full") < gb(shape, "activations", "full")
