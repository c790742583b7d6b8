"""backend/starter.py: a small GGUF file written here, and the real starter."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from backend import starter as recipe
from studio.errors import Broken
from studio.models import catalogue, read_model
from tests.tiny import tiny_model

# The hash every copy of the starter has: one name, one set of weights.
WEIGHTS = "709da2bb0af01ee9acf2ac8c02e44b01ab1bffef"
QUESTIONS = (
    "What is the capital of France?",
    "List three uses of vinegar.",
    "My parcel did not arrive. What should I do?",
    "Write two sentences about rain.",
    "Translate “good morning” into Spanish.",
)


def interleaved(weight: np.ndarray, heads: int) -> np.ndarray:
    """Query and key rows in llama.cpp's order, as its converter makes it."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def write_gguf(model: Path, target: Path, pre: str = "smollm") -> dict[str, np.ndarray]:
    """A tiny Llama as llama.cpp would have it, in 4 bits where the starter has them; returns its weights."""
    weights = load_file(model / "model.safetensors")
    config = json.loads((model / "config.json").read_text())
    tokens = Tokenizer.from_file(str(model / "tokenizer.json"))
    vocabulary = [tokens.id_to_token(index) for index in range(tokens.get_vocab_size())]
    merges = json.loads(tokens.to_str())["model"]["merges"]
    writer = gguf.GGUFWriter(target, "llama")
    writer.add_context_length(512)
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_rope_freq_base(100_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(vocabulary))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(vocabulary)
    writer.add_token_types([3 if token.startswith("<|") else 1 for token in vocabulary])
    writer.add_token_merges([" ".join(merge) for merge in merges])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_chat_template("{{ messages }}")
    back = {ours: theirs for theirs, ours in recipe.OUTER.items()}
    parts = {ours: theirs for theirs, ours in recipe.INNER.items()}
    for name, weight in weights.items():
        if name in back:
            writer.add_tensor(back[name], weight)
            continue
        _, _, layer, part = name.removesuffix(".weight").split(".", 3)
        heads = {"attn_q": 4, "attn_k": 2}.get(parts[part])
        weight = interleaved(weight, heads) if heads else weight
        place = f"blk.{layer}.{parts[part]}.weight"
        if weight.ndim == 2:
            kind = gguf.GGMLQuantizationType.Q4_1
            packed = gguf.quantize(weight, kind)
            writer.add_tensor(place, packed, raw_dtype=kind)
            plain = gguf.dequantize(packed, kind)
            weights[name] = recipe.halves_apart(plain, heads) if heads else plain
        else:
            writer.add_tensor(place, weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return weights


def test_a_gguf_file_becomes_the_model_it_was(tmp_path: Path) -> None:
    weights = write_gguf(tiny_model(tmp_path / "tiny"), tmp_path / "tiny.gguf")
    out = tmp_path / "out"
    out.mkdir()
    ticks: list[tuple[int, int]] = []
    recipe.convert(tmp_path / "tiny.gguf", out, lambda done, total: ticks.append((done, total)))
    found = load_file(out / "model.safetensors")
    assert {name: weight.tobytes() for name, weight in found.items()} == {
        name: weight.tobytes() for name, weight in weights.items()
    }
    assert ticks[0] == (0, len(weights)) and ticks[-1] == (len(weights), len(weights))
    model = read_model(out)
    assert (model.layers, model.hidden, model.vocabulary, model.context) == (2, 32, 512, 512)
    assert model.chat_template and model.tied and model.dtype == "float32"


def test_query_rows_come_back_in_order() -> None:
    weight = np.arange(64 * 4, dtype=np.float32).reshape(64, 4)
    assert not np.array_equal(interleaved(weight, 4), weight)
    assert np.array_equal(recipe.halves_apart(interleaved(weight, 4), 4), weight)


def test_another_gguf_is_refused(tmp_path: Path) -> None:
    write_gguf(tiny_model(tmp_path / "tiny"), tmp_path / "tiny.gguf", pre="llama-bpe")
    with pytest.raises(Broken, match="not the one this studio knows"):
        recipe.convert(tmp_path / "tiny.gguf", tmp_path, lambda done, total: None)


@pytest.mark.starter
def test_the_starter_is_what_the_catalogue_says(starter: Path) -> None:
    model, known = read_model(starter), catalogue()[0]
    assert known.id == "starter"
    assert (model.parameters, model.context, model.licence) == (known.parameters, known.context, known.licence)
    assert (model.architecture, model.dtype, model.tied) == ("LlamaForCausalLM", "float32", True)
    assert model.weights_hash() == WEIGHTS
    assert "Apache License" in (starter / "LICENSE.txt").read_text()


@pytest.mark.starter
def test_the_starters_tokenizer_keeps_what_the_model_learned(starter: Path) -> None:
    tokens = Tokenizer.from_file(str(starter / "tokenizer.json"))
    # Digits stand alone, and white space before them stays one token, as in every numbered list.
    assert tokens.encode("Steps:\n\n1. Go\n\n12").tokens == ["Steps", ":", "ĊĊ", "1", ".", "ĠGo", "ĊĊ", "1", "2"]
    assert tokens.encode("<|im_start|>user\nHi<|im_end|>").ids[0] == 1
    assert tokens.encode("<|im_end|>").ids == [2]
    text = "Größe, naïve, 你好 🙂 and  two spaces"
    assert tokens.decode(tokens.encode(text).ids) == text
    names = json.loads((starter / "tokenizer_config.json").read_text())
    assert (names["eos_token"], names["pad_token"], names["model_max_length"]) == ("<|im_end|>", "<|im_end|>", 8192)


def answers(model: Any, tokenizer: Any, questions: tuple[str, ...] = QUESTIONS) -> list[list[int]]:
    """The greedy answer to each question, at most 40 tokens."""
    found = []
    for question in questions:
        chat = [{"role": "user", "content": question}]
        inputs = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        made = model.generate(**inputs, max_new_tokens=40, do_sample=False)
        found.append(made[0][inputs["input_ids"].shape[1] :].tolist())
    return found


@pytest.mark.starter
def test_the_starter_answers_and_stops(starter: Path) -> None:
    transformers = pytest.importorskip("transformers")
    model = transformers.AutoModelForCausalLM.from_pretrained(starter)
    tokenizer = transformers.AutoTokenizer.from_pretrained(starter)
    assert (
        tokenizer.encode("Steps:\n\n1. Go")
        == Tokenizer.from_file(str(starter / "tokenizer.json")).encode("Steps:\n\n1. Go").ids
    )
    first = answers(model, tokenizer, QUESTIONS[:1])[0]
    assert tokenizer.decode(first) == "The capital of France is Paris.<|im_end|>"


@pytest.mark.full
@pytest.mark.starter
def test_the_conversion_is_that_of_transformers(starter: Path, outside: dict[str, str], tmp_path: Path) -> None:
    """Same weights bit for bit, same configuration, same greedy tokens as from the GGUF file itself."""
    import torch
    import transformers

    fetched = subprocess.run(recipe.pip_command(tmp_path), env=outside, capture_output=True, text=True)
    assert fetched.returncode == 0, fetched.stderr
    gguf_file = recipe.unpack(next(tmp_path.glob("*.whl")), tmp_path, tmp_path)
    direct = transformers.AutoModelForCausalLM.from_pretrained(
        gguf_file.parent, gguf_file=gguf_file.name, dtype=torch.float32
    )
    ours = transformers.AutoModelForCausalLM.from_pretrained(starter)
    theirs = direct.state_dict()
    assert ours.state_dict().keys() == theirs.keys()
    assert all(torch.equal(weight, theirs[name]) for name, weight in ours.state_dict().items())
    for name in ("rope_parameters", "num_key_value_heads", "head_dim", "hidden_act", "eos_token_id", "vocab_size"):
        assert getattr(ours.config, name) == getattr(direct.config, name)
    tokenizer = transformers.AutoTokenizer.from_pretrained(starter)
    assert answers(ours, tokenizer) == answers(direct, tokenizer)
    assert (
        tokenizer.chat_template
        == transformers.AutoTokenizer.from_pretrained(gguf_file.parent, gguf_file=gguf_file.name).chat_template
    )
