"""LoRA's products as one operation, on a GPU in bfloat16: what PEFT's own layers give, in less memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def test_they_give_what_peft_gives_in_less_memory(tmp_path: Path, capsys: Any) -> None:
    import torch

    from backend.training import load
    from backend.training.loss import Pass
    from studio.batches.pack import pack
    from tests.backend.training.small import settings, small_model
    from tests.backend.training.test_products import LORA, encoded, gradients, spread_out

    model, line = small_model("llama", tmp_path), Pass.of(pack(encoded((60, 33, 61))))
    found, peaks = [], []
    for fuse in (True, False):
        loaded = load.load(settings(method=LORA, dtype="bfloat16", device="cuda"), model)
        spread_out(loaded.model)
        if not fuse:
            for part in loaded.model.modules():
                vars(part).pop("forward", None)
        held = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        loss = loaded.forward.losses(line).mean()
        peaks.append(torch.cuda.max_memory_allocated() - held)
        found.append((loss.detach(), gradients(loaded.model, loss)))
    (loss, ours), (other, theirs) = found
    assert abs(loss - other) < 0.02 * other
    for name, value in theirs.items():
        assert (ours[name] - value).norm() < 0.05 * value.norm(), name
    with capsys.disabled():
        print(f"\nkept for the backward pass: {peaks[0] / 1e6:.1f} MB, by PEFT's own layers {peaks[1] / 1e6:.1f} MB")
