"""Bases whole and in few bits, what is tuned from them, and their stamps."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from backend.bits import leave_packed
from backend.engine.engine import Engine
from backend.engine.weights import load_model
from backend.parity import Exported
from tests.adapters import adapter
from tests.backend.engine.conftest import GREEDY, PROMPTS, loop


def test_an_adapter_is_read_to_where_its_base_is(
    model: Path, lora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PEFT by itself would take a GPU wherever there is one, beside the training that has it."""

    def never() -> str:
        raise AssertionError("the device was guessed")

    monkeypatch.setattr("peft.peft_model.infer_device", never)
    engine = Engine(model, {"tuned": lora, "other": adapter(model, tmp_path / "other", seed=2)}, device="cpu")
    assert engine.pairs(PROMPTS[:1], GREEDY, "other")
    exported = Path(shutil.copytree(lora, tmp_path / "exported"))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(model / name, exported)
    assert Exported(exported, model).model


def test_stamps_name_the_weights(model: Path, engine: Engine, tmp_path: Path) -> None:
    pair = engine.pairs(PROMPTS[:1], GREEDY, "tuned")[0]
    base, _, tuned = pair.tuned.weights.partition("+")
    assert pair.base.weights == base
    assert len(base) == len(tuned) == 12
    assert engine.stamps["other"] not in (pair.base.weights, pair.tuned.weights)
    moved = tmp_path / "elsewhere"
    shutil.copytree(model, moved)
    assert Engine(moved).stamps["base"] == base


def test_dora_answers_in_turn_and_full_models_apart(model: Path, lora: Path, tmp_path: Path) -> None:
    dora = adapter(model, tmp_path / "dora", use_dora=True)
    full = tmp_path / "full"
    net = load_model(model, "cpu")
    with torch.no_grad():
        for weights in net.parameters():
            weights.add_(torch.randn_like(weights) * 0.05)
    net.save_pretrained(full)
    engine = Engine(model, {"dora": dora, "full": full, "lora": lora}, device="cpu", threads=1)
    assert [engine.sharing[name].how for name in ("dora", "full", "lora")] == ["in turn", "apart", "together"]
    base = [answer.tokens for answer in Engine(model, device="cpu", threads=1).answer(PROMPTS, options=GREEDY)]
    for name in ("dora", "full", "lora"):
        pairs = engine.pairs(PROMPTS, GREEDY, name)
        assert [pair.base.tokens for pair in pairs] == base
        assert [pair.tuned.tokens for pair in pairs] != base
    plain = AutoModelForCausalLM.from_pretrained(full)
    with torch.inference_mode():
        logits = plain(torch.tensor([engine.encode(PROMPTS[0])])).logits[0, -1]
    assert engine.answer(PROMPTS[:1], "full", GREEDY)[0].tokens[0] == int(logits.argmax())


def test_a_start_that_moves_the_base_leaves_the_base_alone(model: Path, tmp_path: Path) -> None:
    moving = adapter(model, tmp_path / "pissa", init_lora_weights="pissa")
    engine = Engine(model, {"tuned": moving}, device="cpu", threads=1)
    assert engine.sharing["tuned"].how == "apart"
    base = [answer.tokens for answer in Engine(model, device="cpu", threads=1).answer(PROMPTS, options=GREEDY)]
    assert [pair.base.tokens for pair in engine.pairs(PROMPTS, GREEDY)] == base


def packed(model: Path, bits: str) -> Any:
    """The model as QLoRA loads it to train on."""
    options = {"load_in_8bit": True} if bits == "8" else {
        "load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True,
        "bnb_4bit_compute_dtype": torch.float32,
    }  # fmt: skip
    net = AutoModelForCausalLM.from_pretrained(
        model, dtype=torch.float32, device_map={"": "cpu"}, quantization_config=BitsAndBytesConfig(**options)
    )
    leave_packed(net)
    return net.eval()


@pytest.mark.parametrize("free", [1 << 30, 1])
def test_what_was_trained_on_four_bits_answers_on_those(
    model: Path, lora: Path, engine: Engine, free: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.room.memory", lambda: (8 << 30, free))
    few = Engine(model, {"tuned": lora}, device="cpu", threads=1, bits="4")
    pairs = few.pairs(PROMPTS[:3], GREEDY)
    net = packed(model, "4")
    assert [pair.base.tokens for pair in pairs] == [loop(net, few, prompt) for prompt in PROMPTS[:3]]
    net = PeftModel.from_pretrained(net, str(lora), autocast_adapter_dtype=False).eval()
    assert [pair.tuned.tokens for pair in pairs] == [loop(net, few, prompt) for prompt in PROMPTS[:3]]
    assert [pair.tuned.tokens for pair in pairs] != [pair.tuned.tokens for pair in engine.pairs(PROMPTS[:3], GREEDY)]


@pytest.mark.parametrize(("bits", "written"), [("4", "nf4"), ("8", "int8")])
def test_stamps_name_the_few_bits(model: Path, lora: Path, engine: Engine, bits: Any, written: str) -> None:
    few = Engine(model, {"tuned": lora}, device="cpu", threads=1, bits=bits)
    (pair,) = few.pairs(PROMPTS[:1], GREEDY)
    base, _, tuned = engine.stamps["tuned"].partition("+")
    assert (pair.base.weights, pair.tuned.weights) == (f"{base}-{written}", f"{base}-{written}+{tuned}")
    assert f"{bits} bits" in few.sharing["tuned"].why


@pytest.mark.parametrize(
    ("bits", "free", "kept"), [("4", 1 << 30, "Linear"), ("4", 1, "Linear4bit"), ("8", 1 << 30, "Linear8bitLt")]
)
def test_few_bits_give_the_logits_they_give_in_training_packed_or_not(
    model: Path, bits: Any, free: int, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A CPU that holds four bits unpacked does so: it is faster, and nothing else."""
    monkeypatch.setattr("backend.room.memory", lambda: (8 << 30, free))
    net, ids = load_model(model, "cpu", bits), torch.arange(3, 40)[None]
    assert type(net.model.layers[0].mlp.up_proj).__name__ == kept
    with torch.inference_mode():
        assert torch.equal(net(ids).logits, packed(model, bits)(ids).logits)
