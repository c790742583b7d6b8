"""What this machine's processor was measured to do, kept in the workspace: calibration.json beside its mark.

A worker measures once, for about a second (`backend/training/calibrate.py`); after that the choices that depend on
the processor are made from here: the number format on a CPU, how many tokens go through the model at once, and how
long a run will take.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from studio import migrate
from studio.errors import StudioError
from studio.machine import cpu_flags, cpu_name, torch_version
from studio.workspace import Workspace

FILE = "calibration.json"
# bfloat16 rounds more, and what is no matrix product does not gain by it: it has to be clearly faster to be taken.
MARGIN = 1.3


@dataclass(frozen=True)
class Calibration:
    """Matrix products timed on one CPU with one number of threads. Speeds in operations a second.

    Attributes:
        float32: by PyTorch's usual way; `onednn` through oneDNN.
        bfloat16: 0 where this PyTorch can't.
        tokens: the fewest rows of a product that reach nearly its full speed.
    """

    float32: float
    onednn: float
    bfloat16: float
    tokens: int

    @property
    def prefers_bfloat16(self) -> bool:
        return self.bfloat16 > MARGIN * max(self.float32, self.onednn)

    @property
    def takes_onednn(self) -> bool:
        """Whether float32 products go through oneDNN."""
        return self.onednn > 1.1 * self.float32

    def speed(self, dtype: str) -> float:
        """Of the products as they are made in training."""
        if dtype == "bfloat16":
            return self.bfloat16
        return self.onednn if self.takes_onednn else self.float32


def dtype(method: str, found: Calibration) -> str:
    """`bfloat16` or `float32`, whichever trains faster on this CPU.

    Only where weights are multiplied as they are: four bits are unpacked into float32 faster than into bfloat16, and
    DoRA divides by the weights' lengths, which should be exact.
    """
    return "bfloat16" if method in ("lora", "full") and found.prefers_bfloat16 else "float32"


def machine_key(threads: int) -> str:
    """What a measurement holds for: another processor, PyTorch or number of threads is measured anew."""
    return f"{cpu_name()}, {' '.join(cpu_flags())}, {threads} threads, torch {torch_version()}"


def read(workspace: Workspace, threads: int) -> Calibration | None:
    """What was measured on this machine; None when nothing was, or the file can't be read: it is only measured anew."""
    try:
        return Calibration(**_kept(workspace)[machine_key(threads)])
    except (KeyError, TypeError):
        return None


def write(workspace: Workspace, threads: int, found: Calibration) -> None:
    """Keeps a measurement beside those of other machines that open the same workspace."""
    kept = _kept(workspace) | {machine_key(threads): asdict(found)}
    migrate.save(workspace.root / FILE, "calibration", {"machines": kept})


def _kept(workspace: Workspace) -> dict[str, Any]:
    try:
        machines = migrate.load(workspace.root / FILE, "calibration").get("machines")
    except (OSError, StudioError):
        return {}
    return machines if isinstance(machines, dict) else {}
