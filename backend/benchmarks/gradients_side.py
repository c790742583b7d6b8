"""The process of the benchmark `gradients` that has both trainers in it, one after the other for each row:

python -m backend.benchmarks.gradients_side SETTINGS.json prints the greatest differences.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from backend.benchmarks import exact
from backend.benchmarks.apart import ALONE, OURS_EXACT, SIDES, THEIRS_EXACT, Apart, Gradients
from backend.training import calibrate, load
from backend.training.loss import Pass
from studio.batches.encode import IGNORED, Encoded
from studio.batches.pack import pack
from studio.models import Model
from studio.settings.train import Lora, TrainSettings
from studio.workspace import Workspace


def main(given: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """All rows in batches, each row for itself and then the batch; how far each two ways are apart."""
    workspace, settings = Workspace(Path(given["workspace"])), TrainSettings.model_validate(given["settings"])
    settings, onednn = calibrate.suited(workspace, settings, load.choose_device(settings.device))
    loaded = load.load(settings, Model.open(workspace, settings.model), onednn)
    rows = [_row(number, row) for number, row in enumerate(given["rows"])]
    trainer = _trainer(settings, workspace, rows, given["output"])
    with torch.no_grad():
        _same_weights(loaded.model, trainer.model)
    full = exact.in_full(_plain(settings, workspace, trainer.model))
    for model in (loaded.model, trainer.model, full):
        model.train()
    apart: dict[str, Apart] = defaultdict(Apart)
    size = settings.batch_size or 1
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        for chosen in [*([number] for number in range(len(batch))), list(range(len(batch)))]:
            some = [batch[number] for number in chosen]
            ours, theirs = _ours(loaded, batch, chosen), _theirs(trainer, batch, chosen)
            truth = exact.mean_loss(full, some), _taken(full)
            apart[SIDES].add(ours, theirs)
            apart[OURS_EXACT].add(ours, truth)
            apart[THEIRS_EXACT].add(theirs, truth)
            if len(some) < len(batch):  # without the padding and the other rows, so that sums go another way
                apart[ALONE].add(_theirs(trainer, some, [0]), theirs)
    return {ways: found.figures() for ways, found in apart.items()}


def _row(number: int, row: dict[str, Any]) -> Encoded:
    ids, labels = (np.array(row[name], np.int32) for name in ("ids", "labels"))
    return Encoded(str(number), ids, labels, 0, np.zeros(len(ids), bool))


def _trainer(settings: TrainSettings, workspace: Workspace, rows: list[Encoded], output: str) -> Any:
    """TRL's, at its defaults but for float32, over rows that are tokens already, which it leaves as they are."""
    import trl  # only the benchmark's own environment has it
    from datasets import Dataset

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
        peft_config=_lora(settings),
    )


def _lora(settings: TrainSettings) -> LoraConfig | None:
    method = settings.method
    if not isinstance(method, Lora):
        return None
    return LoraConfig(
        r=method.rank, lora_alpha=method.alpha, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM"
    )


def _columns(row: Encoded) -> dict[str, list[int]]:
    return {"input_ids": row.ids.tolist(), "labels": row.labels.tolist()}


def _plain(settings: TrainSettings, workspace: Workspace, like: Any) -> Any:
    """The model as Transformers and PEFT make it, with the same weights."""
    model = AutoModelForCausalLM.from_pretrained(workspace.models / settings.model, dtype=torch.float32)
    if lora := _lora(settings):
        model = get_peft_model(model, lora)
    with torch.no_grad():
        for name, weight in like.named_parameters():
            model.get_parameter(name).copy_(weight)
    return model


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
