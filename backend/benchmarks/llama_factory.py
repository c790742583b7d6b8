"""Against LLaMA-Factory at its defaults (https://github.com/hiyouga/LLaMA-Factory, Zheng et al. 2024)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from backend.benchmarks import environments, measured, ours
from backend.benchmarks.bench import Bench
from backend.benchmarks.contest import Contest
from backend.benchmarks.ours import Ran
from backend.training.load import choose_device, choose_dtype
from studio.benchmarks import Bar, Result

NAME = f"LLaMA-Factory {environments.LLAMA_FACTORY}"
TAGS = {"role": "role", "content": "content", "user": "user", "assistant": "assistant", "system": "system"}
MAIN = "from llamafactory.cli import main; main()"


def measure(bench: Bench) -> Result:
    """Both of our settings against it."""
    conversations = bench.conversations()
    dataset = bench.dataset(conversations)
    python = environments.llama_factory(bench)
    contest = Contest(
        bench,
        {
            NAME: lambda: _train(bench, python, conversations),
            "fast": lambda: ours.train(bench, dataset, memory="fast")[0],
            "lean": lambda: ours.train(bench, dataset, memory="lean")[0],
        },
    )
    return Result(
        contest.lines(),
        [
            Bar(f"fast: times the tokens a second of {NAME}", contest.faster("fast", NAME), 2.5),
            Bar(f"fast: times the memory of {NAME}", contest.ratio("memory", "fast", NAME), 1.5, at_most=True),
            Bar(f"lean: times the tokens a second of {NAME}", contest.faster("lean", NAME), 1.5),
            Bar(f"lean: times the memory of {NAME}", contest.ratio("memory", "lean", NAME), 0.8, at_most=True),
            Bar("fast: mean loss apart", contest.apart("fast", NAME), 0.02, at_most=True),
            Bar("lean: mean loss apart", contest.apart("lean", NAME), 0.02, at_most=True),
        ],
        {"tokens": contest.tokens},
        {"LLaMA-Factory": environments.LLAMA_FACTORY},
    )


def _train(bench: Bench, python: Path, conversations: list[list[dict[str, Any]]]) -> Ran:
    folder = bench.folder("llama-factory")
    (folder / "rows.json").write_text(json.dumps([{"messages": one} for one in conversations]), encoding="utf-8")
    about = {"file_name": "rows.json", "formatting": "sharegpt", "columns": {"messages": "messages"}}
    tags = {f"{name}_tag": value for name, value in TAGS.items()}
    (folder / "dataset_info.json").write_text(json.dumps({"rows": about | {"tags": tags}}), encoding="utf-8")
    # Its reader of .json files is broken in 0.9.5, and JSON is YAML.
    (folder / "train.yaml").write_text(json.dumps(_settings(bench, folder)), encoding="utf-8")
    env = measured.of_another(folder, DISABLE_VERSION_CHECK="1")
    took = bench.run(
        [str(python), "-c", MAIN, "train", str(folder / "train.yaml")], folder / "output.log", cwd=folder, env=env
    )
    found = json.loads((folder / "out" / "train_results.json").read_text(encoding="utf-8"))
    return Ran(found["train_runtime"], took.seconds, took.processor, took.peak, found["train_loss"], gpu=took.gpu)


def _settings(bench: Bench, folder: Path) -> dict[str, Any]:
    """The work in its words; everything else is left at its defaults."""
    work, method = ours.WORK, ours.WORK["method"]
    return {
        "stage": "sft",
        "do_train": True,
        "model_name_or_path": str(bench.model.path),
        "finetuning_type": "lora",
        "lora_target": "all",
        "lora_rank": method["rank"],
        "lora_alpha": int(method["alpha"]),
        "lora_dropout": method["dropout"],
        "dataset": "rows",
        "dataset_dir": str(folder),
        "cutoff_len": work["cutoff"],
        "per_device_train_batch_size": work["batch_size"],
        "gradient_accumulation_steps": 1,
        "num_train_epochs": work["epochs"],
        "learning_rate": work["learning_rate"],
        "lr_scheduler_type": work["schedule"],
        "warmup_ratio": work["warmup"],
        "output_dir": str(folder / "out"),
        "save_strategy": "no",
        "report_to": "none",
        "use_cpu": not torch.cuda.is_available(),
        # Its board has bfloat16 chosen beforehand; its command line would take float32.
        "bf16": choose_dtype("auto", choose_device("auto")) == torch.bfloat16,
    }
