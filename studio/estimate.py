"""How much memory and time a run will take, from formulas, before anything is loaded.

The counts follow the usual accounting of weights, gradients, Adam's two moments, activations (as Korthikanti et al.
2022, section 4; here what autograd was seen to keep of a gated decoder) and logits; the factors named MEASURED were
fitted to real runs of the starter.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from studio import calibration
from studio.calibration import Calibration
from studio.settings.train import Bits, Ddp, TrainSettings
from studio.shape import Shape, weights_in

GB = 1e9
# Python, torch and the libraries, resident before the model is loaded.
RUNTIME_GB = {"cpu": 0.55, "mps": 0.8, "cuda": 1.2}
# Share of the cores' highest speed that training the starter reached. MEASURED.
EFFICIENCY = 0.3
# Share of its products' speed that training the starter reached, as not all that it does is products. MEASURED.
REACHED = {"float32": 0.4, "bfloat16": 0.25}
# float32 operations a core does in one tick: two multiply-adds of that many numbers.
VECTORS = (("avx512f", 64), ("avx2", 32), ("asimd", 16))
NARROW = 8
CLOCK = 3e9
BYTES = {"float32": 4, "bfloat16": 2}
# What the memory's management takes for each byte that is held: the C library's heap has holes between what stays and
# what goes (`backend/training/launching.py`), blocks of their own have few. MEASURED on Linux; a GPU's memory is
# managed by PyTorch, in blocks too. macOS and Windows are said to have blocks of their own (Apple's Memory Usage
# Performance Guidelines, Microsoft's HeapCreate): until somebody has measured there, HEAP is on the safe side.
HEAP, BLOCKS = 1.6, 1.1
# What bitsandbytes takes to unpack weights. MEASURED.
UNPACKING_GB = 0.35
# The loss is worked out in pieces of so many float32 bytes (backend/training/loss.py), a few of which are held at once.
PIECE = 4 << 24
PIECES = 3
# Bytes a weight of few bits takes, its scales included.
HELD_BYTES = {"4": 0.53, "8": 1.02}


@dataclass(frozen=True)
class Estimate:
    """Peak memory in GB, by part, and seconds of training (None on a GPU, whose speed is not known beforehand)."""

    memory_gb: float
    parts: dict[str, float]
    seconds: float | None


def estimate(
    settings: TrainSettings,
    shape: Shape,
    row_tokens: float,
    trained_share: float,
    steps: int,
    device: str,
    pace: float | None = None,
    speeds: Calibration | None = None,
    bfloat16: bool = True,
) -> Estimate:
    """What a run with resolved settings will take.

    Args:
        row_tokens: tokens of a row, on average.
        trained_share: the share of them that is trained on, and so needs logits.
        steps: updates of the run.
        pace: tokens a second of a like run on this machine, where there was one.
        speeds: what this CPU was measured to do, where it was.
        bfloat16: whether the GPU computes in it (`Machine.bfloat16`).
    """
    method = settings.method
    dtype = number_format(settings, device, speeds, bfloat16)
    width = BYTES[dtype]
    if device == "cpu" and not pace:
        pace = _speed(settings, dtype, speeds) / operations(settings, shape, trained_share)
    if method.name == "qlora":
        weights = weight_bytes(shape, width, method.bits)
    else:
        weights = shape.parameters * (BYTES["float32"] if method.name == "full" else width)
    trained = shape.parameters if method.name == "full" else shape.adapter(method.rank)
    at_once = tokens_at_once(settings)
    heap = HEAP if device == "cpu" and not saves_memory(settings) else BLOCKS
    parts = {
        "weights": weights,
        "trained": _trained_bytes(settings, shape, trained, width),
        "activations": heap * at_once * _activation_bytes(settings, shape, width),
        "logits": heap * _logit_bytes(at_once * trained_share * shape.vocabulary, width),
        "runtime": (RUNTIME_GB.get(device, 1.2) + (UNPACKING_GB if method.name == "qlora" else 0)) * GB,
    }
    if device == "cpu" and isinstance(settings.spread, Ddp):  # every process has its own, in the same memory
        parts = {name: value * (settings.spread.processes or 1) for name, value in parts.items()}
    return Estimate(
        round(sum(parts.values()) / GB, 2),
        {name: round(value / GB, 6) for name, value in parts.items()},
        round(row_tokens * steps * (settings.batch_size or 1) / pace, 3) if pace else None,
    )


def weight_bytes(shape: Shape, width: int, bits: Bits) -> float:
    """Bytes of a model whose weights are packed into so many bits; those that can't be take `width` bytes each."""
    return shape.packed * HELD_BYTES[bits] + (shape.parameters - shape.packed) * width


def saves_memory(settings: TrainSettings) -> bool:
    """Whether a run on a CPU gives memory back at once, which takes some time: where it is short, or would be."""
    return bool(settings.recompute) or settings.method.name in ("dora", "qlora")


def tokens_at_once(settings: TrainSettings, longest: int | None = None) -> int:
    """Tokens of the largest pass there can be: an update is never more than its rows.

    Args:
        longest: tokens of the longest row, where it is known.
    """
    row = longest or settings.cutoff or 1024
    update = row * (settings.batch_size or 1)
    return max(row, min(settings.tokens_per_pass or row, update))


def number_format(settings: TrainSettings, device: str, speeds: Calibration | None, bfloat16: bool = True) -> str:
    """float32 or bfloat16, as the run will take it."""
    if settings.dtype != "auto":
        return settings.dtype
    if device == "cpu" and speeds:
        return calibration.dtype(settings.method.name, speeds)
    return "bfloat16" if device == "cuda" and bfloat16 else "float32"


def _trained_bytes(settings: TrainSettings, shape: Shape, trained: int, width: int) -> float:
    """Gradients and Adam's moments, and what training those weights takes besides."""
    moments = 2 if settings.optimizer == "adamw_8bit" else 8
    if settings.method.name != "full":
        return trained * (4 + moments + 4)
    copies = shape.parameters * width if width < 4 else 0  # as they are multiplied with
    both_ends = shape.embedding * 4 if shape.tied else 0  # a tied head's gradient, before it is added to the other
    return trained * (4 + moments) + copies + both_ends


def _logit_bytes(logits: float, width: int) -> float:
    """One copy, as the gradient is written over it, and the pieces that the loss is worked out in."""
    return logits * width + PIECES * min(PIECE, logits * 4)


def _activation_bytes(settings: TrainSettings, shape: Shape, width: int) -> float:
    """Bytes kept for the backward pass, a token: what each layer's products, gate, attention and norms need again."""
    query, value = shape.heads * shape.head_size, shape.key_value_heads * shape.head_size
    products = width * (2 * shape.hidden + 2 * query + 2 * value + 4 * shape.gated_width)
    norms = 2 * 4 * shape.hidden  # in float32
    per_layer: float = products + norms
    if settings.method.name == "full":
        per_layer += norms  # before their own weights
        if width < 4:  # each product makes its own short copy, and positions are computed in float32
            per_layer += width * 3 * shape.hidden + 4 * (query + value)
    else:
        per_layer += width * settings.method.rank * len(shape.linear) / max(1, shape.layers)
    if settings.method.name == "dora":  # what each product gives, with the adapter and without, before it is scaled
        per_layer += width * 2 * sum(outputs for _, outputs in shape.linear) / max(1, shape.layers)
    if settings.recompute:  # what goes into each layer, and one layer whole with its gradients
        return per_layer * 2 + shape.layers * shape.hidden * width
    return per_layer * shape.layers


def operations(settings: TrainSettings, shape: Shape, trained_share: float) -> float:
    """Multiplications and additions of all matrix products of one token, forward and backward.

    Forward and the gradients of the activations are 2 + 2 a weight; full training adds 2 for those of the weights.
    """
    body = (weights_in(shape.attention) + 3 * shape.hidden * shape.gated_width) * shape.layers
    head = shape.embedding * trained_share
    return 2 * (3 if settings.method.name == "full" else 2) * (body + head) * (4 / 3 if settings.recompute else 1)


def _speed(settings: TrainSettings, dtype: str, speeds: Calibration | None) -> float:
    """Operations a second that training reaches on this CPU."""
    if speeds:
        return speeds.speed(dtype) * REACHED[dtype]
    return core_speed() * (settings.threads or 1) * EFFICIENCY


@functools.cache
def core_speed() -> float:
    """Operations a second that one core of this CPU could do at most, by the width of its vector unit.

    For machines that nothing was measured on yet; a run measures its products, and how long it takes.
    """
    from studio.machine import cpu_flags

    flags = cpu_flags()
    width = next((width for flag, width in VECTORS if flag in flags), NARROW)
    return width * CLOCK
