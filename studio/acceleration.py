"""What only some GPUs and packages offer a run: Liger's kernels, FlashAttention, DeepSpeed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from studio.errors import Refused
from studio.gpus import AMPERE
from studio.machine import Machine
from studio.packages import release
from studio.settings.train import TrainSettings, Zero2, Zero3

SETUP = "python3 launch.py setup --extra"
# The first PyTorch whose FlashAttention for rows of several lengths was tried, on an H100.
FLASH_TORCH = (2, 11)
FLASH_HEAD, FLASH_STEP = 256, 8  # the widest head that FlashAttention has a kernel for, and what widths it takes


def problems(
    settings: TrainSettings, device: str, dtype: str, here: Machine, config: dict[str, Any]
) -> Iterator[Refused]:
    """Why what is asked for can't be had on this machine and with this model; nothing where it can.

    Args:
        settings: with their cut-off chosen.
        device: `cuda` or `cpu`, where the run will train.
        dtype: the number format it will take.
        here: with the GPUs that the run takes.
        config: the model's config.json.
    """
    if settings.kernels == "liger":
        yield from _liger(device)
    if settings.attention == "flash":
        yield from _flash(device, dtype, here, config, settings.cutoff or 0)
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
            "Choose `--kernels usual`.",
            field="kernels",
        )
    elif find_spec("liger_kernel") is None:
        yield Refused(
            "Liger's kernels need the package liger-kernel.",
            "It is not installed.",
            f"Install it: {SETUP} liger. Or choose `--kernels usual`.",
            field="kernels",
        )


def expects_flash(settings: TrainSettings, device: str, dtype: str, here: Machine, config: dict[str, Any]) -> bool:
    """Whether a run will take FlashAttention, as far as it can be told without PyTorch.

    Args:
        settings, device, dtype, here, config: as for `problems`.
    """
    if settings.attention == "auto":
        return takes_flash(device, dtype, here, config, settings.cutoff or 0)
    return settings.attention == "flash"


def takes_flash(device: str, dtype: str, here: Machine, config: dict[str, Any], longest: int) -> bool:
    """Whether FlashAttention can be had; what `--attention auto` takes then.

    Args:
        device, dtype, here, config: as for `problems`.
        longest: tokens of the longest row.
    """
    return next(_flash(device, dtype, here, config, longest), None) is None


def _flash(device: str, dtype: str, here: Machine, config: dict[str, Any], longest: int) -> Iterator[Refused]:
    if device != "cuda":
        yield no_flash("This run trains on the CPU.", "FlashAttention needs an NVIDIA GPU.")
        return
    old = [gpu for gpu in here.gpus if gpu.capability and gpu.capability < AMPERE]
    if old:
        yield no_flash(
            f"It needs one of the Ampere generation (2020) or later; {old[0].name} is older.",
            "FlashAttention does not run on this GPU.",
        )
    if release(here.torch or "")[:2] < FLASH_TORCH:
        wanted = ".".join(map(str, FLASH_TORCH))
        yield no_flash(
            f"It is {here.torch}; from {wanted} on rows of several lengths are one operation.",
            "This PyTorch is too old for FlashAttention.",
            ", or update: python3 launch.py setup",
        )
    if dtype == "float32" and not old:  # which is why it is
        yield no_flash("This run takes float32.", "FlashAttention computes in bfloat16.", ", or `--dtype bfloat16`")
    if why := unfit_for_flash(config, longest):
        yield no_flash(why)


def no_flash(why: str, what: str = "FlashAttention can't be taken for this model.", instead: str = "") -> Refused:
    """Why `--attention flash` is refused."""
    return Refused(what, why, f"Choose `--attention auto`{instead}.", field="attention")


def unfit_for_flash(config: dict[str, Any], longest: int) -> str:
    """Why a model can't have its attention from FlashAttention; nothing where it can.

    Args:
        config: its config.json, or all that Transformers makes of it.
        longest: tokens of the longest row.
    """
    config = config.get("text_config") or config
    if any(config.get(name) for name in ("attention_dropout", "attn_pdrop")):
        return "It trains with dropout in its attention, which rows in one operation have no form for."
    if not plain_attention(config, longest):
        return "Its attention does more than each row's tokens looking at those before them."
    hidden = config.get("hidden_size") or config.get("n_embd") or 0
    heads = config.get("num_attention_heads") or config.get("n_head")  # named otherwise, nothing is known of their size
    size = config.get("head_dim") or (hidden // heads if heads else 0)
    if size > FLASH_HEAD or size % FLASH_STEP:
        return f"Its heads are {size} wide; FlashAttention takes multiples of {FLASH_STEP} up to {FLASH_HEAD}."
    return ""


def plain_attention(config: dict[str, Any], longest: int) -> bool:
    """Whether plain causal attention within rows of up to `longest` tokens is all that a model does.

    Args:
        config: as for `unfit_for_flash`.
    """
    config = config.get("text_config") or config
    kinds = set(config.get("layer_types") or ["full_attention"])
    if not kinds <= {"full_attention", "sliding_attention"}:
        return False
    window = config.get("sliding_window")
    if config.get("use_sliding_window", True) and window and window < longest:
        return False
    return not config.get("attn_logit_softcapping")
