"""Every method on a GPU: it learns, in bfloat16, is stopped and resumed, and tells its memory."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest

from studio import events, runs
from tests.worlds import World, told

METHODS = ["lora", "dora", "full", {"name": "qlora", "bits": "4"}, {"name": "qlora", "bits": "8"}]


def losses(folder: Path) -> list[float]:
    return [line["loss"] for line in events.steps(folder)[0]]


@pytest.mark.parametrize("method", METHODS, ids=str)
@pytest.mark.parametrize("optimizer", ["adamw", "adamw_8bit"])
def test_it_learns_in_bfloat16(method: Any, optimizer: str, world: World, train: Any, given: dict[str, Any]) -> None:
    method = method if isinstance(method, dict) else {"name": method}
    end = train(folder := world.run(**given, method=method, optimizer=optimizer))
    assert end["type"] == "finished", end
    before, *_, after = (line["loss"] for line in told(folder, "eval"))
    assert after < before
    assert all("gpu_memory_gb" in line for line in events.steps(folder)[0])
    assert not list((folder / "adapter").glob("*.bin"))


def test_bfloat16_has_nearly_the_curve_of_float32(world: World, train: Any, given: dict[str, Any]) -> None:
    exact, short = (world.run(**given | {"dtype": dtype}) for dtype in ("float32", "auto"))
    assert train(exact)["type"] == train(short)["type"] == "finished"
    assert [runs.settings_of(folder).dtype for folder in (exact, short)] == ["float32", "bfloat16"]
    assert losses(short) == pytest.approx(losses(exact), rel=0.03)


def test_a_stopped_run_goes_on_with_the_same_curve(world: World, train: Any, given: dict[str, Any]) -> None:
    """On a GPU sums have no fixed order, so the last digits may differ."""
    settings = given | {"method": {"name": "lora", "dropout": 0.2}}
    whole, stopped = world.run(**settings), world.run(**settings)
    train(whole)
    assert train(stopped, stop_at=7)["type"] == "stopped"
    (stopped / "stop").unlink()
    assert train(stopped)["type"] == "finished"
    assert losses(stopped) == pytest.approx(losses(whole), rel=1e-2)


def test_recomputation_learns_the_same_in_less_memory(
    world: World, train: Any, given: dict[str, Any], capsys: Any
) -> None:
    """Of rows enough in a pass that what is kept of them outweighs the model."""
    import torch

    peaks, curves = [], []
    for recompute in (False, True):
        gc.collect()
        held = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        folder = world.run(**given | {"batch_size": 48, "tokens_per_pass": 8192}, recompute=recompute)
        assert train(folder)["type"] == "finished"
        peaks.append(torch.cuda.max_memory_allocated() - held)
        curves.append(losses(folder))
    with capsys.disabled():
        print(f"\nonce: {peaks[0] / 1e6:.0f} MB, twice: {peaks[1] / 1e6:.0f} MB")
    assert peaks[1] < 0.8 * peaks[0]
    assert curves[1] == pytest.approx(curves[0], rel=1e-2)
