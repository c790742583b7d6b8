"""Attention row by row with the flash kernel equals the exact one, and packed rows equal rows alone."""

from __future__ import annotations

import pytest


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


def test_flash_attention_2_loads_and_agrees(tmp_path) -> None:
    """The package flash-attn, where it is installed."""
    pytest.importorskip("flash_attn", reason="flash-attn is not installed")
    import torch
    import transformers

    from tests.tiny import tiny_model

    folder = tiny_model(tmp_path / "model", hidden=256, layers=2)
    ids = torch.arange(60, device="cuda")[None] % 500
    logits = []
    for kind in ("flash_attention_2", "sdpa"):
        options = {"dtype": torch.bfloat16, "attn_implementation": kind}
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, **options).cuda()
        logits.append(model(input_ids=ids).logits.float())
    assert (logits[0] - logits[1]).abs().max() < 0.1
