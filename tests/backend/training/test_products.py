"""LoRA's products as one operation give what PEFT's own layers give, and what rows in a padded batch give."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from peft import LoraConfig, get_peft_model
from torch.nn.functional import cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode

from backend.training import load, products
from backend.training.loss import Pass
from studio.batches.encode import IGNORED, Encoded
from studio.batches.pack import pack
from tests.backend.training.small import VOCABULARY, settings, small_model

LORA = {"name": "lora", "rank": 4, "alpha": 12.0}
ONEDNN = [False, pytest.param(True, marks=pytest.mark.skipif(not products.has_onednn(), reason="no oneDNN here"))]


def encoded(lengths: tuple[int, ...]) -> list[Encoded]:
    random = np.random.default_rng(0)
    rows = []
    for number, length in enumerate(lengths):
        ids = random.integers(1, VOCABULARY, length).astype(np.int32)
        labels = np.where(np.arange(length) >= length // 3, ids, IGNORED).astype(np.int32)
        rows.append(Encoded(str(number), ids, labels, 0, np.zeros(length, bool)))
    return rows


def padded_losses(model: Any, rows: list[Encoded]) -> list[torch.Tensor]:
    """The mean loss of each row in one padded batch, as trainers with padding work it out."""
    longest = max(len(row) for row in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    labels = torch.full((len(rows), longest), IGNORED)
    mask = torch.zeros(len(rows), longest, dtype=torch.long)
    for at, row in enumerate(rows):
        ids[at, : len(row)] = torch.from_numpy(row.ids).long()
        labels[at, : len(row)] = torch.from_numpy(row.labels).long()
        mask[at, : len(row)] = 1
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    return [
        cross_entropy(logits[at, :-1], labels[at, 1:], ignore_index=IGNORED, reduction="mean")
        for at in range(len(rows))
    ]


def gradients(model: Any, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    names = [name for name, weight in model.named_parameters() if weight.requires_grad]
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    found = torch.autograd.grad(loss, weights, retain_graph=True)
    return {name.replace("base_model.model.", ""): value for name, value in zip(names, found, strict=True)}


def spread_out(model: Any) -> None:
    """B starts as zeros, which would hide half of the gradients."""
    torch.manual_seed(2)
    for name, weight in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.1)


@pytest.mark.parametrize("onednn", ONEDNN)
@pytest.mark.parametrize("kind", ["llama", "qwen2", "gemma2", "phi3"])
def test_each_row_has_the_loss_and_gradients_of_a_padded_batch(kind: str, onednn: bool, tmp_path: Path) -> None:
    model = small_model(kind, tmp_path)
    loaded = load.load(settings(method=LORA, dtype="float32"), model, onednn)
    spread_out(loaded.model)
    loaded.model.train()
    rows = encoded((11, 4, 17, 9))
    line = Pass.of(pack(rows))
    losses = loaded.forward.losses(line)

    plain = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, attn_implementation="eager")
    theirs = get_peft_model(plain, LoraConfig(r=4, lora_alpha=12, target_modules="all-linear", task_type="CAUSAL_LM"))
    spread_out(theirs)
    for number, expected in enumerate(padded_losses(theirs.train(), rows)):
        found = loaded.forward.losses(line)[line.owners == number].mean()  # its gradient is used up by one backward
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(losses[line.owners == number].mean(), expected, atol=1e-5, rtol=1e-5)
        ours = gradients(loaded.model, found)
        for name, value in gradients(theirs, expected).items():
            torch.testing.assert_close(ours[name], value, atol=1e-5, rtol=1e-5, msg=f"row {number}: {name}")


def test_every_plain_layer_of_lora_computes_this_way(tmp_path: Path) -> None:
    model = small_model("llama", tmp_path)
    loaded = load.load(settings(method=LORA), model)
    # Seven linear layers in each of two, and the one that makes the logits.
    fused = [name for name, part in loaded.model.named_modules() if "forward" in vars(part)]
    assert len(fused) == 2 * 7 + 1 and sum("proj" in name for name in fused) == 14


@pytest.mark.parametrize("method", [{"name": "dora"}, LORA | {"dropout": 0.1}])
def test_what_is_more_than_plain_lora_stays_with_peft(method: dict[str, Any], tmp_path: Path) -> None:
    loaded = load.load(settings(method=method), small_model("llama", tmp_path))
    fused = [name for name, part in loaded.model.named_modules() if "forward" in vars(part)]
    assert fused == ["base_model.model.lm_head"]


def test_an_adapter_that_is_switched_off_or_merged_counts_as_such(tmp_path: Path) -> None:
    loaded = load.load(settings(method=LORA, dtype="float32"), small_model("llama", tmp_path))
    spread_out(loaded.model)
    line = Pass.of(pack(encoded((12,))))
    plain = transformers.AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        tuned = loaded.forward.logits(line)
        base = plain(input_ids=line.ids).logits[0, line.places]
        with loaded.model.disable_adapter():
            torch.testing.assert_close(loaded.forward.logits(line), base, atol=1e-5, rtol=1e-5)
        assert (tuned - base).abs().max() > 0.1
        loaded.model.merge_adapter()
        torch.testing.assert_close(loaded.forward.logits(line), tuned, atol=1e-4, rtol=1e-4)


def test_in_bfloat16_the_gradients_are_those_of_peft_nearly(tmp_path: Path) -> None:
    model, rows = small_model("llama", tmp_path), encoded((11, 14))
    found = []
    for fuse in (True, False):
        loaded = load.load(settings(method=LORA, dtype="bfloat16"), model)
        spread_out(loaded.model)
        if not fuse:
            for part in loaded.model.modules():
                vars(part).pop("forward", None)
        loss = loaded.forward.losses(Pass.of(pack(rows))).mean()
        found.append((loss.detach(), gradients(loaded.model, loss)))
    (loss, ours), (other, theirs) = found
    assert abs(loss - other) < 0.02 * other
    for name, value in theirs.items():
        assert ours[name].dtype == torch.float32
        assert (ours[name] - value).norm() < 0.05 * value.norm(), name


def test_a_layer_is_its_products_and_one_copy_of_each_matrix_and_gradient() -> None:
    """With few rows in an update a GPU waits for Python, so every operation more is time."""

    seen: Counter[str] = Counter()

    class Counted(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen[func.overloadpacket.__name__] += 1
            return func(*args, **(kwargs or {}))

    draw = torch.Generator().manual_seed(1)
    x = torch.randn(1, 6, 16, generator=draw).bfloat16().requires_grad_()
    weight = torch.randn(24, 16, generator=draw).bfloat16()
    a, b = (torch.randn(shape, generator=draw, requires_grad=True) for shape in ((4, 16), (24, 4)))
    slope = torch.ones(1, 6, 24, dtype=torch.bfloat16)
    with Counted():
        products.LoraProduct.apply(x, weight, None, a, b, 1.5, False).backward(slope)
    free = {"view", "_unsafe_view", "t", "transpose", "detach", "new_empty"}
    found = {name: times for name, times in seen.items() if name not in free}
    assert found == {"_to_copy": 4, "mm": 4, "addmm_": 2, "addmm": 2}
    assert a.grad is not None and a.grad.is_contiguous() and b.grad is not None and b.grad.is_contiguous()
