"""The benchmarks: what each is for, and how its result is told.

Each is a module of `backend/benchmarks` with the name given here (dashes are underscores there) and a

    measure(bench: Bench) -> Result

It prints ratios, both sides measured in turns on the machine at hand, because seconds alone say nothing elsewhere.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

BENCHMARKS = {
    "speed": "training here, fast and lean: share of the processor's peak, and what the losses of the rows cost",
    "llama-factory": "training against LLaMA-Factory at its defaults, in an environment of its own",
    "trl": "training against TRL's SFTTrainer, at its defaults and packed",
    "flat": "whether a token costs the same among 100 rows and 100,000, at step 10 and step 10,000",
    "import": "an import and its index at 10 thousand, 100 thousand and a million rows; how long a page of it takes",
}
# Where its module can't bear its name: `import` is a keyword.
MODULES = {"import": "importing"}


@dataclass(frozen=True)
class Bar:
    """One figure that has to be reached.

    Args:
        what: what was compared, in words.
        value: what was measured.
        wanted: the least, or with `at_most` the most, that it should be.
    """

    what: str
    value: float
    wanted: float
    at_most: bool = False

    @property
    def reached(self) -> bool:
        return self.value <= self.wanted if self.at_most else self.value >= self.wanted

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"value": round(self.value, 4), "reached": self.reached}


@dataclass
class Result:
    """What a benchmark found: lines of a table for each side, and the bars.

    Attributes:
        sides: for each side its figures, as `{"side": "fast", "tokens_per_second": …}`.
        facts: whatever else is worth keeping, by name.
    """

    sides: list[dict[str, Any]] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {"sides": self.sides, "bars": [bar.as_dict() for bar in self.bars], "facts": self.facts}


def module(name: str) -> str:
    """The module of `backend` that measures it."""
    return f"backend.benchmarks.{MODULES.get(name, name.replace('-', '_'))}"
