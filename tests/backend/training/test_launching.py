"""What the processes of a training are started with."""

from __future__ import annotations

import pytest

from backend.training import launching


@pytest.mark.parametrize(
    ("given", "best_first", "seen"),
    [(None, None, "0"), (None, "GPU-b,GPU-a", "GPU-b"), ("2,1", None, "2"), ("MIG-c", None, "MIG-c"), ("", None, "")],
)
def test_a_process_that_trains_alone_sees_the_first_gpu_there_is_for_it(
    given: str | None, best_first: str | None, seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launching, "order", lambda: best_first)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if given is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert launching.one_gpu() == {"CUDA_VISIBLE_DEVICES": seen}
