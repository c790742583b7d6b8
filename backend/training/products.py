"""Matrix products of frozen weights, and LoRA's three products as one operation.

PEFT's own layer turns its input into float32 and back, scales and adds in copies, and keeps them for the backward
pass. Here a layer's sum is made in place, and only its input, the few numbers between A and B, and these two in the
format of the products are kept. With few rows in an update a GPU waits for Python, so nothing is an operation of its
own that another does along with its own: the scale s is a factor of products.

    y = x Wᵀ + s (x Aᵀ) Bᵀ        dx = g W + s (g B) A        dA = s (g B)ᵀ x        dB = s gᵀ (x Aᵀ)
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from peft.tuners.lora import Linear as LoraLinear


def has_onednn() -> bool:
    """Whether this PyTorch offers oneDNN's product for float32."""
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def product(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None, *, onednn: bool = False
) -> torch.Tensor:
    """`x` [n, inputs] times the transposed `weight` [outputs, inputs], both of one dtype; no gradient passes.

    Args:
        onednn: on a CPU, float32 through oneDNN instead of MKL. On processors of other makers than its own MKL was
            seen to reach half of oneDNN's speed, which PyTorch takes for bfloat16 only; oneDNN's sums round 1.5 to 2
            times as much.
    """
    if onednn and x.dtype == torch.float32 and x.device.type == "cpu" and len(x):
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return torch.nn.functional.linear(x, weight, bias)


class FrozenProduct(torch.autograd.Function):
    """A linear layer whose weights are not trained: only its output's gradient goes back."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, onednn: bool
    ) -> torch.Tensor:
        ctx.save_for_backward(weight)
        ctx.shape, ctx.onednn = x.shape, onednn
        return product(x.reshape(-1, x.shape[-1]), weight, bias, onednn=onednn).view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        (weight,) = ctx.saved_tensors
        flat = slope.reshape(-1, slope.shape[-1])
        return product(flat, weight.t(), onednn=ctx.onednn).view(ctx.shape), None, None, None


class LoraProduct(torch.autograd.Function):
    """A linear layer with LoRA beside it.

    Args:
        x: [..., inputs].
        weight, bias: frozen, of the dtype that is computed in.
        a, b: float32[rank, inputs] and [outputs, rank], trained.
        scale: alpha over rank.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        a: torch.Tensor,
        b: torch.Tensor,
        scale: float,
        onednn: bool,
    ) -> torch.Tensor:
        flat = x.reshape(-1, x.shape[-1]).to(weight.dtype)
        down, up = a.to(weight.dtype), _rows_first(b.t(), weight.dtype)
        low = product(flat, down, onednn=onednn)
        out = product(flat, weight, bias, onednn=onednn)
        out.addmm_(low, up, alpha=scale)
        ctx.save_for_backward(flat, low, weight, down, up)
        ctx.scale, ctx.shape, ctx.onednn, ctx.dtype = scale, x.shape, onednn, a.dtype
        return out.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        flat, low, weight, down, up = ctx.saved_tensors
        slope = slope.reshape(-1, slope.shape[-1])
        low_slope = product(slope, up, onednn=ctx.onednn)
        da = _scaled_product(low_slope.t(), flat, ctx.scale).to(ctx.dtype)
        db = _rows_first(_scaled_product(low.t(), slope, ctx.scale).t(), ctx.dtype)
        dx = None
        if ctx.needs_input_grad[0]:
            dx = product(slope, weight.t(), onednn=ctx.onednn)
            dx = dx.addmm_(low_slope, down, alpha=ctx.scale).view(ctx.shape)
        return dx, None, None, da, db, None, None


def _rows_first(transposed: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """A transposed matrix in that dtype, transposed in memory too: thin products are faster along it."""
    return transposed.to(dtype, memory_format=torch.contiguous_format).contiguous()


def _scaled_product(x: torch.Tensor, y: torch.Tensor, scale: float) -> torch.Tensor:
    """`scale` times `x` `y`, in the one operation of the product; what it is told to add nothing of may be anything."""
    return torch.addmm(x.new_empty(1), x, y, beta=0, alpha=scale)


def use_products(model: Any, onednn: bool) -> int:
    """Lets the plain LoRA layers and the frozen linear layers of a model compute this way; returns how many do."""
    changed = 0
    wrapped = set()
    for module in model.modules():
        if isinstance(module, LoraLinear):
            wrapped.add(module.base_layer)
            if _is_plain(module):
                module.forward = partial(_lora_forward, module, onednn)
                changed += 1
    for module in model.modules():
        if type(module) is torch.nn.Linear and module not in wrapped and not module.weight.requires_grad:
            setattr(module, "forward", partial(_frozen_forward, module, onednn))  # noqa: B010
            changed += 1
    return changed


def _is_plain(module: Any) -> bool:
    """Whether there is one adapter of plain LoRA on a plain linear layer, without dropout."""
    names = list(module.lora_A)
    return (
        type(module.base_layer) is torch.nn.Linear
        and len(names) == 1
        and not module.lora_variant
        and isinstance(module.lora_dropout[names[0]], torch.nn.Identity)
        and not module.lora_bias[names[0]]
        and not module.fan_in_fan_out
    )


def _lora_forward(self: Any, onednn: bool, x: torch.Tensor, *args: Any, **options: Any) -> torch.Tensor:
    (name,) = self.lora_A
    if (
        options
        or self.disable_adapters
        or self.merged
        or self.active_adapters != [name]
        or _computes_otherwise(self, x)
    ):
        return LoraLinear.forward(self, x, *args, **options)
    base = self.base_layer
    a, b = self.lora_A[name].weight, self.lora_B[name].weight
    return LoraProduct.apply(x, base.weight, base.bias, a, b, self.scaling[name], onednn)


def _computes_otherwise(module: Any, x: torch.Tensor) -> bool:
    """Whether autocast wants another dtype than the weights have."""
    kind = x.device.type
    return torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind) != module.base_layer.weight.dtype


def _frozen_forward(self: Any, onednn: bool, x: torch.Tensor) -> torch.Tensor:
    if x.dtype != self.weight.dtype:
        return torch.nn.Linear.forward(self, x)
    return FrozenProduct.apply(x, self.weight, self.bias, onednn)
