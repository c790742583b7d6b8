"""Kernels of the package liger-kernel in place of a model's own, on an NVIDIA GPU.

Hsu et al. 2024: norms, gates and rotary positions as one operation each, which keep less for the backward pass. The
loss stays ours, as it has to be known row by row, and so do the linear layers.
"""

from __future__ import annotations

from typing import Any

from studio.errors import BadInput

OURS = {"cross_entropy": False, "fused_linear_cross_entropy": False}


def use_liger(model: Any) -> None:
    """Puts them into a model of Transformers.

    Raises:
        BadInput: there are none for its architecture.
    """
    from liger_kernel.transformers.monkey_patch import MODEL_TYPE_TO_APPLY_LIGER_FN
    from transformers.integrations.liger import apply_liger_kernel

    kind = model.config.model_type
    if kind not in MODEL_TYPE_TO_APPLY_LIGER_FN:
        raise BadInput(
            "Liger has no kernels for this model.",
            f"Its architecture is {kind}.",
            "Choose `--kernels usual`, or another model.",
            field="kernels",
        )
    apply_liger_kernel(model, OURS)
