"""What a run leaves to be used: adapter/, written whole."""

from __future__ import annotations

import shutil
from pathlib import Path

from backend.job import Job
from backend.training import prepare, report
from backend.training.checkpoints import Checkpoint, Checkpoints
from backend.training.report import Figures
from studio.batches.tokenizer import ModelTokenizer
from studio.errors import StudioError
from studio.files import whole_folder
from studio.jobs.folder import SETTINGS
from studio.models import Model
from studio.settings.train import TrainSettings

FOLDER = "adapter"
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
            _warn(job, figures)
            return found
    _warn(job, figures)
    return kept.open(kept.path(figures.step))


def _warn(job: Job, figures: Figures) -> None:
    if figures.best and figures.start is not None and figures.best[1] >= figures.start:
        job.message(
            f"The validation loss never fell below the {figures.start:.4f} from before the training: nothing useful "
            "was learned. Try a lower learning rate, or look at the rows."
        )


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
