"""The benchmarks: what each is for, the one shape of what they find, and the table that is printed of it.

Each is a module of `backend/benchmarks` with the name given here (dashes are underscores there) and a

    measure(bench: Bench) -> Result

It prints ratios, both sides measured in turns on the machine at hand, because seconds alone say nothing elsewhere.

`launch.py benchmark NAME --json` gives one object:

    format    1, the number of this shape
    name      which benchmark; date, as 2026-11-22; machine, in words
    versions  of Python, of the packages that were measured and of the other trainers, by name
    settings  those it was run with: data, model, rows, rounds
    sides     a list, one object for each side: `side`, its name, and its figures; the unit is in the figure's name
    bars      a list of objects: `what` was measured, its `value`, the `wanted` one, whether that is the most it may be
              (`at_most`) or the least, and whether it was `reached`
    facts     further figures by name

Such an object, kept in assets/benchmarks, becomes a table of the README: python -m studio.settings.docs
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from studio import migrate

KEPT = Path(__file__).resolve().parents[1] / "assets" / "benchmarks"
BENCHMARKS = {
    "start": "the page: its first byte, until it can be used, its memory, and the first word of a comparison",
    "pages": "open pages: what five cost beside a training, how soon a step is drawn, how soon a long run opens",
    "speed": "training here, fast and lean: share of the processor's peak, and what the losses of the rows cost",
    "llama-factory": "training against LLaMA-Factory at its defaults, in an environment of its own",
    "trl": "training against TRL's SFTTrainer, at its defaults and packed",
    "gradients": "loss and gradients of every row against those of TRL's SFTTrainer in float32",
    "flat": "whether a token costs the same in real runs among 100 rows and 100,000, at step 10 and step 10,000",
    "import": "10 thousand, 100 thousand and a million rows: the import, its index, first rows, pages and searches",
}
# How many rows are taken where nobody says; each row of `gradients` costs its whole batch on both sides, twice.
ROWS = 64
FEWER_ROWS = {"gradients": 8}
OWN_ROWS = ("start", "pages", "flat", "import")  # these make theirs up,
OWN_MODEL = ("flat", "import")  # have a model of their own or need none,
ONE_ROUND = ("import",)  # or look at each thing once
WIDEST = 9  # columns of a table; where a side has more figures, each figure is a line
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
        return asdict(self) | {"value": self.value, "reached": self.reached}


@dataclass
class Result:
    """What a benchmark found: lines of a table for each side, and the bars.

    Attributes:
        sides: for each side its figures, as `{"side": "fast", "tokens_per_second": …}`.
        facts: whatever else is worth keeping, by name.
        versions: of what was measured besides our own packages, by name.
    """

    sides: list[dict[str, Any]] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {"sides": self.sides, "bars": [bar.as_dict() for bar in self.bars], "facts": self.facts}


def kept() -> list[dict[str, Any]]:
    """The results in assets/benchmarks, in the order of BENCHMARKS and of their files' names."""
    found = [migrate.load(path, "benchmark") for path in sorted(KEPT.glob("*.json"))]
    return sorted(found, key=lambda result: list(BENCHMARKS).index(result["name"]))


def markdown(result: dict[str, Any]) -> str:
    """What the command prints and the README keeps: where and with what, the sides, the bars, the further figures."""
    parts = [
        f"**{result['name']}**: {_circumstances(result)}.",
        _sides(result["sides"]),
        _rows(["Measured", "Wanted", "Reached", "What"], [_bar(bar) for bar in result["bars"]]),
        ", ".join(f"{_title(name)}: {_cell(value)}" for name, value in result["facts"].items()),
    ]
    return "\n\n".join(part for part in parts if part)


def _circumstances(result: dict[str, Any]) -> str:
    """When, where and with what."""
    name, settings = result["name"], result["settings"]
    with_what = [
        "" if name in OWN_MODEL else f"model {settings['model']}",
        "rows of its own" if name in OWN_ROWS else f"{settings['rows']} rows of {settings['data']}",
        "" if name in ONE_ROUND else f"rounds: {settings['rounds']}",
    ]
    packages = ", ".join(f"{package} {version}" for package, version in result["versions"].items())
    return "; ".join([result["date"], result["machine"], packages, ", ".join(filter(None, with_what))])


def _sides(sides: list[dict[str, Any]]) -> str:
    """A line for each side; of many figures, a line for each of these and a column for each side."""
    figures = list(dict.fromkeys(key for side in sorted(sides, key=len, reverse=True) for key in side))
    columns = [[_title(key), *(_cell(side.get(key)) for side in sides)] for key in figures]
    lines = columns if len(figures) > WIDEST else [list(line) for line in zip(*columns, strict=True)]
    return _rows(lines[0], lines[1:]) if lines else ""


def _rows(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) if rows else ""


def _title(name: str) -> str:
    words = name.replace("_gb", "_GB").replace("gflops", "GFLOP/s").replace("_", " ")
    return words[:1].upper() + words[1:]


def _cell(value: Any) -> str:
    """Four digits that count, thousands apart; what is tiny with its power of ten."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1e}" if 0 < abs(value) < 0.001 else f"{value:.4g}"


def _bar(bar: dict[str, Any]) -> list[str]:
    wanted = f"at {'most' if bar['at_most'] else 'least'} {_cell(bar['wanted'])}"
    return [_cell(bar["value"]), wanted, "yes" if bar["reached"] else "no", bar["what"]]


def module(name: str) -> str:
    """The module of `backend` that measures it."""
    return f"backend.benchmarks.{MODULES.get(name, name.replace('-', '_'))}"
