"""Which runs need bitsandbytes, and which GPU a run is said to take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.job import Job
from backend.training import settings as module
from backend.training.settings import needs_bitsandbytes, tell_chosen_gpu
from studio import runs
from studio.gpus import Gpu
from studio.jobs import folder as job_folder
from studio.jobs.folder import SETTINGS
from studio.machine import machine
from studio.settings.train import TrainSettings
from studio.workspace import Workspace
from tests.worlds import told


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


@pytest.mark.parametrize(
    ("gpus", "given", "said"),
    [
        (("large", "small"), {}, ["This run trains on one of the 2 GPUs here: large."]),
        (("large", "small"), {"device": "cpu"}, []),
        (("large", "large"), {"spread": {"name": "ddp", "processes": 2}}, []),
        (("large",), {}, []),
        ((), {}, []),
    ],
)
def test_a_run_that_takes_one_of_several_gpus_says_which(
    workspace: Workspace, gpus: tuple[str, ...], given: dict[str, Any], said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = tuple(Gpu(name, 24 * 10**9, 0, 0, (9, 0)) for name in gpus)
    here = replace(machine(workspace.root), gpus=found, torch="2.13.0+cu130", torch_cuda="13.0", driver_cuda=13)
    monkeypatch.setattr(module, "machine", lambda path: here)
    settings = TrainSettings.model_validate({"dataset": "d", **given})
    folder = runs.create(workspace, settings)
    job = Job(folder)
    with job.log, job.metrics:
        tell_chosen_gpu(job, settings)
    assert [line["text"] for line in told(folder, "message")] == said
