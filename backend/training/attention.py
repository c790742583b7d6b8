"""Attention within each row of a packed line, row by row.

Transformers keeps packed rows apart with a mask over the whole line, so its cost grows with the square of the line.
Here every row is attended to alone and causally by the kernel that needs no mask: the cost is that of the rows, and
no row can see another. Where a model's attention is more than that, Transformers' own way is taken.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from studio.acceleration import FLASH_HEAD, FLASH_STEP

NAME = "rows"
# PyTorch's kernel for CPUs is slow in bfloat16: up to this length plain products and a softmax take half the time.
SHORT = 512
# Rows up to this length keep their probabilities for the backward pass; those of longer ones are worked out again.
KEPT = 256
Bounds = tuple[tuple[int, int], ...]
FLASH = "rows-at-once"  # Transformers takes any name with "flash" in it for one of its own kernels
CAUSAL = (-1, 0)  # of the window: everything before a token, nothing after it


def row_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    rows: Bounds | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of a model loaded with `attn_implementation="rows"`.

    Args:
        query: [1, heads, T, size]; key and value [1, key heads, T, size].
        attention_mask: not used, there is none.
        rows: start and end of each row in the line; None when the line is one row, as in generation.
        options: as Transformers gives them to its own.

    Returns:
        [1, T, heads, size], and None.
    """
    if rows is None:
        return sdpa_attention_forward(module, query, key, value, None, **options)
    lengths = [end - start for start, end in rows]  # split and not sliced: its gradient is put together in one go
    split = (part.split(lengths, dim=2) for part in (query, key, value))
    parts = [_one_row(module, q, k, v, options) for q, k, v in zip(*split, strict=True)]
    return torch.cat(parts, dim=1), None


def flash_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    rows: Bounds | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """`row_attention` by FlashAttention (Dao 2023), all rows in one operation; on NVIDIA GPUs, in bfloat16.

    A layer whose heads it has no form for goes row by row: in some models layers differ, or values from queries.
    """
    width = query.shape[-1]
    fits = width == value.shape[-1] and width <= FLASH_HEAD and width % FLASH_STEP == 0
    if rows is None or options.get("dropout") or not fits:
        return row_attention(module, query, key, value, attention_mask, rows, **options)
    ends, longest = _ends(rows, query.device)
    # Full training computes positions in float32, which this kernel has no form for.
    q, k, v = (part[0].transpose(0, 1).to(torch.bfloat16) for part in (query, key, value))
    found = _varlen()(q, k, v, ends, ends, longest, longest, scale=options.get("scaling"), window_size=CAUSAL)
    return found[None], None


@functools.lru_cache(maxsize=8)
def _ends(rows: Bounds, device: torch.device) -> tuple[torch.Tensor, int]:
    """Where each row ends, on the GPU, and the length of the longest: once a pass and not in every layer, for what is
    copied to a GPU is waited for.
    """
    ends = torch.tensor([0, *(end for _, end in rows)], dtype=torch.int32, device=device)
    return ends, max(end - start for start, end in rows)


@functools.cache
def _varlen() -> Callable[..., Any]:
    """PyTorch's operation; that heads share a key has to be said where it can be (from 2.12 on)."""
    from torch.nn.attention.varlen import varlen_attn  # 2.8, which trains too, has none

    asked = "enable_gqa" in inspect.signature(varlen_attn).parameters
    return functools.partial(varlen_attn, enable_gqa=True) if asked else varlen_attn


def _one_row(
    module: torch.nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, options: dict[str, Any]
) -> torch.Tensor:
    on_cpu = query.device.type == "cpu" and query.dtype == torch.bfloat16
    if not on_cpu or query.shape[2] > SHORT or options.get("dropout") or not torch.is_grad_enabled():
        return sdpa_attention_forward(module, query, key, value, None, **options)[0]
    scale = options.get("scaling") or query.shape[-1] ** -0.5
    return ShortRow.apply(query[0], key[0], value[0], scale).transpose(0, 1)[None]


class ShortRow(torch.autograd.Function):
    """Causal attention of one short row, by products of all heads that share a key at once.

    Args:
        query: [heads, n, size]; key and value [key heads, n, size].
        scale: of the scores.

    Returns:
        [heads, n, size].
    """

    @staticmethod
    def forward(ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float) -> torch.Tensor:
        groups, rows, _ = key.shape
        with torch.autocast("cpu", enabled=False):  # it would make the softmax float32
            query = (query * scale).reshape(groups, -1, query.shape[-1])
            shares = _shares(query, key)
            found = torch.bmm(shares, value)
        ctx.save_for_backward(query, key, value, shares if rows <= KEPT else None)
        ctx.scale = scale
        return found.view(-1, rows, value.shape[-1])

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, None]:
        query, key, value, shares = ctx.saved_tensors
        groups, rows, size = key.shape
        shares = _shares(query, key) if shares is None else shares
        slope = slope.reshape(groups, -1, value.shape[-1])
        values = torch.bmm(shares.transpose(1, 2), slope)
        scores = torch.bmm(slope, value.transpose(1, 2))
        scores = torch._softmax_backward_data(scores, shares, -1, shares.dtype)
        queries = torch.bmm(scores, key).mul_(ctx.scale).view(-1, rows, size)
        return queries, torch.bmm(scores.transpose(1, 2), query), values, None


def _shares(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    """[key heads, heads of each times n, n]: how much each token takes of each before it."""
    groups, rows, _ = key.shape
    scores = torch.bmm(query, key.transpose(1, 2)).view(groups, -1, rows, rows)
    later = torch.full((rows, rows), float("-inf"), dtype=scores.dtype).triu(1)
    return torch.softmax(scores.add_(later), -1).view(groups, -1, rows)


def no_mask(*_: Any, **__: Any) -> None:
    """The mask of `row_attention`: none."""


AttentionInterface.register(NAME, row_attention)
AttentionMaskInterface.register(NAME, no_mask)
AttentionInterface.register(FLASH, flash_attention)
AttentionMaskInterface.register(FLASH, no_mask)
