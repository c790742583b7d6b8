"""Several GPUs: DDP has the curve of one; FSDP2 and DeepSpeed divide the model and learn the same."""

from __future__ import annotations

from typing import Any

import pytest

from studio import events, logs
from tests.worlds import World, start_worker

SPREADS = [
    {"name": "ddp", "processes": 2},
    {"name": "fsdp", "processes": 2},
    {"name": "fsdp", "processes": 2, "offload": True},
    {"name": "zero2", "processes": 2},
    {"name": "zero3", "processes": 2},
    {"name": "zero3", "processes": 2, "offload": True},
]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("method", ["lora", "full"])
@pytest.mark.parametrize(
    "spread", SPREADS, ids=lambda given: f"{given['name']}{'-offload' if given.get('offload') else ''}"
)
def test_two_gpus_have_the_curve_of_one(
    spread: dict[str, Any], method: str, gpus: int, world: World, given: dict[str, Any]
) -> None:
    if gpus < 2:
        pytest.skip(f"needs two GPUs, and there is {gpus}")
    if spread["name"].startswith("zero"):
        pytest.importorskip("deepspeed", reason="deepspeed is not installed")
    settings = given | {"method": {"name": method}, "dtype": "float32"}
    curves = []
    for more in ({}, {"spread": spread}):  # one after the other: a worker that ends starts what waits behind it
        folder = world.run(**settings | more)
        assert start_worker(folder).wait(timeout=400) == 0, (folder / "output.log").read_text()[-4000:]
        assert (logs.last(folder / events.EVENTS) or {})["type"] == "finished"
        curves.append([line["loss"] for line in events.steps(folder)[0]])
    assert curves[1] == pytest.approx(curves[0], rel=1e-2)
    assert list((folder / "adapter").glob("*.safetensors"))
