"""Several sides at the same work, in turns: each round goes through all of them, and the median of the rounds counts.

A machine is never quite quiet, so only figures of the same minutes are compared: a ratio is taken within each round.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

from backend.benchmarks.bench import Bench
from backend.benchmarks.ours import Ran

GB = 1e9


class Contest:
    """What each side took in each round."""

    def __init__(self, bench: Bench, sides: dict[str, Callable[[], Ran]]) -> None:
        self.rounds: list[dict[str, Ran]] = []
        for number in range(1, bench.settings.rounds + 1):
            taken: dict[str, Ran] = {}
            for name, train in sides.items():
                taken[name] = ran = train()
                bench.say(
                    f"Round {number} of {bench.settings.rounds}, {name}: {ran.seconds:.1f} s, "
                    f"{ran.memory / GB:.2f} GB, mean loss {ran.loss:.4f}."
                )
            self.rounds.append(taken)
        self.tokens = max(ran.tokens for taken in self.rounds for ran in taken.values())

    def lines(self) -> list[dict[str, Any]]:
        """The medians of each side; tokens are those of the rows, without padding, and the same for all."""
        return [
            {
                "side": name,
                "tokens_per_second": self.tokens / self._median(name, "seconds"),
                "seconds": self._median(name, "seconds"),
                "with_start_and_end": self._median(name, "whole"),
                "processor_seconds": self._median(name, "processor"),
                "memory_gb": self._median(name, "peak") / GB,
                "loss": self._median(name, "loss"),
            }
            | ({"gpu_memory_gb": gpu / GB} if (gpu := self._median(name, "gpu")) else {})
            for name in self.rounds[0]
        ]

    def _median(self, name: str, figure: str) -> float:
        return median(float(getattr(taken[name], figure)) for taken in self.rounds)

    def ratio(self, figure: str, one: str, other: str) -> float:
        """How many times the figure of `one` is that of `other`."""
        return median(getattr(taken[one], figure) / getattr(taken[other], figure) for taken in self.rounds)

    def faster(self, one: str, other: str) -> float:
        """How many times as many tokens a second `one` does."""
        return self.ratio("seconds", other, one)

    def apart(self, one: str, other: str) -> float:
        """How far the mean losses lie apart, as a share."""
        return abs(self.ratio("loss", one, other) - 1)
