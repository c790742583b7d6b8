"""How far two ways to the same losses and gradients are apart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

Gradients = dict[str, "torch.Tensor"]
# Which two.
SIDES, OURS_EXACT, THEIRS_EXACT = "here and TRL", "here and float64", "TRL and float64"
ALONE = "TRL with the row alone and TRL"
NEAR = 1e-5  # both tolerances of a comparison of floats: absolute, and relative to the number itself


@dataclass
class Apart:
    """The greatest differences between two ways so far.

    Attributes:
        loss: of a row's mean loss or a batch's.
        gradient: of one entry of a trained tensor's gradient.
        allowed: the same over NEAR + NEAR * |entry of the second way|. Up to 1 all entries are equal to 1e-5 in the
            sense of `torch.testing.assert_close` and `numpy.allclose` with both their tolerances at 1e-5: numbers
            near 0 are held to digits behind the point, larger ones to digits that count.
        share: of a whole gradient, as the length of the difference over that of the second way's.
        compared, tensors: how many losses, and gradients of each.
    """

    loss: float = 0.0
    gradient: float = 0.0
    allowed: float = 0.0
    share: float = 0.0
    compared: int = 0
    tensors: int = 0

    def add(self, one: tuple[float, Gradients], other: tuple[float, Gradients]) -> None:
        self.compared += 1
        self.loss = _greater(self.loss, abs(one[0] - other[0]))
        if one[1].keys() != other[1].keys():
            raise ValueError(f"Other tensors are trained: {sorted(one[1].keys() ^ other[1].keys())[:5]}")
        self.tensors = len(other[1])
        for name, value in other[1].items():
            apart = one[1][name] - value
            self.gradient = _greater(self.gradient, float(apart.abs().max()))
            self.allowed = _greater(self.allowed, float((apart.abs() / (NEAR + NEAR * value.abs())).max()))
            if length := float(value.norm()):
                self.share = _greater(self.share, float(apart.norm()) / length)

    def figures(self) -> dict[str, Any]:
        return {
            "loss_apart": self.loss,
            "gradient_apart": self.gradient,
            "gradient_of_allowed": self.allowed,
            "gradient_share_apart": self.share,
            "losses": self.compared,
            "tensors": self.tensors,
        }


def _greater(before: float, now: float) -> float:
    if not math.isfinite(now):  # max() would pass over a NaN
        raise ValueError("A loss or a gradient is not a number, so nothing can be compared.")
    return max(before, now)
