"""The model as it is trained: loaded from its folder, with the method put on it."""

from __future__ import annotations

import gc
from dataclasses import dataclass, replace
from typing import Any

import torch
import transformers
from peft import LoraConfig, get_peft_model
from safetensors import SafetensorError

from backend.bits import few_bits, leave_packed
from backend.gpu import do_without_cudnn_attention, usable_gpu, usual_dtype
from backend.job import in_words
from backend.training import attention, kernels
from backend.training.loss import Forward, Pass
from backend.training.products import use_products
from studio import acceleration
from studio.errors import BadInput, Broken, NoMemory, Refused
from studio.machine import Machine, machine
from studio.models import Model
from studio.settings.train import Full, Lora, Qlora, TrainSettings, processes

PROBE = 16
# How far the answers of two ways through the same model may lie apart, measured in the spread of its logits.
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.1}


@dataclass
class Loaded:
    """A model ready to train.

    Attributes:
        model: of Transformers, or of PEFT around one.
        forward: runs passes through it.
        device: `cpu` or `cuda`.
        dtype: the format of the matrix products.
        packs: whether several rows may share a pass; where a model mixes them, each goes alone.
    """

    model: Any
    forward: Forward
    device: str
    dtype: torch.dtype
    packs: bool


def choose_device(asked: str) -> str:
    """`cpu` or `cuda`.

    Raises:
        Refused: the GPU asked for is not there, or torch can't use it.
    """
    usable = asked != "cpu" and usable_gpu()
    if asked == "cuda" and not usable:
        hindrance = machine().hindrance
        raise Refused(
            "There is no GPU to train on.",
            hindrance.why
            if hindrance
            else "Torch finds none; a missing driver or a build of torch for CPUs only looks the same.",
            "Choose the device auto (--device auto), or run `launch.py check`.",
            field="device",
        )
    return "cuda" if usable else "cpu"


def choose_dtype(asked: str, device: str) -> torch.dtype:
    """As asked for, or what is usual on the device."""
    if asked == "auto":
        return usual_dtype(device)
    return torch.float32 if asked == "float32" else torch.bfloat16


def load(settings: TrainSettings, model: Model, onednn: bool = False) -> Loaded:
    """The model with the method's trainable parts, which are float32 whatever the rest is.

    Args:
        onednn: whether float32 products of frozen weights go through oneDNN; see `calibrate`.

    Raises:
        Broken: the files don't make a model that Transformers knows.
        BadInput: the method does not fit the model.
        Refused: there is no GPU, though one was asked for.
    """
    do_without_cudnn_attention()
    device = choose_device(settings.device)
    dtype = choose_dtype(settings.dtype, device)
    method = settings.method
    # All weights in bfloat16 would lose small changes: they are kept in float32 and computed with in bfloat16.
    base = _load_base(model, method, device, torch.float32 if isinstance(method, Full) else dtype)
    _choose_attention(base, settings, device, dtype)
    if settings.kernels == "liger":
        kernels.use_liger(base)
    compute = None if dtype == torch.float32 else dtype
    packs = _packs(base, Forward(base, compute), dtype)
    if isinstance(method, Lora):
        base = _with_adapter(base, method, settings)
        use_products(base, onednn)
    return Loaded(base, Forward(base, compute), device, dtype, packs)


def _load_base(model: Model, method: Any, device: str, dtype: torch.dtype) -> Any:
    options: dict[str, Any] = {}
    if isinstance(method, Qlora):
        options = few_bits(method.bits, device, dtype)
    try:
        loaded = transformers.AutoModelForCausalLM.from_pretrained(
            model.path, dtype=dtype, local_files_only=True, trust_remote_code=False, use_safetensors=True, **options
        )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        if isinstance(in_words(error), NoMemory):
            raise  # said in plain words by the worker's frame
        raise Broken(
            f"The model “{model.name}” can't be loaded.",
            (str(error).strip() or type(error).__name__).splitlines()[0],
            "Add the model again, or choose another one.",
            field="model",
        ) from error
    if isinstance(method, Qlora):
        leave_packed(loaded)
        return loaded
    return loaded.to(device)


def _choose_attention(model: Any, settings: TrainSettings, device: str, dtype: torch.dtype) -> None:
    """Rows apart where that is all the model does, by FlashAttention if it can be had; elsewhere what Transformers
    chose stays.

    Raises:
        Refused: FlashAttention was asked for, and the model does more.
    """
    asked, longest = settings.attention == "flash", settings.cutoff or 0
    config = model.config.get_text_config().to_dict()  # with what a config.json may leave out
    if asked and (why := acceleration.unfit_for_flash(config, longest)):
        raise acceleration.no_flash(why)
    if model.config._attn_implementation == "sdpa" and acceleration.plain_attention(config, longest):
        computed = str(dtype).removeprefix("torch.")
        best = (
            settings.attention == "auto"
            and acceleration.takes_flash(device, computed, _with_its_gpus(settings), config, longest)
            and torch.backends.cuda.is_flash_attention_available()  # some builds leave it out
        )
        model.set_attn_implementation(attention.FLASH if asked or best else attention.NAME)
    elif asked:
        raise acceleration.no_flash(f"Transformers computes its attention by {model.config._attn_implementation} only.")


def _with_its_gpus(settings: TrainSettings) -> Machine:
    """This machine with the GPUs that the run takes: what another can't do is no matter."""
    here = machine()
    return replace(here, gpus=here.gpus[: processes(settings.spread)])


@torch.no_grad()
def _packs(model: Any, forward: Forward, dtype: torch.dtype) -> bool:
    """Tries whether a row behind another gets the logits it gets alone, in Transformers' own way."""
    model.eval()
    size = model.get_input_embeddings().weight.shape[0]
    ids = torch.randint(size, (1, 2 * PROBE), generator=torch.Generator().manual_seed(0))
    with forward.autocast():  # as the packed line is computed, or rounding would look like rows that mix
        alone = model(input_ids=ids[:, PROBE:].to(forward.device), use_cache=False).logits[0, 1:-1].float()
    line = Pass(
        ids=ids,
        positions=torch.arange(PROBE).repeat(2)[None],
        places=torch.arange(PROBE + 1, 2 * PROBE - 1),
        targets=ids[0, PROBE + 2 :],
        owners=torch.ones(PROBE - 2, dtype=torch.long),
        bounds=((0, PROBE), (PROBE, 2 * PROBE)),
    )
    try:
        packed = forward.logits(line).float()
    except TypeError:  # a model without position_ids
        return False
    apart = (packed - alone).abs().max()
    return bool(apart <= TOLERANCE[dtype] * alone.std())


def _with_adapter(base: Any, method: Lora, settings: TrainSettings) -> Any:
    targets = [name.strip() for name in method.targets.split(",") if name.strip()]
    config = LoraConfig(
        r=method.rank,
        lora_alpha=int(method.alpha) if method.alpha.is_integer() else method.alpha,
        lora_dropout=method.dropout,
        target_modules="all-linear" if targets == ["all-linear"] else targets,
        use_dora=method.name == "dora",
        use_rslora=method.rslora,
        task_type="CAUSAL_LM",
    )
    try:
        model = get_peft_model(base, config)
    except ValueError as error:
        names = sorted({name.rpartition(".")[2] for name, part in base.named_modules() if _is_linear(part)})
        raise BadInput(
            f"The target layers “{method.targets}” don't fit this model.",
            (str(error).splitlines() or ["PEFT refuses them."])[0][:300],
            f"Choose all-linear, or some of {', '.join(names)}.",
            field="method.targets",
        ) from error
    used = model.peft_config["default"]
    # The name in the workspace and no path: the adapter may move to another machine. A set has no lasting order.
    used.base_model_name_or_path, used.target_modules = settings.model, sorted(used.target_modules)
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()
    gc.collect()
    return model


def _is_linear(part: torch.nn.Module) -> bool:
    return isinstance(part, torch.nn.Linear) or type(part).__name__ in ("Conv1D", "Linear4bit", "Linear8bitLt")
