"""Attention of short rows in bfloat16 is that of PyTorch's kernel, forward and backward."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.attention import varlen
from torch.nn.functional import scaled_dot_product_attention

from backend.training import attention
from backend.training.attention import KEPT, SHORT, ShortRow, flash_attention, row_attention

ROOT = Path(__file__).resolve().parents[3]


def tensors(length: int, heads: int = 6, groups: int = 2) -> list[torch.Tensor]:
    torch.manual_seed(length)
    return [torch.randn(1, count, length, 16).to(torch.bfloat16) for count in (heads, groups, groups)]


def exact(given: list[torch.Tensor], slope: torch.Tensor) -> list[torch.Tensor]:
    """Result and gradients in float64."""
    query, key, value = (one.double().requires_grad_() for one in given)
    found = scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True, scale=0.3)
    return [found.detach(), *torch.autograd.grad(found, [query, key, value], slope.double())]


@pytest.mark.parametrize("length", [1, 2, 33, KEPT, KEPT + 1])
@pytest.mark.parametrize("autocast", [False, True])
def test_it_is_attention(length: int, autocast: bool) -> None:
    given = tensors(length)
    slope = torch.randn_like(given[0])
    leaves = [one.clone().requires_grad_() for one in given]
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        found = ShortRow.apply(*(leaf[0] for leaf in leaves), 0.3)[None]
    assert found.dtype == torch.bfloat16
    ours = [found.detach(), *torch.autograd.grad(found, leaves, slope)]
    for one, other in zip(ours, exact(given, slope), strict=True):
        assert (one.double() - other).norm() <= 0.015 * other.norm() + 1e-6


def test_rows_of_a_line_do_not_see_each_other() -> None:
    query, key, value = (one.requires_grad_() for one in tensors(40))
    bounds = ((0, 10), (10, 11), (11, 40))
    module = torch.nn.Module()
    module.is_causal, module.num_key_value_groups = True, 3
    found, _ = row_attention(module, query, key, value, None, bounds, scaling=0.3)
    assert found.shape == (1, 40, 6, 16)
    for start, end in bounds:
        parts = [one[:, :, start:end].double() for one in (query, key, value)]
        alone = scaled_dot_product_attention(*parts, is_causal=True, enable_gqa=True, scale=0.3)
        assert (found[:, start:end].transpose(1, 2).double() - alone).abs().max() < 0.05
    (slope,) = torch.autograd.grad(found[:, :10].float().sum(), key)
    assert slope[:, :, :10].abs().max() > 0 and slope[:, :, 10:].abs().max() == 0


def test_long_rows_take_pytorchs_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ShortRow, "apply", lambda *_: pytest.fail("too long for it"))
    query, key, value = (one.requires_grad_() for one in tensors(SHORT + 1, 2, 1))
    module = torch.nn.Module()
    module.is_causal, module.num_key_value_groups = True, 2
    row_attention(module, query, key, value, None, ((0, SHORT + 1),), scaling=0.3)


def by_hand(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    ends: torch.Tensor,
    other_ends: torch.Tensor,
    longest: int,
    other_longest: int,
    *,
    scale: float | None,
    window_size: tuple[int, int],
    enable_gqa: bool,
) -> torch.Tensor:
    """What torch.nn.attention.varlen says it does ([T, heads, size], int32 ends, window), in a form that a CPU has."""
    bounds = ends.tolist()
    assert ends.dtype == torch.int32 and torch.equal(ends, other_ends) and bounds[0] == 0 and bounds[-1] == len(query)
    assert longest == other_longest == max(end - start for start, end in itertools.pairwise(bounds))
    assert window_size == (-1, 0) and query.dtype == key.dtype == value.dtype == torch.bfloat16
    rows = []
    for start, end in itertools.pairwise(bounds):
        parts = (part[start:end].transpose(0, 1)[None] for part in (query, key, value))
        found = scaled_dot_product_attention(*parts, is_causal=True, enable_gqa=enable_gqa, scale=scale)
        rows.append(found[0].transpose(0, 1))
    return torch.cat(rows)


def by_hand_before(*given: Any, scale: float | None, window_size: tuple[int, int]) -> torch.Tensor:
    """The same in PyTorch 2.11, where heads share a key unasked."""
    return by_hand(*given, scale=scale, window_size=window_size, enable_gqa=True)


@pytest.fixture(params=[by_hand, by_hand_before], ids=["now", "before"])
def operation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(varlen, "varlen_attn", request.param)
    attention._varlen.cache_clear()
    yield
    attention._varlen.cache_clear()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.usefixtures("operation")
def test_flash_attention_is_asked_for_the_same(dtype: torch.dtype) -> None:
    """All rows in one call; full training has queries and keys in float32."""
    query, key, value = tensors(40)
    query, key = query.to(dtype), key.to(dtype)
    bounds = ((0, 10), (10, 11), (11, 40))
    module = torch.nn.Module()
    module.is_causal, module.num_key_value_groups = True, 3
    flash, _ = flash_attention(module, query, key, value, None, bounds, scaling=0.3, dropout=0.0)
    plain, _ = row_attention(module, *tensors(40), None, bounds, scaling=0.3)
    assert flash.shape == plain.shape and (flash - plain).abs().max() < 0.05


@pytest.mark.parametrize(("width", "of_values"), [(24, 16), (12, 12), (264, 264)])
def test_heads_that_flash_attention_has_no_form_for_go_row_by_row(width: int, of_values: int) -> None:
    """Where layers differ, the model's configuration tells of one."""
    torch.manual_seed(0)
    query, key = (torch.randn(1, heads, 40, width).to(torch.bfloat16) for heads in (6, 2))
    value = torch.randn(1, 2, 40, of_values).to(torch.bfloat16)
    module = torch.nn.Module()
    module.is_causal, module.num_key_value_groups = True, 3
    bounds = ((0, 10), (10, 40))
    flash, _ = flash_attention(module, query, key, value, None, bounds, scaling=0.3)
    plain, _ = row_attention(module, query, key, value, None, bounds, scaling=0.3)
    assert torch.equal(flash, plain)


def test_a_pytorch_without_rows_of_several_lengths_trains_all_the_same() -> None:
    """PyTorch 2.8 and 2.9, which have no such module."""
    code = "import sys; sys.modules['torch.nn.attention.varlen'] = None; import backend.training.load"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
