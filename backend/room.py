"""Whether models fit into the machine's memory, asked before they are loaded.

Nothing is raised where memory runs out on a CPU: the system ends whichever process it likes.
"""

from __future__ import annotations

from studio.errors import NoRoom
from studio.estimate import weight_bytes
from studio.files import read_json
from studio.machine import GB, memory
from studio.models.folder import Model
from studio.settings.train import Bits
from studio.shape import Shape

FLOAT32_BYTES = 4
WEIGHTS_SHARE = 0.8  # of the memory, where the rest is for what answers take


def holds_whole(model: Model) -> bool:
    """Whether a model in float32, as on every CPU, and its answers take no more bytes than are available."""
    return FLOAT32_BYTES * model.parameters <= WEIGHTS_SHARE * memory()[1]


def ask_for_memory(model: Model, copies: int, what: str, todo: str, bits: Bits | None = None) -> None:
    """Raises NoRoom when so many copies of a model take more bytes of the machine's memory than are available.

    Args:
        copies: how many are held at once.
        what: what can't be done then, a sentence.
        todo: what to do about it, a sentence.
        bits: of each weight that can be packed; None where all are float32, as on every CPU.
    """
    needed, (_, available) = copies * _bytes(model, bits), memory()
    if needed > available:
        held = "the whole model is" if copies == 1 else f"{copies} copies of the whole model are"
        raise NoRoom(
            what,
            f"On the CPU {held} held in {bits or 32}-bit numbers, which takes about {needed / GB:.1f} GB of memory; "
            f"{available / GB:.1f} GB are free.",
            todo,
        )


def _bytes(model: Model, bits: Bits | None) -> float:
    if bits is None:
        return FLOAT32_BYTES * model.parameters
    return weight_bytes(Shape.read(read_json(model.path / "config.json"), model.parameters), FLOAT32_BYTES, bits)
