"""A trial of a run: usual updates and its longest pass, through the very loop that trains, with nothing kept.

    python -m backend.training.trial FOLDER once|twice     FOLDER is that of the job `fit`; parts are computed so often

Tells in metrics.jsonl: the step lines of the loop, and `trial` lines with the highest memory so far, or what failed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from backend.job import Job, in_words
from backend.keeper import quit_with
from backend.leash import tie_to_parent
from backend.training.settings import needs_bitsandbytes
from studio.batches.encode import Encoded, Report, encode_stream
from studio.batches.plan import Plan, largest_pass
from studio.batches.survey import looked_at
from studio.batches.tokenizer import load_tokenizer
from studio.datasets.store import Dataset
from studio.libraries import do_without_bitsandbytes, heavy_imports
from studio.machine import peak_memory
from studio.models import Model
from studio.settings.base import check
from studio.settings.train import Single, TrainSettings, processes

if __name__ == "__main__" and not needs_bitsandbytes(Path(sys.argv[1])):
    do_without_bitsandbytes()  # as the run does, whose memory is to be known

with heavy_imports():
    import torch
    import transformers

    from backend.training import calibrate, load, prepare
    from backend.training.checkpoints import Checkpoints, Identity
    from backend.training.prepare import Update, Updates
    from backend.training.trainer import RunTrainer

# On a GPU: what CUDA itself and the kernels take, which torch does not count.
CUDA_CONTEXT = 600_000_000
NEVER = 10_000_000


class Held:
    """Some rows in memory, in place of `prepare.Rows`."""

    def __init__(self, rows: list[Encoded]) -> None:
        self.rows = rows
        self.lengths = np.array([len(row) for row in rows], np.int64)

    def take(self, numbers: list[int]) -> list[Encoded]:
        return [self.rows[number] for number in numbers]

    def names(self, numbers: npt.NDArray[np.int64]) -> pa.Array:
        return pa.array([self.rows[number].row_id for number in numbers])


class Three(Updates):
    """Of a plan the update of middle size, one of the longest pass, and the former again, whose time counts.

    The first one makes Adam's moments. The longest pass is that of any order of the rows, so that what is measured
    holds for every seed and however often the rows are gone through. Where an update can have several passes it goes
    through twice, as the gradients of those before it are held.

    Args:
        rows: those of the plan, and after them others that may be in the longest pass.
    """

    def __init__(self, rows: Any, plan: Plan) -> None:
        super().__init__(rows, plan, prepare.Ranks())
        self.longest = largest_pass(rows.lengths, plan.batch_size, plan.tokens_per_pass)
        fullest = np.sort(rows.lengths)[-plan.batch_size :]
        self.times = 2 if len(fullest) > 1 and fullest.sum() > plan.tokens_per_pass else 1
        sizes = sorted(range(len(plan)), key=lambda step: int(rows.lengths[plan.rows(step)].sum()))
        self.usual = sizes[len(sizes) // 2]

    def __len__(self) -> int:
        return 3

    def __getitem__(self, step: int) -> Update:
        if step != 1:
            return super().__getitem__(self.usual)
        line, times = self._line(self.longest), self.times
        tokens, trained, rows = line.ids.numel(), len(line.targets), len(self.longest)
        return Update([(self.longest, line)] * times, tokens * times, trained * times, rows * times)


class Trial(RunTrainer):
    """The loop without resume points."""

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Nothing of a trial is kept."""


def run(job: Job, settings: TrainSettings) -> None:
    """Loads, and learns from three updates."""
    torch.set_num_threads(settings.threads or 1)
    settings, onednn = calibrate.suited(job.workspace, settings, load.choose_device(settings.device))
    transformers.set_seed(settings.seed)
    transformers.logging.disable_progress_bar()
    model = Model.open(job.workspace, settings.model)
    job.event("loading", item=f"the model {model.name}", bytes=model.size)
    tokenizer = load_tokenizer(model.path, settings.template)
    loaded = load.load(settings, model, onednn)
    job.metrics.append("trial", stage="loaded", memory=memory())
    dataset = Dataset.open(job.workspace, settings.dataset)
    total, report = dataset.counts(settings.version)["train"], Report()
    spread, longest = (
        list(encode_stream(tokenizer, rows, report, loss_on=prepare.loss_on(settings), cutoff=settings.cutoff or 1))
        for rows in looked_at(dataset, settings.version or dataset.latest, total)
    )
    report.check()
    held = Held([*spread, *longest])
    room = (settings.tokens_per_pass or 1) if loaded.packs else 1
    updates = Three(held, Plan(held.lengths[: len(spread)], settings.batch_size or 1, room, seed=settings.seed))
    kept = Checkpoints(job.folder, Identity.of(job.folder.name, settings, loaded.device), 1)
    job.message(f"Trying {len(updates.longest)} rows at once, the longest pass there can be, and usual steps.")
    Trial(job, settings, loaded, updates, None, kept, None).run(None)
    job.metrics.append("trial", stage="trained", memory=memory())


def memory() -> int:
    """The highest bytes so far: of the GPU where one trains, else of this process."""
    if torch.cuda.is_initialized():
        return torch.cuda.max_memory_reserved() + CUDA_CONTEXT
    return peak_memory()


def alone(settings: TrainSettings) -> TrainSettings:
    """What one of its processes does, without checks and resume points."""
    count = processes(settings.spread)
    share = {"threads": max(1, (settings.threads or 1) // count), "batch_size": -(-(settings.batch_size or 1) // count)}
    never = {"spread": Single(), "eval_steps": NEVER, "save_steps": NEVER, "max_steps": 3, "epochs": None}
    return settings.model_copy(update=share | never)


def main() -> int:
    tie_to_parent()
    job = Job(Path(sys.argv[1]).resolve())
    given = {**job.settings["settings"], "recompute": sys.argv[2] == "twice"}
    settings = check(TrainSettings, given)
    try:
        run(job, alone(settings))
    except Exception as error:
        job.metrics.append("trial", stage="failed", memory=memory(), **in_words(error).as_dict())
        return 1
    return 0


if __name__ == "__main__":
    quit_with(main())
