"""Liger's kernels learn what the model's own learn, and keep less memory."""

from __future__ import annotations

from typing import Any

import pytest

from studio import events
from tests.worlds import World


@pytest.mark.parametrize("method", ["lora", "qlora", "full"])
def test_they_have_nearly_the_same_curve_in_less_memory(
    method: str, world: World, train: Any, given: dict[str, Any], capsys: Any
) -> None:
    pytest.importorskip("liger_kernel", reason="liger-kernel is not installed")
    import torch

    peaks, curves = [], []
    for kernels in ("usual", "liger"):  # in this order: some of what Liger replaces stays replaced in this process
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        folder = world.run(**given, method={"name": method}, kernels=kernels)
        assert train(folder)["type"] == "finished"
        peaks.append(torch.cuda.max_memory_allocated())
        curves.append([line["loss"] for line in events.steps(folder)[0]])
    with capsys.disabled():
        print(f"\n{method}: {peaks[0] / 1e6:.0f} MB with the model's own kernels, {peaks[1] / 1e6:.0f} MB with Liger's")
    assert curves[1] == pytest.approx(curves[0], rel=0.02)
    assert peaks[1] < peaks[0]
