"""Attention row by row with the flash kernel equals the exact one, and packed rows equal rows alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studio import events
from tests.backend.training.small import settings, small_model
from tests.worlds import World


def test_the_flash_kernel_gives_what_the_exact_one_gives() -> None:
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    from backend.training.attention import row_attention

    torch.manual_seed(0)
    bounds = ((0, 100), (100, 163), (163, 400))
    query, key, value = (torch.randn(1, 8, 400, 64, device="cuda", dtype=torch.bfloat16) for _ in range(3))
    module = torch.nn.Module()
    module.is_causal = True  # type: ignore[assignment]
    answers = []
    for kernel in (SDPBackend.FLASH_ATTENTION, SDPBackend.MATH):
        with sdpa_kernel(kernel):
            answers.append(row_attention(module, query, key, value, None, rows=bounds)[0].float())
    assert (answers[0] - answers[1]).abs().max() < 0.02


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_flash_attention_gives_what_rows_one_by_one_give(dtype: str) -> None:
    """Forward and backward, with grouped keys; `dtype` is that of queries and keys, as full training has float32."""
    import torch

    from backend.training.attention import flash_attention, row_attention

    torch.manual_seed(0)
    bounds = ((0, 100), (100, 163), (163, 400))
    made = [torch.randn(1, heads, 400, 64, device="cuda", dtype=torch.bfloat16) for heads in (8, 2, 2)]
    module = torch.nn.Module()
    module.is_causal, module.num_key_value_groups = True, 4  # type: ignore[assignment]
    found = []
    for way, wanted in ((flash_attention, dtype), (row_attention, "bfloat16")):
        kinds = (getattr(torch, wanted), getattr(torch, wanted), torch.bfloat16)
        parts = [part.to(kind).requires_grad_() for part, kind in zip(made, kinds, strict=True)]
        answer, _ = way(module, *parts, None, rows=bounds, scaling=0.125)
        found.append([answer, *torch.autograd.grad(answer.float().square().sum(), parts)])
    for one, other in zip(*found, strict=True):
        assert (one.float() - other.float()).norm() < 0.02 * other.float().norm()


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_run_with_flash_attention_has_nearly_the_same_curve(
    method: str, world: World, train: Any, given: dict[str, Any]
) -> None:
    usual, flash = (world.run(**given, method={"name": method}, attention=kind) for kind in ("rows", "flash"))
    assert train(usual)["type"] == train(flash)["type"] == "finished"
    curves = [[line["loss"] for line in events.steps(folder)[0]] for folder in (usual, flash)]
    assert curves[1] == pytest.approx(curves[0], rel=0.02)


def test_it_is_taken_where_nobody_chose(tmp_path: Path) -> None:
    from backend.training import attention, load

    model = small_model("llama", tmp_path)
    for dtype, kind in (("bfloat16", attention.FLASH), ("float32", attention.NAME)):
        loaded = load.load(settings(device="cuda", dtype=dtype), model)
        assert loaded.model.get_base_model().config._attn_implementation == kind
