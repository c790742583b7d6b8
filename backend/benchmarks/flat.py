"""Whether a token costs the same in a large set as in a small one, and late in a run as early.

Measured in real runs of the trainer as anybody starts it, with its logs, row losses and resume points. The model is a
random one, so small that what is around it makes up most of a step and can't hide behind it; short rows are made up.
Each round is one run among few rows, one among many and one of many steps: about four minutes on two quiet cores.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import transformers

from backend.benchmarks import ours
from backend.benchmarks.bench import Bench
from studio import events
from studio.benchmarks import Bar, Result

FEW, MANY = 100, 100_000
EARLY, LATE = 10, 10_000
WINDOW = 200  # steps looked at, from the one named on
MODEL = "small"
SHAPE = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
    "tie_word_embeddings": True,
}
WORK = {"model": MODEL, "cutoff": 128, "epochs": None, "save_steps": 1000, "memory": "fast"}


def measure(bench: Bench) -> Result:
    """Microseconds a token, and how they grow."""
    return across(bench, (FEW, MANY), (EARLY, LATE))


def across(bench: Bench, sizes: tuple[int, int], steps: tuple[int, int]) -> Result:
    """The same for other numbers of rows and steps."""
    _small_model(bench)
    for rows in sizes:
        _made_up(bench, rows)
    names = [*(f"{rows:,} rows" for rows in sizes), *(f"step {step:,}" for step in steps)]
    rounds: list[list[float]] = []
    for number in range(1, bench.settings.rounds + 1):
        among = [_train(bench, rows, steps[0])[steps[0]] for rows in sizes]
        along = _train(bench, sizes[0], *steps)
        rounds.append([*among, *along.values()])
        told = ", ".join(f"{name}: {cost:.1f}" for name, cost in zip(names, rounds[-1], strict=True))
        bench.say(f"Round {number} of {bench.settings.rounds}, microseconds a token: {told}.")
    costs = [median(column) for column in zip(*rounds, strict=True)]
    return Result(
        [{"side": name, "microseconds_per_token": cost} for name, cost in zip(names, costs, strict=True)],
        [
            Bar(f"times the cost of a token among {names[1]}", _growth(rounds, 0), 1.5, at_most=True),
            Bar(f"times the cost of a token at {names[3]}", _growth(rounds, 2), 1.5, at_most=True),
        ],
    )


def _growth(rounds: list[list[float]], column: int) -> float:
    return median(costs[column + 1] / costs[column] for costs in rounds)


def _train(bench: Bench, rows: int, *steps: int) -> dict[int, float]:
    """Microseconds a token from each of these steps on, in one run."""
    _, folder = ours.train(bench, f"rows-{rows}", max_steps=max(steps) + WINDOW, **WORK)
    lines, _ = events.steps(folder)
    found = {step: _quick(lines[step : step + WINDOW]) for step in steps}
    shutil.rmtree(folder)
    return found


def _quick(lines: list[dict[str, Any]]) -> float:
    """The first quartile: the slower steps are those in which the machine did something else."""
    return quantiles([1e6 * line["seconds"] / line["tokens"] for line in lines], n=4)[0]


def _made_up(bench: Bench, rows: int) -> None:
    path = bench.folder("source") / f"{rows}.jsonl"
    with open(path, "w", encoding="utf-8") as file:
        for number in range(rows):
            file.write(json.dumps({"question": f"What follows {number}?", "answer": f"It is {number + 1}."}) + "\n")
    bench.bring(path, f"rows-{rows}")


def _small_model(bench: Bench) -> Path:
    """A random Llama of the model's vocabulary, with its tokenizer."""
    folder = bench.scratch.models / MODEL
    given = transformers.AutoConfig.from_pretrained(bench.model.path, local_files_only=True)
    ends = {name: getattr(given, name, None) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    transformers.set_seed(1)
    config = transformers.LlamaConfig(vocab_size=bench.model.vocabulary, **SHAPE, **ends)
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    for file in bench.model.path.iterdir():
        if file.is_file() and "safetensors" not in file.name and not (folder / file.name).exists():
            shutil.copy2(file, folder / file.name)
    return folder
