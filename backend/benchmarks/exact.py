"""Losses and gradients in float64, each row for itself: what both sides of `gradients` have but for their rounding."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import cross_entropy
from torch.overrides import TorchFunctionMode

from studio.batches.encode import IGNORED, Encoded


class InFull(TorchFunctionMode):
    """Numbers in float64 stay so where a model asks for float32, as norms do."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        shorter = func is torch.Tensor.float or (
            func is torch.Tensor.to and torch.float32 in (*args[1:], *kwargs.values())
        )
        return args[0] if shorter and args[0].dtype == torch.float64 else func(*args, **kwargs)


def in_full(model: Any) -> Any:
    """A model of float32 with its weights in float64; positions, which every side takes from float32, stay so."""
    for weight in model.parameters():
        weight.data = weight.data.double()
    return model


def mean_loss(model: Any, rows: list[Encoded]) -> float:
    """The mean loss of all learned tokens of these rows; its gradients are left in the model."""
    learned, total = sum(row.trained for row in rows), 0.0
    for row in rows:
        ids, labels = (torch.from_numpy(values).long()[None] for values in (row.ids, row.labels))
        with InFull():
            logits = model(input_ids=ids, use_cache=False).logits
            loss = cross_entropy(logits[0, :-1], labels[0, 1:], ignore_index=IGNORED, reduction="sum") / learned
        if loss.dtype != torch.float64:
            raise ValueError("The model has computed in fewer bits: there is nothing to hold against.")
        loss.backward()
        total += loss.item()
    return total
