"""Weights in few bits, by bitsandbytes: the base that QLoRA trains on, and that answers with what it learned."""

from __future__ import annotations

import logging
from typing import Any

import torch
import transformers

from studio.settings.train import Bits


def few_bits(bits: Bits, device: str, dtype: torch.dtype) -> dict[str, Any]:
    """Arguments with which `from_pretrained` packs a model's linear layers and puts it on the device.

    Args:
        device: `cpu` or `cuda`.
        dtype: the format of the matrix products, for which four bits are unpacked each time.
    """
    if bits == "8":
        # It says of every product that it computes in 16 bits: hundreds of lines a token.
        logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
        config = transformers.BitsAndBytesConfig(load_in_8bit=True)
    else:
        config = transformers.BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    place = torch.cuda.current_device() if device == "cuda" else "cpu"
    return {"quantization_config": config, "device_map": {"": place}}


def leave_packed(model: Any) -> None:
    """Has the weights stay as they were loaded.

    On CPUs with AVX512-BF16 bitsandbytes repacks them in eval mode and can't undo it exactly.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
