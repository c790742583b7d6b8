"""The estimate is held against what real updates take, in a process of their own."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from studio import measurement
from studio.jobs import follow
from studio.preflight import preflight
from studio.settings.train import TrainSettings
from tests.tiny import tiny_model
from tests.worlds import SHORT, World, places, world

__all__ = ["world"]

# How far the estimate may lie from the measured peak.
BOUND, BOUND_OF_THE_STARTER = 0.3, 0.25


def measured(world: World, **given: Any) -> dict[str, Any]:
    """A measurement, with the estimate for the same settings."""
    settings = preflight(world.workspace, TrainSettings.model_validate(SHORT | {"max_steps": 6} | given)).settings
    folder = measurement.start(world.workspace, settings)
    found = follow.result(folder, follow.follow(world.workspace, folder))
    print(f"{given}: estimated {found['estimated_gb']:.2f} GB, measured {found['memory_gb']:.2f} GB")
    return found


def long_rows(world: World) -> dict[str, Any]:
    """40 rows of some 400 tokens; the settings that put five of them into a pass."""
    rows = places("train", 40) + places("validation", 4)
    for row in rows:
        row["messages"][-1]["content"] = " ".join(f"The capital is {number}." for number in range(80))
    world.dataset("long", rows)
    return {"dataset": "long", "cutoff": 400, "batch_size": 10, "tokens_per_pass": 2000}


@pytest.mark.parametrize("recompute", [pytest.param(False, marks=pytest.mark.full), True])
def test_it_is_near_to_what_a_small_model_takes(recompute: bool, world: World) -> None:
    """The activations are about as large as the libraries without recomputation, and hardly there with it."""
    tiny_model(world.workspace.models / "wide", hidden=256, layers=10)
    found = measured(world, model="wide", recompute=recompute, dtype="float32", **long_rows(world))
    assert found["estimated_gb"] == pytest.approx(found["memory_gb"], rel=BOUND)


@pytest.mark.full
@pytest.mark.starter
@pytest.mark.timeout(900)
@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize(
    ("method", "dtype"), [("lora", "bfloat16"), ("lora", "float32"), ("full", "float32"), ("dora", "float32")]
)
def test_it_is_near_to_what_the_starter_takes(
    method: str, dtype: str, recompute: bool, world: World, starter: Path
) -> None:
    shutil.copytree(starter, world.workspace.models / "starter")
    given = {"model": "starter", "method": {"name": method}, "dtype": dtype, "recompute": recompute, "threads": 2}
    found = measured(world, **given, **long_rows(world))
    assert found["estimated_gb"] == pytest.approx(found["memory_gb"], rel=BOUND_OF_THE_STARTER)
