"""The model as it is trained: its format, its attention, its adapter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import transformers

from backend import gpu
from backend.engine.weights import best_device, load_model
from backend.training import attention, load
from backend.training.loss import Forward
from studio.errors import BadInput, Broken, Refused
from studio.models import Model
from studio.workspace import Workspace
from tests.backend.training.small import VOCABULARY, settings, small_model
from tests.studio.test_machine import GPU, made


def test_rows_of_a_recurrent_model_go_alone(tmp_path: Path) -> None:
    """Mamba carries a state through the line, which no mask can cut."""
    torch.manual_seed(1)
    config = transformers.MambaConfig(
        vocab_size=VOCABULARY, hidden_size=32, state_size=4, num_hidden_layers=2, intermediate_size=64
    )
    transformers.MambaForCausalLM(config).save_pretrained(tmp_path)
    base = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    assert not load._packs(base, Forward(base), torch.float32)


@pytest.mark.parametrize(
    ("kind", "cutoff", "by_row"), [("mistral", 32, False), ("mistral", 8, False), ("llama", 32, True)]
)
def test_attention_goes_row_by_row_where_no_row_reaches_beyond_a_window(
    kind: str, cutoff: int, by_row: bool, tmp_path: Path
) -> None:
    loaded = load.load(settings(method={"name": "full"}, cutoff=cutoff), small_model(kind, tmp_path))
    assert loaded.forward.by_row == by_row
    assert loaded.packs


@pytest.mark.parametrize(("kind", "name"), [("llama", "attention_dropout"), ("gpt2", "attn_pdrop")])
def test_flash_attention_is_taken_but_where_attention_has_dropout(kind: str, name: str, tmp_path: Path) -> None:
    given, path = settings(attention="flash"), small_model(kind, tmp_path).path
    base = transformers.AutoModelForCausalLM.from_pretrained(path)
    load._choose_attention(base, given, "cpu", torch.float32)
    assert base.config._attn_implementation == attention.FLASH
    base = transformers.AutoModelForCausalLM.from_pretrained(path, **{name: 0.1})
    with pytest.raises(Refused, match="dropout") as caught:
        load._choose_attention(base, given, "cpu", torch.float32)
    assert caught.value.field == "attention" and "--attention auto" in caught.value.next
    load._choose_attention(base, settings(), "cpu", torch.float32)
    assert base.config._attn_implementation == attention.NAME


@pytest.mark.starter
def test_rounding_is_not_taken_for_rows_that_mix(starter: Path) -> None:
    """All weights in bfloat16: a line of its own has to be computed as the packed one is."""
    model = Model.open(Workspace(starter.parents[1]), starter.name)
    assert load.load(settings(method={"name": "full"}, dtype="bfloat16"), model).packs


@pytest.mark.parametrize("name", ["lora", "dora", "qlora"])
def test_adapters_are_float32_and_all_else_is_frozen(name: str, tmp_path: Path) -> None:
    given = settings(method={"name": name, "rank": 2, "alpha": 4, "dropout": 0.1}, dtype="bfloat16", model="mine")
    loaded = load.load(given, small_model("llama", tmp_path))
    trained = {key: weight for key, weight in loaded.model.named_parameters() if weight.requires_grad}
    assert trained
    assert all("lora_" in key and weight.dtype == torch.float32 for key, weight in trained.items())
    config = loaded.model.peft_config["default"]
    assert config.base_model_name_or_path == "mine"
    assert (config.r, config.lora_alpha, config.lora_dropout, config.use_dora) == (2, 4, 0.1, name == "dora")


def test_the_base_of_qlora_is_in_four_bits(tmp_path: Path) -> None:
    loaded = load.load(settings(method={"name": "qlora"}), small_model("llama", tmp_path))
    layers = [part for part in loaded.model.modules() if type(part).__name__ == "Linear4bit"]
    assert layers
    assert not any(getattr(part, "support_avx512bf16_for_cpu", False) for part in layers)
    assert {part.weight.quant_type for part in layers} == {"nf4"}
    assert all(part.weight.quant_state.nested for part in layers)


def test_all_weights_in_bfloat16_are_kept_in_float32(tmp_path: Path) -> None:
    loaded = load.load(settings(method={"name": "full"}, dtype="bfloat16"), small_model("llama", tmp_path))
    assert {weight.dtype for weight in loaded.model.parameters()} == {torch.float32}
    assert loaded.forward.compute == torch.bfloat16


def test_target_layers_may_be_named(tmp_path: Path) -> None:
    given = settings(method={"name": "lora", "targets": "q_proj, v_proj"})
    loaded = load.load(given, small_model("llama", tmp_path))
    trained = [key for key, weight in loaded.model.named_parameters() if weight.requires_grad]
    assert trained
    assert all("q_proj" in key or "v_proj" in key for key in trained)


def test_target_layers_that_are_not_there_are_answered_with_those_that_are(tmp_path: Path) -> None:
    given = settings(method={"name": "lora", "targets": "nonsense"})
    with pytest.raises(BadInput, match="q_proj") as caught:
        load.load(given, small_model("llama", tmp_path))
    assert caught.value.field == "method.targets"


def test_a_model_without_its_weights_is_broken(tmp_path: Path) -> None:
    model = small_model("llama", tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(Broken, match="can't be loaded"):
        load.load(settings(), model)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_refused() -> None:
    with pytest.raises(Refused, match="no GPU"):
        load.choose_device("cuda")
    assert load.choose_device("auto") == "cpu"


def test_a_gpu_that_torch_finds_and_has_no_kernels_for_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for capability, device in (((8, 9), "cuda"), ((6, 1), "cpu")):
        here = made(gpus=(replace(GPU, capability=capability),), torch_cuda="13.0", driver_cuda=13)
        monkeypatch.setattr(gpu, "machine", lambda here=here: here)
        monkeypatch.setattr(load, "machine", lambda here=here: here)
        assert load.choose_device("auto") == best_device() == device
    with pytest.raises(Refused, match="is older"):
        load.choose_device("cuda")
    monkeypatch.setattr(gpu, "machine", lambda: made())  # no word of NVIDIA's library: torch is believed
    assert load.choose_device("cuda") == "cuda"


def test_attention_is_left_to_kernels_that_need_no_plan_for_a_length(
    tmp_path: Path,
) -> None:
    for loads in (lambda path: load.load(settings(), small_model("llama", path)), lambda path: load_model(path, "cpu")):
        torch.backends.cuda.enable_cudnn_sdp(True)
        loads(tmp_path)
        assert not torch.backends.cuda.cudnn_sdp_enabled()
