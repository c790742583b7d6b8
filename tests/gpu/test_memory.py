"""What is measured before a run holds for it, and a GPU that is too full ends a run as failed, with the ladder."""

from __future__ import annotations

from typing import Any

import pytest

from studio import events, measurement, proposal
from studio.gpus import gpus
from studio.jobs import follow
from studio.preflight import preflight
from studio.settings.train import TrainSettings
from tests.worlds import SHORT, World, start_worker, told

GB = 1e9


def resolved(world: World, given: dict[str, Any], **more: Any) -> TrainSettings:
    return preflight(world.workspace, TrainSettings.model_validate(SHORT | given | more)).settings


@pytest.mark.parametrize("method", ["lora", "qlora", "full"])
def test_the_run_takes_what_was_measured(method: str, world: World, given: dict[str, Any], capsys: Any) -> None:
    settings = resolved(world, given, method={"name": method})
    folder = measurement.start(world.workspace, settings)
    found = follow.result(folder, follow.follow(world.workspace, folder))
    assert found["fits"] and found["step_seconds"] > 0
    used = gpus()[0].memory_used
    run = world.run(**given, method={"name": method})
    assert start_worker(run).wait(timeout=300) == 0
    peak = max(line["gpu_memory_gb"] for line in events.steps(run)[0]) - used / GB
    with capsys.disabled():
        print(
            f"\n{method}: estimated {found['estimated_gb']:.2f}, measured {found['memory_gb']:.2f}, run {peak:.2f} GB"
        )
    assert found["memory_gb"] == pytest.approx(peak, rel=0.35, abs=0.4)


def test_memory_taken_by_another_program_ends_the_run_with_the_ladder(world: World, given: dict[str, Any]) -> None:
    """Nearly all of the GPU is held here; what the run asks for is not there."""
    import torch

    run = world.run(**given, method={"name": "full"}, recompute=False)
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info()
    held = torch.empty(int(free - 0.7 * GB), dtype=torch.uint8, device="cuda")
    start_worker(run).wait(timeout=300)
    del held
    torch.cuda.empty_cache()
    (end,) = told(run, "failed")
    assert measurement.ran_out(end) and end["next"]
    assert any(rung.same for rung in proposal.rungs(world.workspace, run.name))


def test_free_memory_is_what_others_left(world: World, given: dict[str, Any]) -> None:
    import torch

    torch.cuda.empty_cache()
    before = preflight(world.workspace, resolved(world, given)).facts["free_gb"]
    held = torch.empty(2_000_000_000, dtype=torch.uint8, device="cuda")
    after = preflight(world.workspace, resolved(world, given)).facts["free_gb"]
    del held
    assert before - after == pytest.approx(2.0, abs=0.5)
