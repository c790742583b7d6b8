"""Which runs need bitsandbytes; the others' processes begin without it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backend.training.settings import needs_bitsandbytes
from studio import runs
from studio.jobs import folder as job_folder
from studio.jobs.folder import SETTINGS
from studio.settings.train import TrainSettings
from studio.workspace import Workspace


@pytest.mark.parametrize(
    ("given", "needs"),
    [
        ({}, False),
        ({"method": {"name": "full"}}, False),
        ({"method": {"name": "qlora"}}, True),
        ({"optimizer": "adamw_8bit"}, True),
    ],
)
def test_bitsandbytes_is_there_for_few_bits_and_its_optimizer_only(
    workspace: Workspace, given: dict[str, Any], needs: bool
) -> None:
    settings = TrainSettings(dataset="d", **given)
    assert needs_bitsandbytes(runs.create(workspace, settings)) is needs
    assert needs_bitsandbytes(job_folder.create(workspace, "fit", {"settings": settings.plain()})) is needs


def test_settings_that_can_not_be_read_are_left_to_the_run_to_tell(workspace: Workspace, tmp_path: Path) -> None:
    folder = runs.create(workspace, TrainSettings(dataset="d"))
    (folder / SETTINGS).write_text("{")
    assert needs_bitsandbytes(folder) and needs_bitsandbytes(tmp_path)
