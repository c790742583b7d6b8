"""Random adapters on a tiny model: what a run leaves behind, without the training."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backend.job import Job
from studio import migrate
from studio.jobs import folder as job_folder
from studio.logs import Log
from studio.workspace import Workspace


def adapter(model: Path, folder: Path, *, seed: int = 1, size: float = 0.3, **config: Any) -> Path:
    """Writes a PEFT LoRA adapter for `model` whose B is random, so that its answers differ from the base's.

    Args:
        seed: the same seed gives the same weights.
        size: standard deviation of B.
        config: fields of LoraConfig.
    """
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    fields = {"r": 4, "target_modules": "all-linear", "task_type": "CAUSAL_LM"} | config
    tuned = get_peft_model(base, LoraConfig(**fields))
    for name, weights in tuned.named_parameters():
        if "lora_B" in name or "lora_embedding_A" in name:
            torch.nn.init.normal_(weights, std=size)
    tuned.save_pretrained(str(folder))
    return folder


def run(workspace: Workspace, dataset: str, model: str, **settings: Any) -> Path:
    """A run's folder that is finished but for its weights, which the caller puts into `adapter/`."""
    folder = job_folder.create(
        workspace, "train", {"dataset": dataset, "version": 1, "model": model, "method": {"name": "lora"}, **settings}
    )
    with Log(folder / "events.jsonl") as log:
        log.append("starting", pid=0)
        log.append("finished", steps=1)
    return folder


def work(main: Callable[[Job], dict[str, Any]], folder: Path) -> dict[str, Any]:
    """Does a job's work in this process; returns what its `finished` event would tell."""
    job = Job(folder)
    try:
        return main(job)
    finally:
        job.log.close()
        job.metrics.close()


def install(model: Path, workspace: Workspace, name: str = "tiny") -> Path:
    """Copies a model's folder into the workspace."""
    target = workspace.models / name
    shutil.copytree(model, target)
    migrate.save(target / "model.json", "model", {"source": {"kind": "folder", "id": str(model)}})
    return target
