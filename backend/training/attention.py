"""Attention within each row of a packed line, row by row.

Transformers keeps packed rows apart with a mask over the whole line, so its cost grows with the square of the line.
Here every row is attended to alone and causally by the kernel that needs no mask: the cost is that of the rows, and
no row can see another. Where a model's attention is more than that, Transformers' own way is taken.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

NAME = "rows"
Bounds = tuple[tuple[int, int], ...]


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
    parts = [
        sdpa_attention_forward(
            module, query[:, :, start:end], key[:, :, start:end], value[:, :, start:end], None, **options
        )[0]
        for start, end in rows
    ]
    return torch.cat(parts, dim=1), None


def no_mask(*_: Any, **__: Any) -> None:
    """The mask of `row_attention`: none."""


AttentionInterface.register(NAME, row_attention)
AttentionMaskInterface.register(NAME, no_mask)


def fits(config: Any, longest: int) -> bool:
    """Whether plain causal attention within rows of up to `longest` tokens is all that the model does.

    Args:
        config: the model's configuration, of Transformers.
    """
    config = config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    if not kinds <= {"full_attention", "sliding_attention"}:
        return False
    window = getattr(config, "sliding_window", None)
    if getattr(config, "use_sliding_window", True) and window and window < longest:
        return False
    return not getattr(config, "attn_logit_softcapping", None)
