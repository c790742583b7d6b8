"""Against TRL's SFTTrainer (https://github.com/huggingface/trl): at its defaults, and with its packing switched on."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

from backend.benchmarks import environments, measured, ours, trl_side
from backend.benchmarks.bench import Bench
from backend.benchmarks.contest import Contest
from backend.benchmarks.ours import Ran
from studio.benchmarks import Bar, Result

NAME = f"TRL {environments.TRL}"
PACKED = f"{NAME} packed"


def measure(bench: Bench) -> Result:
    """Our fast setting against both of theirs."""
    conversations = bench.conversations()
    dataset = bench.dataset(conversations)
    place = environments.trl(bench)
    contest = Contest(
        bench,
        {
            NAME: lambda: _train(bench, place, conversations, packing=False),
            PACKED: lambda: _train(bench, place, conversations, packing=True),
            "fast": lambda: ours.train(bench, dataset, memory="fast")[0],
        },
    )
    return Result(
        contest.lines(),
        [
            Bar(f"times the tokens a second of {PACKED}", contest.faster("fast", PACKED), 1.3),
            Bar(f"times the tokens a second of {NAME} at its defaults", contest.faster("fast", NAME), 2.5),
            Bar(f"mean loss apart from {NAME} at its defaults", contest.apart("fast", NAME), 0.02, at_most=True),
        ],
        {"tokens": contest.tokens},
        {"TRL": environments.TRL},
    )


def _train(bench: Bench, place: Path, conversations: list[list[dict[str, Any]]], packing: bool) -> Ran:
    folder = bench.folder("trl")
    (folder / "settings.json").write_text(json.dumps(_settings(bench, folder, conversations, packing)))
    took = bench.run(
        [sys.executable, "-P", trl_side.__file__, str(folder / "settings.json")],  # -P: not our trl
        folder / "output.log",
        cwd=folder,
        env=measured.of_another(folder, PYTHONPATH=str(place)),
    )
    found = json.loads(took.output.strip().splitlines()[-1])
    return Ran(found["seconds"], took.seconds, took.processor, took.peak, found["loss"], gpu=took.gpu)


def _settings(bench: Bench, folder: Path, conversations: list[list[dict[str, Any]]], packing: bool) -> dict[str, Any]:
    """The work in its words; everything else is left at its defaults."""
    work, method = ours.WORK, ours.WORK["method"]
    return {
        "model": str(bench.model.path),
        "rows": [{"prompt": one[:-1], "completion": one[-1:]} for one in conversations],
        "lora": {"r": method["rank"], "lora_alpha": method["alpha"], "lora_dropout": method["dropout"]},
        "arguments": {
            "output_dir": str(folder / "out"),
            "max_length": work["cutoff"],
            "packing": packing,
            "per_device_train_batch_size": work["batch_size"],
            "num_train_epochs": work["epochs"],
            "learning_rate": work["learning_rate"],
            "lr_scheduler_type": work["schedule"],
            "warmup_steps": work["warmup"],
            "seed": work["seed"],
            "save_strategy": "no",
            "report_to": "none",
            "use_cpu": not torch.cuda.is_available(),
        },
    }
