"""The weights an engine holds: the base once, adapters beside it, and copies only where a method needs them."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import transformers
from peft import PeftModel

from backend.bits import few_bits, leave_packed
from backend.gpu import do_without_cudnn_attention, usable_gpu, usual_dtype
from backend.job import in_words
from backend.room import holds_whole
from studio.errors import BadInput, Broken, NoMemory
from studio.models.folder import read_model
from studio.models.weights import hash_weights, weight_files
from studio.settings.train import Bits

BASE = "base"
# How a stamp and a page call a base in few bits.
FORMATS: dict[Bits, str] = {"4": "nf4", "8": "int8"}
How = Literal["together", "in turn", "apart"]
# Starts of an adapter that move weights of the base into itself: with these the base under it is no longer the base.
MOVING_STARTS = ("pissa", "olora", "corda", "kasa", "loftq")


@dataclass(frozen=True)
class Sharing:
    """How a tuned model shares weights with its base.

    how: `together`: one copy of the weights, both in one batch; `in turn`: one copy, first one then the other;
        `apart`: a second copy of the weights.
    why: in plain words, for the page.
    """

    how: How
    why: str


def sharing(folder: Path, bits: Bits | None = None) -> Sharing:
    """What the method of the weights in `folder` allows.

    Args:
        bits: those of the base's weights, where they are few.

    Raises:
        Broken: its adapter_config.json can't be read.
    """
    path = folder / "adapter_config.json"
    if not path.exists():
        return Sharing("apart", "All weights were trained, so base and tuned model are two full copies in memory.")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        start = config.get("init_lora_weights")
    except (ValueError, AttributeError):
        raise Broken(
            f"The adapter in {folder} can't be read.",
            "Its adapter_config.json is damaged.",
            "Restore it from a copy, or train again.",
        ) from None
    if isinstance(start, str) and start.lower().startswith(MOVING_STARTS):
        return Sharing("apart", "The adapter changes the base under it, so the base is kept as a second copy.")
    if config.get("use_dora"):
        return Sharing("in turn", "DoRA can't answer beside its base in one batch, so they answer one after the other.")
    plain = config.get("peft_type") == "LORA" and not (
        config.get("modules_to_save") or config.get("trainable_token_indices") or config.get("target_parameters")
    )
    if plain:
        rounded = f" Its numbers are rounded to {bits} bits, as in training." if bits else ""
        why = f"Base and tuned model share one copy of the weights and answer in one batch.{rounded}"
        return Sharing("together", why)
    return Sharing("in turn", "This adapter can't answer beside its base in one batch, so they answer in turn.")


def stamp(folder: Path, tuned: Path | None = None, bits: Bits | None = None) -> str:
    """What an answer is stamped with: 12 digits of the base's hash, and behind a `+` 12 of the tuned weights'.

    A base that was packed into few bits is another one than the whole: its hash goes on with `-nf4` or `-int8`.
    """
    base = read_model(folder).weights_hash()[:12] + (f"-{FORMATS[bits]}" if bits else "")
    return base if tuned is None else f"{base}+{hash_weights(tuple(weight_files(tuned)))[:12]}"


def best_device(asked: str = "auto") -> str:
    """`cuda`, `mps` or `cpu`.

    Raises:
        BadInput: the one asked for is not there.
    """
    there = {"cuda": usable_gpu(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if asked == "auto":
        return next(name for name, usable in there.items() if usable)
    if not there.get(asked, False):
        raise BadInput(
            f"There is no {asked} device on this machine.",
            "Torch finds none that it can use (a missing driver or a CPU build of torch looks the same).",
            "Choose --device auto, or run `launch.py check`.",
            field="device",
        )
    return asked


def load_model(folder: Path, device: str, bits: Bits | None = None) -> Any:
    """The model in `folder`, in eval mode: bfloat16 on a GPU that has it, else float32, the fastest on the CPUs we
    measured.

    Its own generation settings are put away, for they would change what “greedy” means.

    Args:
        bits: those its weights are rounded to as in training.

    Raises:
        Broken: the files don't make a model that Transformers knows. A want of memory is told as it comes.
    """
    do_without_cudnn_attention()
    dtype = usual_dtype(device)
    try:
        model = transformers.AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            trust_remote_code=False,
            use_safetensors=True,
            local_files_only=True,
            **(few_bits(bits, device, dtype) if bits else {}),
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        if isinstance(in_words(error), NoMemory):
            raise
        raise Broken(
            f"The model in {folder.name} can't be loaded.",
            str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__,
            "Add the model again, or choose another one.",
        ) from error
    model.generation_config = transformers.GenerationConfig()
    if bits:
        leave_packed(model)
        if not _unpacks(folder, device, bits):
            return model.eval()
        model = model.dequantize(dtype)
    return model.to(device).eval()


def _unpacks(folder: Path, device: str, bits: Bits) -> bool:
    """Whether weights that were rounded to few bits are computed with as whole numbers again.

    On a CPU four bits give the same logits to the last digit either way, and unpacked as fast as any model: the 135M
    starter made 6.6 tokens a second, packed 2.5, both on two cores. Eight bits stay packed, as there the products are
    rounded too; they were no slower. On a Mac's GPU bitsandbytes computes nothing.
    """
    return device == "mps" or (device == "cpu" and bits == "4" and holds_whole(read_model(folder)))


class Copies:
    """The loaded models of one engine. Not thread-safe: which adapter acts is a state of the whole model.

    Args:
        folder: the base model's.
        tuned: name → folder of an adapter, or of a full model.
        device: `cpu`, `cuda` or `mps`.
        bits: those of the base under every adapter; None where it is whole.
    """

    def __init__(self, folder: Path, tuned: Mapping[str, Path], device: str, bits: Bits | None = None) -> None:
        self.sharing = {name: sharing(path) for name, path in tuned.items()}
        self.base = load_model(folder, device, bits)
        self.shared: Any = None
        self.apart: dict[str, Any] = {}
        # PEFT puts its names for adapters into those of tensors, where a dot or a piece of “lora_” would go astray.
        self.inner = {name: f"tuned{number}" for number, name in enumerate(tuned)}
        for name, path in tuned.items():
            self._add(folder, name, path, device, bits)

    def _add(self, folder: Path, name: str, path: Path, device: str, bits: Bits | None) -> None:
        if self.sharing[name].how != "apart":
            self.shared = with_adapter(self.shared or self.base, self.inner[name], path)
        elif (path / "adapter_config.json").exists():
            self.apart[name] = with_adapter(load_model(folder, device, bits), self.inner[name], path)
        else:
            self.apart[name] = load_model(path, device)

    @contextmanager
    def use(self, names: Sequence[str]) -> Iterator[tuple[Any, dict[str, Any]]]:
        """(model, arguments for its forward) with which row i of a batch is answered by the weights `names[i]`.

        Different names in one batch are for those whose sharing is `together`.
        """
        kinds = set(names)
        if len(kinds) > 1:
            yield self.shared, {"adapter_names": [self.inner.get(name, "__base__") for name in names]}
            return
        (name,) = kinds
        if name in self.apart:
            yield self.apart[name], {}
        elif name != BASE:
            self.shared.set_adapter(self.inner[name], inference_mode=True)
            yield self.shared, {}
        elif self.shared is not None:
            with self.shared.disable_adapter():
                yield self.shared, {}
        else:
            yield self.base, {}

    def free(self) -> None:
        """Gives the memory back; the object is of no use afterwards."""
        self.base = self.shared = None
        self.apart.clear()
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def with_adapter(model: Any, name: str, path: Path) -> Any:
    """The model with one more adapter on it; the first one wraps it.

    Raises:
        Broken: the adapter does not fit this model. A want of memory is told as it comes.
    """
    options: dict[str, Any] = {"adapter_name": name, "local_files_only": True, "autocast_adapter_dtype": False}
    options["torch_device"] = str(model.device)  # else PEFT reads it onto a GPU wherever there is one
    try:
        if isinstance(model, PeftModel):
            model.load_adapter(str(path), **options)
            return model.eval()
        return PeftModel.from_pretrained(model, str(path), **options).eval()
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        if isinstance(in_words(error), NoMemory):
            raise
        raise Broken(
            f"The adapter in {path} can't be put on its base.",
            str(error).strip().splitlines()[0],
            "Check that it was trained from this very model; else train again.",
        ) from error
