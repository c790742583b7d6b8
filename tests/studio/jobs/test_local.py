"""What a worker's process is started with."""

from __future__ import annotations

import pytest

from studio.jobs import local
from studio.workspace import Workspace


def test_cuda_is_told_the_order_of_the_gpus_unless_somebody_told_it(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = workspace.runs / "a-run"
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for best_first in (None, "GPU-b,GPU-a"):
        monkeypatch.setattr(local, "order", lambda order=best_first: order)
        assert local.environment(folder).get("CUDA_VISIBLE_DEVICES") == best_first
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert local.environment(folder)["CUDA_VISIBLE_DEVICES"] == "1"
