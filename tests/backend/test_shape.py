"""The layers that a config.json tells of are those that Transformers makes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from studio.shape import Shape, weights_in
from tests.backend.training.small import SMALL

# How models say which layers have experts, and what every token goes through besides.
MIXTURES: dict[str, dict[str, Any]] = {
    "mixtral": {},
    "granitemoeshared": {"shared_intermediate_size": 24},
    "qwen2_moe": {"moe_intermediate_size": 16, "shared_expert_intermediate_size": 40, "decoder_sparse_step": 2},
    "qwen3_moe": {"moe_intermediate_size": 16, "mlp_only_layers": [0, 3]},
    "glm4_moe": {"moe_intermediate_size": 16, "first_k_dense_replace": 1, "n_shared_experts": 2},
    "dots1": {
        "moe_intermediate_size": 16, "first_k_dense_replace": 2, "n_shared_experts": 1, "num_experts_per_tok": 3,
    },
    "ernie4_5_moe": {
        "moe_intermediate_size": 16, "moe_layer_start_index": 1, "moe_layer_interval": 2, "moe_num_shared_experts": 2,
    },
    "lfm2_moe": {
        "moe_intermediate_size": 16, "num_dense_layers": 1, "layer_types": ["full_attention"] * 5,
        "full_attn_idxs": [0, 1, 2, 3, 4],
    },
    "afmoe": {"moe_intermediate_size": 16, "num_dense_layers": 2, "num_shared_experts": 1, "layer_types": None},
    "llama4_text": {"intermediate_size_mlp": 64, "interleave_moe_layer_step": 2},
}  # fmt: skip
LAYERS, COUNT = 5, 8
COUNTS = dict.fromkeys(("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts"), COUNT)


def made(kind: str, folder: Path) -> tuple[Any, dict[str, Any]]:
    """A model without weights, and the config.json that it is saved with."""
    given = SMALL | {"num_hidden_layers": LAYERS, "pad_token_id": None} | MIXTURES[kind]
    known = transformers.AutoConfig.for_model(kind)
    counts = {name: count for name, count in COUNTS.items() if hasattr(known, name)}
    config = transformers.AutoConfig.for_model(kind, **{**given, **counts})
    config.save_pretrained(folder)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
    return model, json.loads((folder / "config.json").read_text())


@pytest.mark.parametrize("kind", MIXTURES)
def test_the_gated_parts_of_mixtures_are_counted(kind: str, tmp_path: Path) -> None:
    """All linear layers besides attention, but for those that choose the experts."""
    model, config = made(kind, tmp_path)
    shape = Shape.read(config, 10**9)
    weights = {
        name: part.in_features * part.out_features
        for name, part in model.named_modules()
        if isinstance(part, torch.nn.Linear) and part.out_features > COUNT and "attn" not in name and name != "lm_head"
    }
    assert weights_in(shape.linear) - LAYERS * weights_in(shape.attention) == sum(weights.values()), weights
    assert shape.experts and shape.experts.chosen == model.config.num_experts_per_tok
    experts = sum(part.numel() for part in model.parameters() if part.ndim == 3 and part.shape[0] == COUNT)
    assert shape.experts.layers * shape.experts.width * COUNT * 3 * shape.hidden == experts
