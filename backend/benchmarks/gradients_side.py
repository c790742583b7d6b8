"""The process of the benchmark `gradients` that has both trainers in it, one after the other for each row:

python -m backend.benchmarks.gradients_side SETTINGS.json prints the greatest differences.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig

from backend.training import calibrate, load
from backend.training.loss import Pass
from studio.batches.encode import IGNORED, Encoded
from studio.batches.pack import pack
from studio.models import Model
from studio.settings.train import Lora, TrainSettings
from studio.workspace import Workspace

Gradients = dict[str, torch.Tensor]


@dataclass
class Apart:
    """The greatest differences so far.

    Attributes:
        loss: of a row's mean loss or a batch's.
        gradient: of one entry of a trained tensor's gradient.
        share: of a whole gradient, as the length of the difference over that of TRL's.
        compared: how many losses.
    """

    loss: float = 0.0
    gradient: float = 0.0
    share: float = 0.0
    compared: int = 0

    def add(self, ours: tuple[float, Gradients], theirs: tuple[float, Gradients]) -> None:
        self.compared += 1
        self.loss = _greater(self.loss, abs(ours[0] - theirs[0]))
        if ours[1].keys() != theirs[1].keys():
            raise ValueError(f"Other tensors are trained: {sorted(ours[1].keys() ^ theirs[1].keys())[:5]}")
        for name, value in theirs[1].items():
            apart = ours[1][name] - value
            self.gradient = _greater(self.gradient, float(apart.abs().max()))
            if length := float(value.norm()):
                self.share = _greater(self.share, float(apart.norm()) / length)


def _greater(before: float, now: float) -> float:
    if not math.isfinite(now):  # max() would pass over a NaN
        raise ValueError("A loss or a gradient is not a number, so nothing can be compared.")
    return max(before, now)


def main(given: dict[str, Any]) -> dict[str, Any]:
    """All rows in batches, each row for itself and then the batch."""
    workspace, settings = Workspace(Path(given["workspace"])), TrainSettings.model_validate(given["settings"])
    settings, onednn = calibrate.suited(workspace, settings, load.choose_device(settings.device))
    loaded = load.load(settings, Model.open(workspace, settings.model), onednn)
    rows = [_row(number, row) for number, row in enumerate(given["rows"])]
    trainer = _trainer(settings, workspace, rows, given["output"])
    with torch.no_grad():
        _same_weights(loaded.model, trainer.model)
    loaded.model.train()
    trainer.model.train()
    apart = Apart()
    size = settings.batch_size or 1
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        for chosen in [*([number] for number in range(len(batch))), list(range(len(batch)))]:
            apart.add(_ours(loaded, batch, chosen), _theirs(trainer, batch, chosen))
    return {
        "loss_apart": apart.loss,
        "gradient_apart": apart.gradient,
        "gradient_share_apart": apart.share,
        "losses": apart.compared,
        "trained_tensors": sum(weight.requires_grad for weight in loaded.model.parameters()),
    }


def _row(number: int, row: dict[str, Any]) -> Encoded:
    ids, labels = (np.array(row[name], np.int32) for name in ("ids", "labels"))
    return Encoded(str(number), ids, labels, 0, np.zeros(len(ids), bool))


def _trainer(settings: TrainSettings, workspace: Workspace, rows: list[Encoded], output: str) -> Any:
    """TRL's, at its defaults but for float32, over rows that are tokens already, which it leaves as they are."""
    import trl  # only the benchmark's own environment has it
    from datasets import Dataset

    method, lora = settings.method, None
    if isinstance(method, Lora):
        lora = LoraConfig(
            r=method.rank, lora_alpha=method.alpha, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM"
        )
    return trl.SFTTrainer(
        model=str(workspace.models / settings.model),
        args=trl.SFTConfig(
            output_dir=output,
            max_length=settings.cutoff,
            per_device_train_batch_size=settings.batch_size,
            bf16=False,
            use_cpu=not torch.cuda.is_available(),
            report_to="none",
            model_init_kwargs={"dtype": "float32"},
        ),
        train_dataset=Dataset.from_list([_columns(row) for row in rows]),
        peft_config=lora,
    )


def _columns(row: Encoded) -> dict[str, list[int]]:
    return {"input_ids": row.ids.tolist(), "labels": row.labels.tolist()}


def _same_weights(ours: Any, theirs: Any) -> None:
    """Ours get theirs, and the adapters chance ones first: B starts as zeros, which would hide half the gradients."""
    torch.manual_seed(1)
    for name, weight in theirs.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.02)
        ours.get_parameter(name).copy_(weight)


def _ours(loaded: load.Loaded, batch: list[Encoded], chosen: list[int]) -> tuple[float, Gradients]:
    """The mean loss of the chosen rows' learned tokens, all rows being in one packed line."""
    line = Pass.of(pack(batch))
    losses = loaded.forward.losses(line)
    mean = losses[torch.isin(line.owners, torch.tensor(chosen)).to(losses.device)].mean()
    mean.backward()
    return float(mean), _taken(loaded.model)


def _theirs(trainer: Any, batch: list[Encoded], chosen: list[int]) -> tuple[float, Gradients]:
    """The same by TRL: all rows are in its padded batch, those not chosen without labels."""
    inputs = trainer._prepare_inputs(trainer.data_collator([_columns(row) for row in batch]))
    others = [number for number in range(len(batch)) if number not in chosen]
    inputs["labels"][others] = IGNORED
    loss = trainer.compute_loss(trainer.model, inputs)
    loss.backward()
    return float(loss), _taken(trainer.model)


def _taken(model: Any) -> Gradients:
    """The gradients, which are gone from the model then."""
    found = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    model.zero_grad(set_to_none=True)
    return found


if __name__ == "__main__":
    print(json.dumps(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
