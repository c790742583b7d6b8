"""Training as it is here, without anybody to compare with."""

from __future__ import annotations

from backend.benchmarks.bench import Bench
from backend.benchmarks.ours import train
from studio.benchmarks import Result

GB = 1e9


def measure(bench: Bench) -> Result:
    """Tokens a second and memory of a run at its defaults."""
    dataset = bench.dataset(bench.conversations())
    result = Result()
    for number in range(bench.settings.rounds):
        ran, _ = train(bench, dataset)
        bench.say(f"Round {number + 1}: {ran.tokens / ran.seconds:.0f} tokens a second, {ran.peak / GB:.2f} GB.")
        result.sides.append(
            {
                "side": "ours",
                "tokens_per_second": ran.tokens / ran.seconds,
                "memory_gb": ran.peak / GB,
                "loss": ran.loss,
            }
        )
    return result
