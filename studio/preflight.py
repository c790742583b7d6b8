"""What would happen if this run were started: every problem and warning at once, and the figures behind them.

The rows are put through the very code that makes the batches. A large set is judged by a sample spread over it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from studio import calibration, costs, headroom, measurement, recomputation, wording
from studio.errors import BadInput, NotFound, Refused, StudioError
from studio.machine import Machine
from studio.models import Model
from studio.prospect import Preflight
from studio.settings import defaults
from studio.settings.train import TrainSettings
from studio.statistics import FEWEST_ROWS
from studio.workspace import Workspace

if TYPE_CHECKING:
    from studio.batches.encode import Report
    from studio.batches.survey import Survey, Surveys

NO_CUTOFF = 1 << 20
FEW_UPDATES = 30
FEW_ROWS = 50
MUCH_CUT = 0.05


def preflight(
    workspace: Workspace, settings: TrainSettings, here: Machine | None = None, had: dict[str, Any] | None = None
) -> Preflight:
    """Looks at data, model, machine and settings together; changes nothing.

    Args:
        here: the machine; None for this one, as the run will find it when its turn comes.
        had: the memory with which a run of these settings ran out, as in its `failed` event.
    """
    found = Preflight(settings, had=had)
    if here is None:
        here, found.held = headroom.at_turn(workspace)
    dataset, counts, version = _dataset(workspace, found)
    model = _model(workspace, found)
    device = _device(found, here)
    if dataset is None or model is None:
        return found
    rows = counts.get("train", 0)
    found.facts |= {"rows": rows, "validation_rows": counts.get("validation", 0), "test_rows": counts.get("test", 0)}
    _leaks(found, dataset, version)
    _unfrozen(found, dataset, version)
    try:
        rows_read = _surveys().of(dataset, version, model.path, settings.template, _loss_on(settings))
    except StudioError as error:
        found.add("error", error)
        return found
    report = rows_read.report(settings.cutoff or model.context or NO_CUTOFF)
    speeds = calibration.read(workspace, settings.threads or here.cores) if device == "cpu" else None
    needs_gb = costs.needs_gb(model, report, device, speeds, here.bfloat16)
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
            gpus=len(here.usable_gpus),
            alike=len(here.alike_gpus),
            gpu=here.gpus[0].name if here.gpus else "",
            looked_at=rows_read.looked_at if rows_read.longest else None,
            filling=speeds.tokens if speeds else None,
            free_gb=lambda spread: costs.free_gb(here, device, spread),
            needs_gb=needs_gb,
        ),
    )
    found.settings, found.reasons = resolved.settings, resolved.reasons
    _recomputation(workspace, found, here, device, needs_gb)
    goal = resolved.settings.objective
    if rows_read.text != (goal is not None and goal.name == "pretraining"):
        found.add("error", _wrong_goal(rows_read.text))
    _rows(found, rows_read, rows, model)
    _steps(found)
    costs.look(workspace, found, rows_read, model, device, here, speeds)
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
    usable, wanted = here.device == "cuda", found.settings.device
    if wanted == "cuda" and not usable:
        what, why, advice = "There is no GPU here.", f"{here.summary()}.", "Choose the device auto or cpu."
        if here.hindrance:
            what, why = "The GPU can't be used.", here.hindrance.why
            advice = f"Choose the device auto or cpu. To use the GPU: {here.hindrance.next}"
        found.add("error", Refused(what, why, advice, field="device"))
    elif wanted == "auto" and here.hindrance:
        found.warn(
            f"The GPU ({here.gpus[0].name}) can't be used, so this run would train on the CPU, which is much slower.",
            here.hindrance.why,
            f"{here.hindrance.next} To go on without it, choose the device cpu.",
            "device",
        )
    return "cuda" if usable and wanted != "cpu" else "cpu"


def _recomputation(
    workspace: Workspace, found: Preflight, here: Machine, device: str, needs_gb: Callable[[TrainSettings], float]
) -> None:
    """Chooses it, where nobody did; last of all, as the memory it is held against depends on every other choice."""
    settings = found.settings
    if settings.recompute is not None:
        return
    free, where = costs.free_gb(here, device, settings.spread), measurement.place(here, device, settings)
    choice = recomputation.choose(
        settings, free, needs_gb, lambda other: measurement.known(workspace, other, where, free)
    )
    found.settings = settings.model_copy(update={"recompute": choice.on})
    found.reasons["recompute"], found.doubtful = choice.why, choice.doubtful


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
        "cut_rows": rows_read.cut_rows(settings.cutoff or NO_CUTOFF),
        "cut_share": round(report.cut_rows / seen, 4),
        "rows_without_training": round(report.nothing * scale),
    }
    try:
        report.check()
    except StudioError as error:
        error.field = "cutoff"
        found.add("error", error)
        return
    _left_out(found, rows_read, report)
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


def _left_out(found: Preflight, rows_read: Survey, report: Report) -> None:
    """Rows that would train nothing: those that no cut-off helps, and those whose answers are beyond it."""
    never = rows_read.report(NO_CUTOFF)
    late = {row_id: why for row_id, why in report.reasons.items() if row_id not in never.reasons}
    advice = "Give such rows an answer, leave them out, or choose a model whose chat template has a place for them."
    for count, reasons, todo, field in (
        (never.nothing, never.reasons, advice, "dataset"),
        (report.nothing - never.nothing, late, "Raise the cut-off, or shorten the rows.", "cutoff"),
    ):
        if not count:
            continue
        rows = round(count * rows_read.scale)
        row_id, why = next(iter(reasons.items()), ("", ""))  # reasons are kept of the first rows only, of either kind
        found.warn(
            f"{wording.count(rows, 'row')} would train nothing and {'is' if rows == 1 else 'are'} left out.",
            f"One of them: {why}" if row_id else "The answer begins beyond the cut-off.",
            todo,
            field,
            _row_link(found, row_id) if row_id else None,
        )


def _row_link(found: Preflight, row_id: str) -> tuple[str, str]:
    return f"tab=data&dataset={quote(found.settings.dataset)}&row={quote(row_id)}", "Look at that row"


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
    elif found.facts["test_rows"] < FEWEST_ROWS:
        name = found.settings.dataset
        found.warn(
            f"{wording.count(found.facts['test_rows'], 'held-out test row')} will give no verdict.",
            f"From fewer than {FEWEST_ROWS} rows nobody can tell whether the tuned model is better than its base.",
            f"Give the test side {FEWEST_ROWS} rows or more, on the dataset’s page or with launch.py split {name}, and "
            "freeze a version; or go on without a verdict.",
            "dataset",
            (f"tab=data&dataset={quote(name)}&part=split", "Split it anew"),
        )


def _unfrozen(found: Preflight, dataset: Any, version: int) -> None:
    """What people changed and no version has: after a file was imported anew this may be all they ever did."""
    from studio.datasets.reviewing.reviews import Reviews

    waiting = Reviews(dataset).unfrozen() if version == dataset.latest else 0
    if waiting:
        found.warn(
            f"{wording.count(waiting, 'change')} of this dataset {'is' if waiting == 1 else 'are'} not trained on.",
            f"A run reads a version, and version {version} does not have what was edited, left out, moved to another "
            "side or added since it was made.",
            f"Freeze a version first, on the dataset’s page or with launch.py freeze {dataset.name}.",
            "dataset",
            (f"tab=data&dataset={quote(dataset.name)}", "Look at the dataset"),
        )


def _leaks(found: Preflight, dataset: Any, version: int) -> None:
    """What the last check of the split found, where there was one."""
    from studio.datasets.splitting import leaks

    known = leaks.known(dataset, version)
    if known and not known["clean"]:
        found.warn(
            "This split is not clean.",
            f"{wording.count(known['crossing'], 'group')} of rows that belong together stand on more than one side, so "
            "the score would flatter the model.",
            f"Split it anew, on the dataset’s page or with launch.py split {dataset.name}, and freeze a version.",
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
            f"{wording.count(found.steps, 'step')} is too few to learn anything.",
            f"The weights change {found.steps} times in the whole run.",
            "Give more steps, or leave this empty to go by passes."
            if settings.max_steps
            else "Give more passes (epochs) or a smaller batch size.",
            "max_steps" if settings.max_steps else "epochs",
        )
