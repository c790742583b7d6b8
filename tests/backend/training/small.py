"""Random models of many architectures, each of some kilobytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers

from studio.models import Model
from studio.settings.train import TrainSettings

VOCABULARY = 64
SMALL = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}
# What a model of each kind adds to SMALL. In all of them several rows can share a line.
KINDS: dict[str, dict[str, Any]] = {
    "llama": {"tie_word_embeddings": True},
    "qwen2": {},
    "qwen3": {},
    "mistral": {"sliding_window": 5},
    "gemma3_text": {"sliding_window": 5, "query_pre_attn_scalar": 8},
    "gemma2": {"sliding_window": 5, "query_pre_attn_scalar": 8},
    "olmo2": {},
    "phi3": {},
    "granite": {"logits_scaling": 2.0},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "attn_pdrop": 0, "embd_pdrop": 0, "resid_pdrop": 0},
}  # fmt: skip


def small_model(kind: str, folder: Path) -> Model:
    """A random model of that architecture in `folder`, opened without what a whole model's folder has besides."""
    torch.manual_seed(1)
    config = transformers.AutoConfig.for_model(kind, **(SMALL | KINDS.get(kind, {})))
    model = transformers.AutoModelForCausalLM.from_config(config)
    for name, weight in model.named_parameters():
        if "norm" not in name:
            torch.nn.init.normal_(weight, std=0.2)
    model.save_pretrained(folder)
    return Model(
        name=kind, path=folder, architecture="", parameters=0, dtype="float32", size=0, layers=2, hidden=32,
        vocabulary=VOCABULARY, context=64, tied=True, chat_template=False, licence="", languages=(), source={},
        weight_files=(),
    )  # fmt: skip


def settings(**given: Any) -> TrainSettings:
    return TrainSettings.model_validate({"dataset": "d", "device": "cpu", "cutoff": 32} | given)
