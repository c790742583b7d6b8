"""The loss of one forward pass: logits only where something is learned, one loss for each learned token."""

from __future__ import annotations

import inspect
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from backend.training import attention
from studio.batches.encode import IGNORED
from studio.batches.pack import Packed

# Elements of the logits that are worked on at a time: 64 MB in float32.
CHUNK = 1 << 24


@dataclass(frozen=True)
class Pass:
    """One packed line as tensors.

    Attributes:
        ids, positions: int64[1, T].
        places: int64[n], the places whose logits foretell a learned token: one before it.
        targets: int64[n], the learned tokens.
        owners: int64[n], which row of the line each belongs to, counted from 0.
        bounds: start and end of each row.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    places: torch.Tensor
    targets: torch.Tensor
    owners: torch.Tensor
    bounds: attention.Bounds

    @classmethod
    def of(cls, packed: Packed) -> Pass:
        labels = torch.from_numpy(packed.labels[0])
        learned = torch.nonzero(labels != IGNORED)[:, 0]
        segments = torch.from_numpy(packed.segments).long()
        ends = torch.cumsum(torch.bincount(segments), 0).tolist()
        return cls(
            ids=torch.from_numpy(packed.input_ids),
            positions=torch.from_numpy(packed.position_ids),
            places=learned - 1,  # a row's first token is never learned, so this stays within the row
            targets=labels[learned],
            owners=segments[learned],
            bounds=tuple(zip([0, *ends[:-1]], ends, strict=True)),
        )


class Forward:
    """Runs passes through one model.

    Args:
        model: a causal language model of Transformers, with or without adapters of PEFT.
        compute: the format of the matrix products, where it is not that of the weights.

    Attributes:
        attention: how it is computed: `rows`, `flash`, or by what Transformers calls its own, such as `sdpa`.
        by_row: whether the model is told where each row ends.
    """

    def __init__(self, model: Any, compute: torch.dtype | None = None) -> None:
        self.model = model
        self.compute = compute
        base = model.get_base_model() if hasattr(model, "get_base_model") else model
        self.device = next(base.parameters()).device
        way = base.config._attn_implementation
        self.attention = "flash" if way == attention.FLASH else way
        self.by_row = way in (attention.NAME, attention.FLASH)
        self.keeps = "logits_to_keep" in inspect.signature(base.forward).parameters

    def autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, self.compute) if self.compute else nullcontext()

    def logits(self, line: Pass) -> torch.Tensor:
        """[n, vocabulary]: one line for each learned token."""
        places = line.places.to(self.device)
        options: dict[str, Any] = {"rows": line.bounds} if self.by_row else {}
        if self.keeps:
            options["logits_to_keep"] = places
        with self.autocast():
            output = self.model(
                input_ids=line.ids.to(self.device),
                position_ids=line.positions.to(self.device),
                use_cache=False,
                **options,
            )
        return output.logits[0] if self.keeps else output.logits[0, places]

    def losses(self, line: Pass) -> torch.Tensor:
        """float32[n]: minus the logarithm of the probability of each learned token, with its gradient in training."""
        logits = self.logits(line)
        return TokenLoss.apply(logits, line.targets.to(self.device), torch.is_grad_enabled())


class TokenLoss(torch.autograd.Function):
    """Cross-entropy of each token, in float32, chunk by chunk.

    With a gradient it is worked out at once and written over the logits, so that one copy of them is held and not
    three. Nobody else may use these logits afterwards.
    """

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, targets: torch.Tensor, gradient: bool) -> torch.Tensor:
        losses = torch.empty(len(targets), dtype=torch.float32, device=logits.device)
        rows = max(1, CHUNK // logits.shape[1])
        for start in range(0, len(targets), rows):
            part, wanted = logits[start : start + rows], targets[start : start + rows]
            scores = part.float()  # the very logits where they are float32
            largest = scores.amax(-1, keepdim=True)  # counted from it, sums are small and keep their digits
            scores = scores.sub_(largest) if gradient else scores - largest
            losses[start : start + rows] = -scores.gather(1, wanted[:, None])[:, 0]
            sums = scores.exp_().sum(-1)
            losses[start : start + rows] += sums.log()
            if gradient:
                scores.div_(sums[:, None])
                scores[torch.arange(len(wanted), device=scores.device), wanted] -= 1
                if part.dtype != scores.dtype:
                    part.copy_(scores)
        if gradient:
            ctx.slope = logits
        return losses

    @staticmethod
    def backward(ctx: Any, weights: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        slope, ctx.slope = ctx.slope, None
        rows = max(1, CHUNK // slope.shape[1])
        for start in range(0, len(slope), rows):  # a product of two formats copies both into the wider one
            slope[start : start + rows].mul_(weights[start : start + rows, None])
        return slope, None, None
