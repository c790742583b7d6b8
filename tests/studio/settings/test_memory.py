"""How many tokens go through the model at once: by the setting “memory”, what was measured, and what is free."""

from __future__ import annotations

from typing import Any

import pytest

from studio.settings.defaults import Facts, resolve
from studio.settings.train import TrainSettings


def chosen(memory: str = "auto", **facts: Any) -> tuple[int | None, str]:
    about = {
        "rows": 100, "longest": 300, "text": False, "version": 1, "parameters": 135_000_000, "context": 2048,
        "device": "cpu", "cores": 2,
    }  # fmt: skip
    settings = TrainSettings.model_validate({"dataset": "d", "memory": memory, "cutoff": 320})
    found = resolve(settings, Facts(**about | facts))
    return found.settings.tokens_per_pass, found.reasons["tokens_per_pass"]


def test_fast_fills_the_processor_as_it_was_measured() -> None:
    assert chosen("fast")[0] == 1024
    assert chosen("fast", filling=512) == (2048, chosen("fast", filling=512)[1])
    assert "512" in chosen("fast", filling=512)[1]
    assert chosen("fast", filling=64)[0] == 320  # never less than a row
    assert chosen("fast", device="cuda")[0] == 8192


def test_lean_is_one_row_at_a_time() -> None:
    assert chosen("lean")[0] == chosen("lean", device="cuda")[0] == 320


@pytest.mark.parametrize(("free", "tokens"), [(3.0, 1024), (1.2, 512), (0.5, 320)])
def test_automatic_follows_free_memory(free: float, tokens: int) -> None:
    """A run of 1024 tokens at once needs 1.0 GB and may take seven tenths of what is free; else half as many, and so on
    down to one row.
    """
    found, why = chosen("auto", free_gb=lambda spread: free, needs_gb=kilotokens)
    assert found == tokens and (f"{free:.1f} GB" in why) == (tokens < 1024)
    assert chosen("fast", free_gb=lambda spread: free, needs_gb=kilotokens)[0] == 1024


def kilotokens(settings: TrainSettings) -> float:
    return (settings.tokens_per_pass or 0) / 1024


def test_memory_is_judged_by_settings_whose_choices_are_made() -> None:
    """A pass holds as many rows as an update has: with an open batch size it would be judged by one."""
    seen: list[TrainSettings] = []
    chosen("auto", free_gb=lambda spread: 1.0, needs_gb=lambda settings: seen.append(settings) or 0.0, rows=1000)
    (asked,) = seen
    assert (asked.batch_size, asked.cutoff, asked.tokens_per_pass) == (8, 320, 1024)
    assert asked.spread is not None and asked.learning_rate
