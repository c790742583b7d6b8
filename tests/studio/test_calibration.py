"""What was measured on a machine holds for that machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio import calibration
from studio.calibration import Calibration
from studio.estimate import estimate
from studio.settings.train import TrainSettings
from studio.shape import Shape
from studio.workspace import Workspace

FOUND = Calibration(float32=1e11, onednn=4e11, bfloat16=8e11, tokens=256)
SHAPE = Shape(135_000_000, 30, 576, 1536, 49152, 9, 3, 64, True)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "w")


def test_machines_do_not_take_each_others(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    calibration.write(workspace, 2, FOUND)
    assert calibration.read(workspace, 2) == FOUND
    monkeypatch.setattr(calibration, "cpu_name", lambda: "another processor")
    assert calibration.read(workspace, 2) is None
    calibration.write(workspace, 2, other := Calibration(1.0, 0.0, 0.0, 64))
    assert calibration.read(workspace, 2) == other
    monkeypatch.undo()
    assert calibration.read(workspace, 2) == FOUND


@pytest.mark.parametrize("text", ["", "[]", '{"format": 1}', '{"format": 1, "machines": []}', '{"format": 99}'])
def test_a_damaged_file_is_measured_anew(workspace: Workspace, text: str) -> None:
    (workspace.root / calibration.FILE).write_text(text)
    assert calibration.read(workspace, 2) is None
    calibration.write(workspace, 2, FOUND)
    assert calibration.read(workspace, 2) == FOUND


def test_bfloat16_has_to_be_clearly_faster() -> None:
    assert FOUND.prefers_bfloat16 and FOUND.takes_onednn and FOUND.speed("float32") == 4e11
    close = Calibration(float32=4e11, onednn=1e11, bfloat16=4.5e11, tokens=256)
    assert not close.prefers_bfloat16 and not close.takes_onednn and close.speed("float32") == 4e11


def test_the_estimate_goes_by_what_was_measured() -> None:
    settings = TrainSettings(dataset="d", tokens_per_pass=1024, batch_size=4, threads=2)
    slow = Calibration(FOUND.float32 / 2, FOUND.onednn / 2, FOUND.bfloat16 / 2, 256)
    one, other = (estimate(settings, SHAPE, 200, 0.8, 10, "cpu", speeds=speeds) for speeds in (FOUND, slow))
    assert other.seconds == pytest.approx(2 * one.seconds)
    unmeasured = estimate(settings, SHAPE, 200, 0.8, 10, "cpu")
    assert one.parts["weights"] == unmeasured.parts["weights"] / 2  # bfloat16, where float32 would be taken
