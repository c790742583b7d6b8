"""A packed line without padding gives every row the loss and the gradient it has alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch.nn.functional import cross_entropy

from backend.training import load, loss
from backend.training.loss import Pass, TokenLoss
from studio.batches.encode import IGNORED, Encoded
from studio.batches.pack import pack
from tests.backend.training.small import KINDS, VOCABULARY, settings, small_model


def rows(lengths: tuple[int, ...]) -> list[Encoded]:
    """Rows of random tokens of which the last part is learned; one learns at two places, as after several answers."""
    random = np.random.default_rng(0)
    made = []
    for number, length in enumerate(lengths):
        ids = random.integers(1, VOCABULARY, length).astype(np.int32)
        labels = np.full(length, IGNORED, np.int32)
        labels[length // 2 :] = ids[length // 2 :]
        if number == 1:
            labels[1:3] = ids[1:3]
        made.append(Encoded(str(number), ids, labels, 0, np.zeros(length, bool)))
    return made


def reference(model: Any, row: Encoded) -> torch.Tensor:
    """The losses of one row alone, by Transformers' own attention and PyTorch's cross-entropy."""
    ids = torch.from_numpy(row.ids).long()[None]
    logits = model(input_ids=ids, use_cache=False).logits[0, :-1]
    losses = cross_entropy(logits, torch.from_numpy(row.labels).long()[1:], reduction="none", ignore_index=IGNORED)
    return losses[row.labels[1:] != IGNORED]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("recompute", [False, True])
def test_packed_rows_have_the_losses_and_gradients_of_rows_alone(kind: str, recompute: bool, tmp_path: Path) -> None:
    model = small_model(kind, tmp_path)
    chosen = settings(method={"name": "full"})
    loaded = load.load(chosen, model)
    assert loaded.packs
    loaded.model.train()
    if recompute:
        loaded.model.activation_checkpointing_enable({"use_reentrant": False})
    given = rows((11, 9, 2, 17))
    line = Pass.of(pack(given))
    losses = loaded.forward.losses(line)
    losses.sum().backward()

    plain = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, attn_implementation="eager").train()
    expected = torch.cat([reference(plain, row) for row in given])
    expected.sum().backward()
    torch.testing.assert_close(losses, expected, atol=1e-5, rtol=1e-5)
    assert [int(count) for count in torch.bincount(line.owners)] == [row.trained for row in given]
    gradients = dict(loaded.model.named_parameters())
    for name, weight in plain.named_parameters():
        torch.testing.assert_close(gradients[name].grad, weight.grad, atol=1e-5, rtol=1e-4, msg=name)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_token_loss_is_cross_entropy(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss, "CHUNK", 3 * VOCABULARY)  # three tokens at a time, so that the last chunk is shorter
    torch.manual_seed(0)
    values = (4 * torch.randn(10, VOCABULARY)).to(dtype)
    targets, weights = torch.randint(VOCABULARY, (10,)), torch.rand(10)
    ours, theirs = values.clone().requires_grad_(), values.clone().requires_grad_()
    found = TokenLoss.apply(ours * 1, targets, True)
    expected = cross_entropy(theirs.float(), targets, reduction="none")
    torch.testing.assert_close(found, expected)
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-6 if dtype == torch.float32 else 1e-2, rtol=1e-2)


def test_token_loss_keeps_its_digits_where_scores_are_large() -> None:
    """Models give scores around 20 to 60, whose own last digit is a few millionths."""
    torch.manual_seed(0)
    values, targets = 4 * torch.randn(50, VOCABULARY) + 60, torch.randint(VOCABULARY, (50,))
    ours, exact = values.clone().requires_grad_(), values.double().requires_grad_()
    found, expected = TokenLoss.apply(ours * 1, targets, True), cross_entropy(exact, targets, reduction="none")
    found.sum().backward()
    expected.sum().backward()
    assert (ours.grad - exact.grad).abs().max() < 3e-7
    assert ((found - expected) / expected).abs().max() < 3e-7


def test_token_loss_without_a_gradient_leaves_the_logits() -> None:
    values = torch.randn(4, VOCABULARY)
    before = values.clone()
    TokenLoss.apply(values, torch.zeros(4, dtype=torch.long), False)
    assert torch.equal(values, before)
