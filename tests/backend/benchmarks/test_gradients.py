"""A row in a packed line learns what TRL's SFTTrainer would have it learn; the real TRL is fetched for it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from backend.benchmarks.gradients_side import Apart
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
    lora, full = found["sides"]
    # Two batches of four rows: each row, and each batch. LoRA has two tensors a linear layer, the logits have none.
    assert lora["losses"] == full["losses"] == 10 and lora["trained_tensors"] == 2 * 2 * 7
    assert lora["gradient_apart"] > 0 and full["gradient_apart"] > 0  # two computations, not one looked at twice


@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
def test_what_is_no_number_is_not_taken_for_near(odd: float) -> None:
    plain = (1.0, {"weight": torch.ones(2)})
    Apart().add(plain, plain)
    with pytest.raises(ValueError, match="not a number"):
        Apart().add((odd, plain[1]), plain)
    with pytest.raises(ValueError, match="not a number"):
        Apart().add((1.0, {"weight": torch.tensor([1.0, odd])}), plain)
