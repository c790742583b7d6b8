"""Safetensors files read without torch: which tensors they hold, and a hash of their contents."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from studio.errors import Broken

LONGEST_HEADER = 100_000_000  # the format's own limit
BLOCK = 1 << 22
# Bits of one number, and the name people know it by.
DTYPES = {
    "F64": (64, "float64"), "F32": (32, "float32"), "F16": (16, "float16"), "BF16": (16, "bfloat16"),
    "F8_E4M3": (8, "float8"), "F8_E5M2": (8, "float8"), "I64": (64, "int64"), "I32": (32, "int32"),
    "I16": (16, "int16"), "I8": (8, "int8"), "U8": (8, "uint8"), "BOOL": (8, "bool"),
}  # fmt: skip


@dataclass(frozen=True)
class Weights:
    """What a folder's safetensors hold. `shapes` by tensor name; `size` in bytes."""

    files: tuple[Path, ...]
    shapes: dict[str, tuple[int, ...]]
    dtype: str
    size: int

    def parameters(self, *, tied: bool) -> int:
        """How many numbers there are; a head that is tied to the embeddings is not counted twice."""
        count = sum(math.prod(shape) for shape in self.shapes.values())
        head = self.shapes.get("lm_head.weight")
        return count - math.prod(head) if tied and head else count


def read_weights(folder: Path) -> Weights:
    """The headers of the folder's weights.

    Raises:
        Broken: a file is damaged or cut off, or a part of several is missing.
    """
    files = weight_files(folder)
    shapes: dict[str, tuple[int, ...]] = {}
    share: Counter[str] = Counter()
    for file in files:
        for name, tensor in read_header(file).items():
            shapes[name] = tuple(tensor["shape"])
            share[tensor["dtype"]] += math.prod(tensor["shape"])
    dtype = share.most_common(1)[0][0] if share else ""
    size = sum(file.stat().st_size for file in files)
    return Weights(tuple(files), shapes, DTYPES.get(dtype, (0, dtype.lower()))[1], size)


def weight_files(folder: Path) -> list[Path]:
    """The safetensors that make the model, by name: those of the index, else model*.safetensors, else all.

    Raises:
        Broken: the index can't be read, or a file it names is missing.
    """
    index = folder / "model.safetensors.index.json"
    if index.exists():
        named = _indexed(index)
        missing = [name for name in named if not (folder / name).is_file()]
        if missing:
            raise Broken(
                f"The model in {folder} is not complete.",
                f"Its index names {len(named)} files of weights; {len(missing)} are missing, first {missing[0]}.",
                "Copy or download the missing files, or add the model again.",
            )
        return [folder / name for name in named]
    found = sorted(folder.glob("*.safetensors"))
    return [file for file in found if file.name.startswith("model")] or found


def _indexed(index: Path) -> list[str]:
    try:
        named = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
        names = sorted({str(name) for name in named})
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise Broken(
            f"{index.name} can't be read.",
            f"It does not say which files hold the weights ({type(error).__name__}: {error}).",
            "Copy or download it again.",
        ) from None
    if any(Path(name).name != name or not name.endswith(".safetensors") for name in names):
        raise Broken(
            f"{index.name} can't be used.",
            "It names files that are not safetensors beside it.",
            "Get the model from its source again.",
        )
    return names


def read_header(file: Path) -> dict[str, dict[str, Any]]:
    """Each tensor's `dtype`, `shape` and `data_offsets`; checks that the file is as long as its header says.

    The format: 8 bytes with the header's length (little-endian), the header (JSON), the numbers.
    """
    size = file.stat().st_size
    try:
        with open(file, "rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if size < 8 or length > min(LONGEST_HEADER, size - 8):
                raise ValueError("its header is cut off")
            header = json.loads(stream.read(length))
        header.pop("__metadata__", None)
        end = 0
        for tensor in header.values():
            begin, end_of_it = tensor["data_offsets"]
            bits = DTYPES.get(tensor["dtype"], (0, ""))[0]
            if bits and (end_of_it - begin) * 8 != math.prod(tensor["shape"]) * bits:
                raise ValueError("a tensor's size does not match its shape")
            end = max(end, end_of_it)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(file, str(error)) from None
    if 8 + length + end != size:
        raise _damaged(file, f"it has {size:,} bytes where its header says {8 + length + end:,}")
    return header


def _damaged(file: Path, why: str) -> Broken:
    return Broken(
        f"{file.name} can't be read.",
        f"It is no whole safetensors file: {why}. A download or copy may have been cut short ({file}).",
        "Copy or download it again.",
    )


def hash_weights(files: tuple[Path, ...]) -> str:
    """BLAKE2b (20 bytes, hexadecimal) over the contents of the files, in their order."""
    digest = blake2b(digest_size=20)
    for file in files:
        with open(file, "rb") as stream:
            while block := stream.read(BLOCK):
                digest.update(block)
    return digest.hexdigest()
