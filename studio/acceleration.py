"""What only some GPUs and packages offer a run: Liger's kernels, FlashAttention, DeepSpeed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from studio.errors import Refused
from studio.machine import Machine
from studio.packages import release
from studio.settings.train import TrainSettings, Zero2, Zero3

SETUP = "python3 launch.py setup --extra"
AMPERE = (8, 0)
# The first PyTorch whose FlashAttention for rows of several lengths was read through.
FLASH_TORCH = (2, 13)


def problems(settings: TrainSettings, device: str, dtype: str, here: Machine) -> Iterator[Refused]:
    """Why what is asked for can't be had on this machine; nothing where it can.

    Args:
        device: `cuda` or `cpu`, where the run will train.
        dtype: the number format it will take.
    """
    if settings.kernels == "liger":
        yield from _liger(device)
    if settings.attention == "flash":
        yield from _flash(device, dtype, here)
    if isinstance(settings.spread, Zero2 | Zero3) and device == "cuda" and find_spec("deepspeed") is None:
        yield Refused(
            f"{settings.spread.name} needs the package deepspeed.",
            "It is not installed.",
            f"Install it: {SETUP} deepspeed. Or choose fsdp.",
            field="spread",
        )


def _liger(device: str) -> Iterator[Refused]:
    if device != "cuda":
        yield Refused(
            "Liger's kernels need an NVIDIA GPU.",
            "They are programs for GPUs only, and this run trains on the CPU.",
            "Choose the usual kernels (--kernels usual).",
            field="kernels",
        )
    elif find_spec("liger_kernel") is None:
        yield Refused(
            "Liger's kernels need the package liger-kernel.",
            "It is not installed.",
            f"Install it: {SETUP} liger. Or choose the usual kernels (--kernels usual).",
            field="kernels",
        )


def _flash(device: str, dtype: str, here: Machine) -> Iterator[Refused]:
    def refused(what: str, why: str, instead: str = "") -> Refused:
        advice = "Choose the attention auto (--attention auto)"
        return Refused(what, why, f"{advice}{instead}.", field="attention")

    if device != "cuda":
        yield refused("FlashAttention needs an NVIDIA GPU.", "This run trains on the CPU.")
        return
    old = [gpu for gpu in here.gpus if gpu.capability and gpu.capability < AMPERE]
    if old:
        yield refused(
            "FlashAttention does not run on this GPU.",
            f"It needs one of the Ampere generation (2020) or later; {old[0].name} is older.",
        )
    if release(here.torch or "")[:2] < FLASH_TORCH:
        wanted = ".".join(map(str, FLASH_TORCH))
        yield refused(
            "This PyTorch is too old for FlashAttention.",
            f"It is {here.torch}; from {wanted} on rows of several lengths are one operation.",
            ", or update: python3 launch.py setup",
        )
    if dtype == "float32":
        yield refused(
            "FlashAttention computes in bfloat16.", "This run takes float32.", ", or bfloat16 (--dtype bfloat16)"
        )
