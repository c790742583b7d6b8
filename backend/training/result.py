"""What a run leaves to be used: adapter/, written whole."""

from __future__ import annotations

import shutil
import statistics
from pathlib import Path

from backend.job import Job
from backend.training import prepare, report
from backend.training.checkpoints import Checkpoint, Checkpoints
from backend.training.report import Figures
from studio import events
from studio.batches.tokenizer import ModelTokenizer
from studio.errors import StudioError
from studio.files import whole_folder
from studio.jobs.folder import SETTINGS
from studio.models import Model
from studio.settings import defaults
from studio.settings.train import TrainSettings

FOLDER = "adapter"
# Updates whose loss is held against each other at the end, and how much higher is clearly higher.
BEFORE, LEAST_LAST, MOST_LAST = 3, 5, 50
CLEARLY = 1.5
TOKENIZER = ("tokenizer*", "special_tokens_map.json", "added_tokens.json", "chat_template*", "vocab.*", "merges.txt")
# Files of a resume point that only going on needs.
STATES = ("optimizer*", "scheduler.pt", "rng_state*.pth", "trainer_state.json", "checkpoint.json")
SHARDED_STATES = ("pytorch_model_fsdp*", "global_step*", "latest", "zero_to_fp32.py")


def choose(job: Job, kept: Checkpoints, figures: Figures, settings: TrainSettings) -> Checkpoint:
    """The resume point whose weights become the result: the best by validation loss, or the last."""
    best = figures.best if settings.keep_best else None
    if best and best[0] != figures.step:
        try:
            found = kept.open(kept.path(best[0]))
        except StudioError as error:
            job.message(
                f"The best weights, of step {best[0]}, can't be used: {error.why} The last ones are the result."
            )
        else:
            job.message(
                f"The weights of step {best[0]} are the result: their validation loss of {best[1]:.4f} is the lowest."
            )
            return found
    return kept.open(kept.path(figures.step))


def warn(job: Job, figures: Figures, settings: TrainSettings, parameters: int) -> list[str]:
    """What speaks against the result, told as messages too.

    Args:
        parameters: of the model.
    """
    found = []
    if figures.best and figures.start is not None and figures.best[1] >= figures.start:
        found.append(
            f"The validation loss never fell below the {figures.start:.4f} from before the training: nothing useful "
            "was learned. Try a lower learning rate, or look at the rows."
        )
    if risen := rise([line["loss"] for line in events.steps(job.folder)[0]]):
        rate, (usual, _) = settings.learning_rate or 0.0, defaults.learning_rate(settings.method.name, parameters)
        found.append(
            f"The training loss ended at about {risen[1]:.2f}, clearly above the {risen[0]:.2f} it began with: the "
            f"weights moved too far, most often because the learning rate of {rate:g} is too high. Start again with a "
            f"lower one, such as {usual if usual < rate else rate / 5:.1g} (--learning-rate)."
        )
    for text in found:
        job.message(text)
    return found


def rise(losses: list[float]) -> tuple[float, float] | None:
    """The loss that updates began and ended with, where the training did harm; None where it did not, or nobody knows.

    The first three updates are before the harm. Of the last fifth three in four are worse than all of these, and their
    median is by half: chance does that in one of forty runs that learn nothing from one row at a time, and of more rows
    at a time in hardly any.
    """
    first, last = losses[:BEFORE], losses[-min(MOST_LAST, max(LEAST_LAST, len(losses) // 5)) :]
    if len(losses) < 2 * LEAST_LAST:
        return None
    began, ended = statistics.median(first), statistics.median(last)
    worse = statistics.quantiles(last, n=4)[0] > max(first)
    return (began, ended) if worse and ended > CLEARLY * began else None


def write_result(
    folder: Path, checkpoint: Checkpoint, model: Model, settings: TrainSettings, tokenizer: ModelTokenizer
) -> None:
    """The weights of a resume point with the run's settings and the tokenizer beside them, as `folder`/adapter.

    Args:
        folder: the run's; an adapter it has from an earlier stop is replaced.
    """
    place = folder / FOLDER
    old = folder / f".{FOLDER}.old.partial"
    with whole_folder(folder / f".{FOLDER}.new.partial") as partial:
        for file in checkpoint.path.iterdir():
            if not any(file.match(state) for state in STATES + SHARDED_STATES):
                shutil.copy2(file, partial / file.name)
        for pattern in TOKENIZER:
            for path in model.path.glob(pattern):
                if path.is_file() and path.suffix != ".gguf":
                    shutil.copy2(path, partial / path.name)
        if settings.template:
            (partial / "chat_template.jinja").write_text(tokenizer.templates["default"], encoding="utf-8")
        shutil.copy2(folder / SETTINGS, partial / SETTINGS)
    if place.exists():
        place.rename(old)
    (folder / f".{FOLDER}.new.partial").rename(place)
    shutil.rmtree(old, ignore_errors=True)


def tidy(folder: Path) -> None:
    """Drops what only going on needed: the run is finished."""
    report.drop_parts(folder)
    shutil.rmtree(folder / prepare.CACHE, ignore_errors=True)
