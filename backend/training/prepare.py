"""From rows to updates: tokens kept in a memory-mapped file, and the passes of each update made when it is due."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from datasets.arrow_writer import ArrowWriter

from backend.job import Job
from backend.training.loss import Pass
from backend.training.ranks import Ranks
from studio import events, wording
from studio.batches.encode import Encoded, Report, encode_rows, encode_stream
from studio.batches.pack import pack
from studio.batches.plan import Plan, best_fit, share
from studio.batches.tokenizer import ModelTokenizer, load_tokenizer
from studio.datasets.rows import Row
from studio.datasets.store import Dataset
from studio.errors import StudioError
from studio.files import read_json, whole_folder, write_json
from studio.models import Model
from studio.settings.train import Sft, TrainSettings

CACHE = "cache"
FEATURES = datasets.Features(
    {
        "row_id": datasets.Value("string"),
        "ids": datasets.List(datasets.Value("int32")),
        "labels": datasets.List(datasets.Value("int32")),
        "cut": datasets.Value("int32"),
        "special": datasets.List(datasets.Value("bool")),
    }
)


class Rows:
    """Encoded rows in a memory-mapped file: memory stays flat however many there are.

    Args:
        data: what `encode` wrote.
        report: what became of the rows.
    """

    def __init__(self, data: datasets.Dataset, report: Report) -> None:
        self.data = data.with_format("arrow")
        self.report = report
        self.lengths: npt.NDArray[np.int64] = np.concatenate(
            [pa.compute.list_value_length(part).to_numpy() for part in data.data.column("ids").chunks]
        ).astype(np.int64)

    def __len__(self) -> int:
        return len(self.lengths)

    def take(self, numbers: list[int]) -> list[Encoded]:
        """The rows of these numbers."""
        table = self.data[numbers]
        columns = [table.column(name) for name in FEATURES]
        return [
            Encoded(
                row_id=row_id.as_py(),
                ids=ids.values.to_numpy(),
                labels=labels.values.to_numpy(),
                cut=cut.as_py(),
                special=special.values.to_numpy(zero_copy_only=False),
            )
            for row_id, ids, labels, cut, special in zip(*columns, strict=True)
        ]

    def names(self, numbers: npt.NDArray[np.int64]) -> pa.Array:
        """The row ids of these numbers."""
        return self.data.data.column("row_id").take(pa.array(numbers)).combine_chunks()


@dataclass(frozen=True)
class Update:
    """What is learned from at once: this process's passes, with the numbers of their rows.

    `tokens`, `trained` (learned tokens) and `rows` are those of all processes. A pass without numbers only keeps step
    with the others where the model is divided over them, and teaches nothing.
    """

    passes: list[tuple[list[int], Pass]]
    tokens: int
    trained: int
    rows: int


class Updates(torch.utils.data.Dataset[Update]):
    """The run as a sequence: item n is update n, made when it is asked for."""

    def __init__(self, rows: Rows, plan: Plan, ranks: Ranks) -> None:
        self.rows = rows
        self.plan = plan
        self.ranks = ranks

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, step: int) -> Update:
        if self.ranks.count > 1:
            return self._shared(step)
        passes = [(numbers, self._line(numbers)) for numbers in self.plan.updates(step)]
        return Update(
            passes,
            tokens=sum(line.ids.numel() for _, line in passes),
            trained=sum(len(line.targets) for _, line in passes),
            rows=sum(len(numbers) for numbers, _ in passes),
        )

    def _line(self, numbers: list[int]) -> Pass:
        return Pass.of(pack(self.rows.take(numbers)))

    def _shared(self, step: int) -> Update:
        """This process's part of update `step`."""
        plan, lengths, every = self.plan, self.rows.lengths, self.plan.rows(step)
        shares = [best_fit(rows, lengths, plan.tokens_per_pass) for rows in share(every, lengths, self.ranks.count)]
        passes = [(numbers, self._line(numbers)) for numbers in shares[self.ranks.index]]
        if self.ranks.sharded:
            missing = max(map(len, shares)) - len(passes)
            passes += [([], self._line(every[:1]))] * missing
        trained = sum(row.trained for row in self.rows.take(every))
        return Update(passes, tokens=int(lengths[every].sum()), trained=trained, rows=len(every))


@dataclass(frozen=True)
class Validation:
    """Held-out rows: in passes for the loss, and some of them as conversations for sample answers."""

    passes: list[Pass]
    rows: int
    samples: list[Row]


def tokenizer_of(job: Job, settings: TrainSettings, model: Model) -> ModelTokenizer:
    """The tokenizer with the run's template; templates that print the date see the day the run was made."""
    made = events.read_state(job.folder).created
    return load_tokenizer(model.path, settings.template, datetime.fromtimestamp(made))


def prepare(
    job: Job, settings: TrainSettings, tokenizer: ModelTokenizer, packs: bool, ranks: Ranks | None = None
) -> Updates:
    """The updates of the run; tells what became of the rows in the `preflight` event.

    Args:
        packs: whether rows may share a pass; see `load.Loaded`.
        ranks: the processes that train together; None for one.

    Raises:
        Refused: no row has anything to learn.
        StopRequested: somebody asked to stop meanwhile.
    """
    rows = _encoded(job, settings, tokenizer)
    plan = Plan(
        rows.lengths,
        batch_size=settings.batch_size or 1,
        tokens_per_pass=(settings.tokens_per_pass or 1) if packs else 1,
        epochs=settings.epochs or 1.0,
        max_steps=settings.max_steps,
        seed=settings.seed,
    )
    _tell(job, rows.report, plan, packs, settings.cutoff)
    return Updates(rows, plan, ranks or Ranks())


def _encoded(job: Job, settings: TrainSettings, tokenizer: ModelTokenizer) -> Rows:
    """The training rows as tokens; those of an interrupted life of the run are taken as they are."""
    cache = job.folder / CACHE
    if not cache.exists():
        dataset = Dataset.open(job.workspace, settings.dataset)
        source = _followed(job, dataset.rows(settings.version, "train"), dataset.counts(settings.version)["train"])
        with whole_folder(cache) as partial:
            report = _write(partial / "train.arrow", tokenizer, source, settings)
            write_json(partial / "report.json", asdict(report))
    data = datasets.Dataset.from_file(str(cache / "train.arrow"))
    return Rows(data, Report(**read_json(cache / "report.json")))


def _write(path: Path, tokenizer: ModelTokenizer, source: Iterator[Row], settings: TrainSettings) -> Report:
    report = Report()
    with ArrowWriter(path=str(path), features=FEATURES) as writer:
        for row in encode_stream(tokenizer, source, report, loss_on=loss_on(settings), cutoff=settings.cutoff or 1):
            writer.write(
                {"row_id": row.row_id, "ids": row.ids, "labels": row.labels, "cut": row.cut, "special": row.special}
            )
        report.check()
        writer.finalize()
    return report


def _followed(job: Job, source: Iterator[Row], total: int) -> Iterator[Row]:
    for done, row in enumerate(source, 1):
        if done % 256 == 0:
            job.stop_if_asked(step=0)
        job.progress(done, total, "rows", "Turning rows into tokens:")
        yield row


def loss_on(settings: TrainSettings) -> Any:
    return settings.objective.loss_on if isinstance(settings.objective, Sft) else "all"


def _tell(job: Job, report: Report, plan: Plan, packs: bool, cutoff: int | None) -> None:
    job.event(
        "preflight",
        rows=report.rows,
        sequences=report.sequences,
        tokens=report.tokens,
        trained_tokens=report.trained_tokens,
        cut_rows=report.cut_rows,
        rows_without_training=report.nothing,
        longest=report.longest,
        steps=len(plan),
    )
    if report.nothing:
        row_id, why = next(iter(report.reasons.items()))
        job.message(f"{report.nothing} of {report.rows} rows train nothing and are left out. Row {row_id}: {why}")
    if report.cut_rows:
        verb = "is" if report.cut_rows == 1 else "are"
        job.message(
            f"{report.cut_rows:,} of {report.rows:,} rows {verb} longer than the cut-off of {cutoff} tokens: "
            f"{wording.count(report.cut_tokens, 'token')} at the end of them will not be learned. To learn them too, "
            "raise the cut-off in a new run (--cutoff), or shorten the rows."
        )
    if not packs:
        job.message("This model mixes rows that share a line, so each row goes through it alone, which is slower.")


def validation(job: Job, settings: TrainSettings, tokenizer: ModelTokenizer, packs: bool) -> Validation | None:
    """The first `eval_rows` validation rows, or None when there are none with anything to learn."""
    if not settings.eval_rows:
        job.message("The validation loss is switched off, so the last state is kept, not the best.")
        return None
    dataset = Dataset.open(job.workspace, settings.dataset)
    rows = list(islice(dataset.rows(settings.version, "validation"), settings.eval_rows))
    try:
        encoded, _ = encode_rows(tokenizer, rows, loss_on=loss_on(settings), cutoff=settings.cutoff or 1)
    except StudioError as error:
        job.message(f"There is no validation loss, so the last state is kept, not the best. {error.what} {error.why}")
        return None
    encoded = encoded[: settings.eval_rows]  # a long text is several
    room = (settings.tokens_per_pass or 1) if packs else 1
    lengths = np.array([len(row) for row in encoded])
    passes = [Pass.of(pack([encoded[n] for n in numbers])) for numbers in best_fit(range(len(encoded)), lengths, room)]
    used = {row.row_id for row in encoded}
    samples = [row for row in rows if row.row_id in used and row.kind != "text"][: settings.samples]
    return Validation(passes, len(encoded), samples)
