"""What would happen if this run were started: every problem and warning at once, and the figures behind them.

The rows are put through the very code that makes the batches. A large set is judged by a sample spread over it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from studio import runs, wording
from studio.errors import BadInput, NotFound, Refused, StudioError
from studio.machine import Machine, machine
from studio.models import Model
from studio.settings import defaults
from studio.settings.train import Sharded, Single, TrainSettings
from studio.workspace import Workspace

if TYPE_CHECKING:
    from studio.batches.survey import Survey, Surveys

NO_CUTOFF = 1 << 20
FEW_UPDATES = 30
FEW_ROWS = 50
MUCH_CUT = 0.05
LONG_HOURS = 12
# Learning rates outside of these rarely train: factors around the one that would be chosen.
RATE_RANGE = (1 / 30, 30)


@dataclass(frozen=True)
class Problem:
    """One thing a person should know before Start; an error stands in its way."""

    level: Literal["error", "warning"]
    what: str
    why: str = ""
    next: str = ""
    field: str | None = None

    @property
    def text(self) -> str:
        return " ".join(part for part in (self.what, self.why, self.next) if part)


@dataclass
class Preflight:
    """What was found. `settings` has no open choice any more, `reasons` says why each was made."""

    settings: TrainSettings
    problems: list[Problem] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    steps: int | None = None

    @property
    def errors(self) -> list[Problem]:
        return [problem for problem in self.problems if problem.level == "error"]

    def refuse_errors(self) -> None:
        """Raises Refused with all errors, in the words of the first when it is the only one."""
        if not self.errors:
            return
        first = self.errors[0]
        if len(self.errors) == 1:
            raise Refused(first.what, first.why, first.next, field=first.field)
        every = " ".join(f"{number}. {problem.text}" for number, problem in enumerate(self.errors, 1))
        raise Refused(
            f"{len(self.errors)} things stand in the way of this run.",
            every,
            "Correct them and start again.",
            field=first.field,
        )

    def as_dict(self) -> dict[str, Any]:
        return {
            "problems": [asdict(problem) for problem in self.problems],
            "facts": self.facts,
            "settings": self.settings.plain(),
            "reasons": self.reasons,
            "steps": self.steps,
        }

    def add(self, level: Literal["error", "warning"], error: StudioError) -> None:
        self.problems.append(Problem(level, error.what, error.why, error.next, error.field))

    def warn(self, what: str, why: str, next: str, field: str | None = None) -> None:  # noqa: A002
        self.problems.append(Problem("warning", what, why, next, field))


def preflight(workspace: Workspace, settings: TrainSettings, here: Machine | None = None) -> Preflight:
    """Looks at data, model, machine and settings together; changes nothing."""
    here = here or machine(workspace.root)
    found = Preflight(settings)
    dataset, counts, version = _dataset(workspace, found)
    model = _model(workspace, found)
    device = _device(found, here)
    if dataset is None or model is None:
        return found
    rows = counts.get("train", 0)
    found.facts |= {"rows": rows, "validation_rows": counts.get("validation", 0), "test_rows": counts.get("test", 0)}
    try:
        rows_read = _surveys().of(dataset, version, model.path, settings.template, _loss_on(settings))
    except StudioError as error:
        found.add("error", error)
        return found
    report = rows_read.report(settings.cutoff or model.context or NO_CUTOFF)
    resolved = defaults.resolve(
        settings,
        defaults.Facts(
            rows=max(1, rows - round(report.nothing * rows_read.scale)),
            longest=report.longest,
            text=rows_read.text,
            version=version,
            parameters=model.parameters,
            context=model.context,
            device=device,
            cores=here.cores,
            gpus=len(here.gpus),
        ),
    )
    found.settings, found.reasons = resolved.settings, resolved.reasons
    goal = resolved.settings.objective
    if rows_read.text != (goal is not None and goal.name == "pretraining"):
        found.add("error", _wrong_goal(rows_read.text))
    _rows(found, rows_read, rows, model)
    _steps(found)
    _spread(found, device, here)
    _cost(found, model, device, here, runs.usual_speed(workspace, found.settings))
    return found


@lru_cache(maxsize=1)
def _surveys() -> Surveys:
    """Made at first use: preflight is imported by commands that read no rows."""
    from studio.batches.survey import Surveys

    return Surveys()


def _dataset(workspace: Workspace, found: Preflight) -> tuple[Any, dict[str, int], int]:
    from studio.datasets.store import Dataset

    try:
        dataset = Dataset.open(workspace, found.settings.dataset)
        version = found.settings.version or dataset.latest
        counts = dataset.counts(version)
    except StudioError as error:
        error.field = "dataset"
        found.add("error", error)
        return None, {}, 0
    if not counts.get("train"):
        found.add(
            "error",
            BadInput(
                f"“{found.settings.dataset}” has no rows to train on.",
                f"Its rows are all held out: {counts}.",
                "Import it again with another split.",
                field="dataset",
            ),
        )
        return None, counts, version
    return dataset, counts, version


def _model(workspace: Workspace, found: Preflight) -> Model | None:
    try:
        return Model.open(workspace, found.settings.model)
    except StudioError as error:
        error.field = "model"
        if isinstance(error, NotFound):
            error.why = "It is not in the workspace yet."
            error.next = f"Add it: launch.py models add {found.settings.model}"
        found.add("error", error)
        return None


def _device(found: Preflight, here: Machine) -> str:
    wanted = found.settings.device
    if wanted == "cuda" and not here.gpus:
        found.add(
            "error",
            Refused("There is no GPU here.", f"{here.summary()}.", "Choose the device auto or cpu.", field="device"),
        )
        return "cpu"
    if wanted != "auto":
        return wanted
    return "cuda" if here.gpus else "cpu"


def _loss_on(settings: TrainSettings) -> Any:
    return getattr(settings.objective, "loss_on", "all")


def _wrong_goal(text: bool) -> StudioError:
    if text:
        return BadInput(
            "Raw text has no answers to learn.",
            "The goal is supervised fine-tuning (sft), and the rows of this dataset are plain text.",
            "Choose continued pretraining as the goal, or a dataset with answers.",
            field="objective",
        )
    return BadInput(
        "These rows are conversations.",
        "The goal is continued pretraining, which goes on with raw text.",
        "Choose supervised fine-tuning (sft) as the goal, or a dataset of raw text.",
        field="objective",
    )


def _rows(found: Preflight, rows_read: Survey, rows: int, model: Model) -> None:
    """The account of the rows at the cut-off that will be used."""
    settings, facts = found.settings, found.facts
    if settings.cutoff and model.context and settings.cutoff > model.context:
        found.add(
            "error",
            BadInput(
                f"A cut-off of {settings.cutoff} tokens is too long for this model.",
                f"It reads at most {model.context} tokens at a time.",
                f"Choose {model.context} or less.",
                field="cutoff",
            ),
        )
        return
    report, scale = rows_read.report(settings.cutoff or NO_CUTOFF), rows_read.scale
    seen = max(1, report.rows)
    facts |= {
        "sampled": scale > 1,
        "tokens": round(report.tokens * scale),
        "trained_tokens": round(report.trained_tokens * scale),
        "sequences": max(1, round(report.sequences * scale)),
        "longest": report.longest,
        "cut_share": round(report.cut_rows / seen, 4),
        "rows_without_training": round(report.nothing * scale),
    }
    try:
        report.check()
    except StudioError as error:
        error.field = "cutoff"
        found.add("error", error)
        return
    if report.nothing:
        row_id, why = next(iter(report.reasons.items()))
        found.warn(
            f"{wording.count(facts['rows_without_training'], 'row')} would train nothing and are left out.",
            f"Row {row_id}: {why}",
            "Look at them, or raise the cut-off.",
            "cutoff",
        )
    if facts["cut_share"] > MUCH_CUT:
        found.warn(
            f"{facts['cut_share']:.0%} of the rows are cut off at {settings.cutoff} tokens.",
            f"{wording.number(report.cut_tokens * scale)} tokens at their ends are not learned.",
            "Raise the cut-off, or shorten the rows.",
            "cutoff",
        )
    if rows < FEW_ROWS:
        found.warn(
            f"{wording.count(rows, 'training row')} is very little.",
            "A task usually takes some hundred examples; with so few the model learns them by heart.",
            "Add more rows when you can.",
            "dataset",
        )
    _held_out(found)


def _held_out(found: Preflight) -> None:
    if not found.facts["validation_rows"]:
        found.warn(
            "There are no validation rows.",
            "Whether the model learns or only remembers can't be watched, and the last state is kept, not the best.",
            "Import the file again with --split, giving validation a share.",
            "dataset",
        )
    if not found.facts["test_rows"]:
        found.warn(
            "There are no held-out test rows.",
            "There will be no proof that the tuned model is better.",
            "Import the file again with --split, giving test a share.",
            "dataset",
        )


def _steps(found: Preflight) -> None:
    settings, facts = found.settings, found.facts
    rows = facts.get("sequences") or facts["rows"]
    batch = settings.batch_size or 1
    found.steps = settings.max_steps or defaults.total_steps(rows, batch, settings.epochs or 1.0)
    facts["steps"] = found.steps
    if found.steps < FEW_UPDATES:
        found.warn(
            f"{wording.count(found.steps, 'update')} is too few to learn anything.",
            f"The weights change {found.steps} times in the whole run.",
            "Give more passes (epochs) or a smaller batch size.",
            "max_steps" if settings.max_steps else "epochs",
        )


def _spread(found: Preflight, device: str, here: Machine) -> None:
    """Whether this machine has what the run is to be spread over."""
    spread = found.settings.spread
    if spread is None or isinstance(spread, Single):
        return
    count, room = spread.processes or 2, len(here.gpus) if device == "cuda" else here.cores
    noun = "GPU" if device == "cuda" else "core"
    if isinstance(spread, Sharded):
        for error in _unable_to_shard(found.settings, spread, device):
            found.add("error", error)
    if count > room:
        words = f"{count} processes are more than this machine can run."
        advice = f"Choose {room} or fewer." if room > 1 else "Choose single."
        found.add("error", Refused(words, f"It has {wording.count(room, noun)}.", advice, field="spread.processes"))
    if count > (found.settings.batch_size or 1):
        found.warn(
            f"{count} processes share {wording.count(found.settings.batch_size or 1, 'row')} an update.",
            "Some of them have nothing to do.",
            "Raise the batch size, or take fewer processes.",
            "batch_size",
        )


def _unable_to_shard(settings: TrainSettings, spread: Sharded, device: str) -> Iterator[Refused]:
    name = str(getattr(spread, "name", ""))
    if device != "cuda":
        yield Refused(
            f"{name} divides a model over several GPUs, and there are none here.",
            "On a CPU all processes share one memory, so nothing would be won.",
            "Choose ddp or single.",
            field="spread",
        )
    if settings.method.name == "qlora" and name in ("fsdp", "zero3"):
        yield Refused(
            f"{name} can't divide weights of few bits.",
            "qlora keeps them packed, in a form that is not split.",
            "Choose lora with it, or ddp with qlora.",
            field="method",
        )
    if name.startswith("zero") and find_spec("deepspeed") is None:
        yield Refused(
            f"{name} needs the package deepspeed.",
            "It is not installed.",
            "Run launch.py setup --extra deepspeed, or choose fsdp.",
            field="spread",
        )


def _cost(found: Preflight, model: Model, device: str, here: Machine, pace: float | None) -> None:
    from studio.estimate import Shape, estimate

    settings, facts = found.settings, found.facts
    usual, _ = defaults.learning_rate(settings.method.name, model.parameters)
    low, high = (usual * factor for factor in RATE_RANGE)
    if settings.learning_rate and not low <= settings.learning_rate <= high:
        small = settings.learning_rate < low
        found.warn(
            f"A learning rate of {settings.learning_rate:g} is unusually {'small' if small else 'large'}.",
            "Hardly anything would be learned." if small else "The loss is likely to jump and may never recover.",
            f"The usual one here is {usual:g}.",
            "learning_rate",
        )
    if settings.method.name == "qlora" and device == "cpu":
        found.warn(
            "qlora is slow without a GPU.",
            "It saves memory; on a CPU each step takes about a third longer.",
            "Choose lora unless memory is short.",
            "method",
        )
    config = json.loads((model.path / "config.json").read_text(encoding="utf-8"))
    shape = Shape.read(config, model.parameters)
    sequences = max(1, facts.get("sequences") or facts["rows"])
    tokens = facts.get("tokens") or 0
    share = (facts.get("trained_tokens") or 0) / max(1, tokens)
    cost = estimate(settings, shape, tokens / sequences, share, found.steps or 1, device, pace)
    free = (max(gpu.memory for gpu in here.gpus) if device == "cuda" else here.memory_available) / 1e9
    facts |= {"memory_gb": cost.memory_gb, "memory_parts_gb": cost.parts, "free_gb": round(free, 2)}
    facts["seconds"] = cost.seconds
    if cost.memory_gb > free:
        found.warn(
            f"This run needs about {cost.memory_gb:.1f} GB of memory.",
            f"{free:.1f} GB are free.",
            "Lower the tokens at once or the cut-off, switch on recomputation, or take a smaller model.",
            "tokens_per_pass",
        )
    if cost.seconds and cost.seconds > LONG_HOURS * 3600:
        found.warn(
            f"This run will take about {wording.duration(cost.seconds)}.",
            f"This machine's CPU has {here.cores} cores.",
            "Take fewer rows or passes, or a smaller model.",
            "max_steps" if settings.max_steps else "epochs",
        )
    _disk(found, shape, here)


def _disk(found: Preflight, shape: Any, here: Machine) -> None:
    settings = found.settings
    trained = shape.parameters if settings.method.name == "full" else shape.adapter(settings.method.rank)
    # Weights and Adam's two moments in each resume point, the best one and the one being written; and the result.
    needed = trained * 4 * (3 * (settings.keep_checkpoints + 2) + 1)
    found.facts["disk_gb"] = round(needed / 1e9, 3)
    if needed > here.disk_free:
        found.add(
            "error",
            Refused(
                "The disk has too little room for this run.",
                f"It needs {wording.size(needed)}; {wording.size(here.disk_free)} are free.",
                "Free some space, or keep fewer resume points.",
                field="keep_checkpoints",
            ),
        )
