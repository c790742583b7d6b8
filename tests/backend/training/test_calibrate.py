"""What a CPU does best is measured once and kept for this machine."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from backend.training import calibrate
from backend.training.checkpoints import Identity
from studio import calibration
from studio.calibration import Calibration
from studio.settings.train import TrainSettings
from studio.workspace import Workspace

BFLOAT16 = Calibration(float32=1e11, onednn=2e11, bfloat16=8e11, tokens=256)
PLAIN = Calibration(float32=3e11, onednn=3e11, bfloat16=1e11, tokens=128)


def test_every_way_is_measured() -> None:
    found = calibrate.measure()
    assert found.float32 > 0 and found.tokens in calibrate.SIZES
    assert found.speed("float32") >= found.float32


def test_it_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace, calls = Workspace.open(tmp_path / "w"), []
    monkeypatch.setattr(calibrate, "measure", lambda: calls.append(1) or BFLOAT16)
    assert [calibrate.calibrated(workspace) for _ in range(3)] == [BFLOAT16] * 3 and len(calls) == 1
    threads = torch.get_num_threads()
    assert calibration.read(workspace, threads) == BFLOAT16 and calibration.read(workspace, threads + 1) is None


@pytest.mark.parametrize(
    ("found", "method", "dtype", "onednn"),
    [
        (BFLOAT16, "lora", "bfloat16", True),
        (BFLOAT16, "full", "bfloat16", True),
        (BFLOAT16, "dora", "float32", True),
        (BFLOAT16, "qlora", "float32", True),
        (PLAIN, "lora", "float32", False),
    ],
)
def test_the_faster_format_is_taken_where_it_fits(
    found: Calibration, method: str, dtype: str, onednn: bool, tmp_path: Path
) -> None:
    workspace = Workspace.open(tmp_path / "w")
    calibration.write(workspace, torch.get_num_threads(), found)
    asked = TrainSettings.model_validate({"dataset": "d", "method": {"name": method}})
    settings, through = calibrate.suited(workspace, asked, "cpu")
    assert (settings.dtype, through) == (dtype, onednn)
    said = asked.model_copy(update={"dtype": "float32"})
    assert calibrate.suited(workspace, said, "cpu") == (said, onednn)


@pytest.mark.parametrize(("able", "dtype"), [(True, "bfloat16"), (False, "float32")])
def test_the_format_on_a_gpu_is_written_down(
    able: bool, dtype: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that goes on on the CPU has the settings it began with, so its resume points are used."""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: able or including_emulation)
    asked = TrainSettings(dataset="d")
    settings, through = calibrate.suited(Workspace.open(tmp_path / "w"), asked, "cuda")
    assert (settings.dtype, through) == (dtype, False)
    elsewhere, _ = calibrate.suited(Workspace.open(tmp_path / "w"), settings, "cpu")
    on_gpu, on_cpu = Identity.of("run-1", settings, "cuda"), Identity.of("run-1", elsewhere, "cpu")
    assert on_gpu.settings == on_cpu.settings
