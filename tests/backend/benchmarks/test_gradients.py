"""A row in a packed line learns what TRL's SFTTrainer would have it learn; the real TRL is fetched for it."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from backend.benchmarks import exact
from backend.benchmarks.apart import Apart
from studio.batches.encode import Encoded
from tests.conftest import index_answers
from tests.tiny import tiny_model

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.full
def test_every_row_has_trls_loss_and_gradients(tmp_path: Path, outside: dict[str, str]) -> None:
    if not index_answers():
        pytest.skip("TRL can't be fetched: the package index does not answer")
    workspace, data = tmp_path / "w", tmp_path / "rows.jsonl"
    tiny_model(workspace / "models" / "tiny")
    rows = [{"question": f"What is {n}?", "answer": f"It is {n}. " * (n + 1)} for n in range(8)]
    data.write_text("\n".join(json.dumps(row) for row in rows))
    command = [sys.executable, "launch.py", "benchmark", "gradients", "--data", str(data), "--model", "tiny"]
    done = subprocess.run(
        [*command, "--json", "--workspace", str(workspace)], cwd=ROOT, env=outside, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert len(found["bars"]) == 4 and all(bar["reached"] for bar in found["bars"]), found["bars"]
    assert len(found["sides"]) == 8
    for side in found["sides"]:
        # Two batches of four rows: each row, and each batch. LoRA has two tensors a linear layer, the head has none.
        assert side["losses"] == (8 if "alone" in side["side"] else 10)
        assert side["tensors"] == (2 * 2 * 7 if side["side"].startswith("LoRA") else 2 + 2 * 9)
        assert side["gradient_apart"] > 0  # two computations, not one looked at twice


def test_in_full_no_digit_is_lost_where_a_model_asks_for_float32(tmp_path: Path) -> None:
    """Against the very gradients by differences of the loss, which float32 could not tell from nothing."""
    path, row = tiny_model(tmp_path / "tiny"), np.arange(2, 12, dtype=np.int32)
    model = exact.in_full(AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32))
    rows = [Encoded("1", row, row.copy(), 0, np.zeros(10, bool)), Encoded("2", row[:4], row[:4], 0, np.zeros(4, bool))]
    for name in ("model.layers.0.input_layernorm.weight", "model.layers.1.mlp.up_proj.weight"):
        weight, step = model.get_parameter(name), 1e-6
        model.zero_grad()
        exact.mean_loss(model, rows)
        slope = float(weight.grad.flatten()[3])
        losses = []
        for way in (step, -2 * step):
            with torch.no_grad():
                weight.flatten()[3] += way
            losses.append(exact.mean_loss(model, rows))
        assert slope == pytest.approx((losses[0] - losses[1]) / (2 * step), rel=1e-6)


@pytest.mark.parametrize(("one", "of_allowed"), [([8e-6, 2 + 1.5e-5], 0.8), ([1.1e-5, 2], 1.1), ([0, 2 - 3.6e-5], 1.2)])
def test_an_entry_is_near_as_pytorch_says(one: list[float], of_allowed: float) -> None:
    """Up to 1 where its own comparison, with both tolerances at 1e-5, finds no difference."""
    found, mine, theirs = Apart(), torch.tensor(one, dtype=torch.float64), torch.tensor([0, 2], dtype=torch.float64)
    found.add((1.0, {"weight": mine}), (1.0, {"weight": theirs}))
    assert found.figures()["gradient_of_allowed"] == pytest.approx(of_allowed)
    assert found.figures()["gradient_apart"] == float((mine - theirs).abs().max())
    with nullcontext() if of_allowed <= 1 else pytest.raises(AssertionError):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
def test_what_is_no_number_is_not_taken_for_near(odd: float) -> None:
    plain = (1.0, {"weight": torch.ones(2)})
    Apart().add(plain, plain)
    with pytest.raises(ValueError, match="not a number"):
        Apart().add((odd, plain[1]), plain)
    with pytest.raises(ValueError, match="not a number"):
        Apart().add((1.0, {"weight": torch.tensor([1.0, odd])}), plain)
