"""Whether there is a GPU to compute on, and what PyTorch is told in every process that may."""

from __future__ import annotations

import torch

from studio.machine import machine


def usable_gpu() -> bool:
    """Whether PyTorch finds a GPU that it has kernels for: a GPU that is too old it finds too, and breaks off on it."""
    return torch.cuda.is_available() and machine().hindrance is None


def usual_dtype(device: str) -> torch.dtype:
    """bfloat16 on a GPU that computes in it (those before Ampere emulate it), float32 elsewhere."""
    able = device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if able else torch.float32


def do_without_cudnn_attention() -> None:
    """Leaves attention to the kernels that take rows of any length as they come.

    On the newest GPUs PyTorch would prefer cuDNN's, which works out a plan for every length it has not seen: with rows
    of all lengths an update took 2 seconds on an H100, and most of it was plans. Nothing changes on other machines.
    """
    torch.backends.cuda.enable_cudnn_sdp(False)
