"""What Trainer and Accelerate are told of several devices: DDP, FSDP2, DeepSpeed ZeRO-2 and ZeRO-3."""

from __future__ import annotations

from typing import Any

from backend.training.ranks import PATIENCE
from studio.settings.train import Ddp, Fsdp, Sharded, Single, TrainSettings, Zero3

# ZeRO-3 groups parameters into messages; Accelerate's values for models of some billions.
BUCKET = 200_000_000


def distribution(settings: TrainSettings, device: str) -> dict[str, Any]:
    """The arguments of TrainingArguments for this run's `spread`; none for one process."""
    spread = settings.spread
    if spread is None or isinstance(spread, Single):
        return {}
    given: dict[str, Any] = {"ddp_timeout": int(PATIENCE.total_seconds())}
    if isinstance(spread, Fsdp):
        return given | {
            "fsdp": True,
            "fsdp_config": fsdp(spread, bool(settings.recompute)),
            "activation_checkpointing": False,
        }
    if isinstance(spread, Sharded):
        return given | {"deepspeed": deepspeed(spread, settings, device)}
    return given | ({"ddp_backend": "gloo"} if isinstance(spread, Ddp) and device == "cpu" else {})


def fsdp(spread: Fsdp, recompute: bool) -> dict[str, Any]:
    """The configuration of FSDP2: layer by layer, weights gathered for a pass and given back after it."""
    return {
        "version": 2,
        "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        "reshard_after_forward": True,
        "cpu_offload": spread.offload,
        "activation_checkpointing": recompute,
        "state_dict_type": "FULL_STATE_DICT",
    }


def deepspeed(spread: Sharded, settings: TrainSettings, device: str) -> dict[str, Any]:
    """DeepSpeed's own configuration (https://www.deepspeed.ai/docs/config-json/); "auto" is filled in by Trainer."""
    zero: dict[str, Any] = {"stage": 3 if isinstance(spread, Zero3) else 2, "overlap_comm": True}
    if isinstance(spread, Zero3):
        zero |= {"stage3_gather_16bit_weights_on_model_save": True, "stage3_max_live_parameters": 5 * BUCKET}
    else:
        zero |= {"allgather_bucket_size": BUCKET, "reduce_bucket_size": BUCKET}
    if spread.offload:
        zero["offload_optimizer"] = {"device": "cpu", "pin_memory": True}
        if isinstance(spread, Zero3):
            zero["offload_param"] = {"device": "cpu", "pin_memory": True}
    return {
        "zero_optimization": zero,
        "bf16": {"enabled": device == "cuda" and settings.dtype != "float32"},
        "gradient_clipping": settings.max_grad_norm or 0.0,
        "gradient_accumulation_steps": 1,
        "train_micro_batch_size_per_gpu": 1,
        "zero_allow_untested_optimizer": True,
    }
