"""The tuned model of a run answers each row of a file.

    python -m backend.predict FOLDER         FOLDER is jobs/ID of a workspace

The output has the file's columns, `answer` and `weights`, and `problem` where rows could not be answered; its form is
that of its name: .jsonl, .csv or .xlsx. Finished answers are kept in a log beside the output, so that the same
command goes on where one was stopped or killed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.engine.conversation import Prompt
from backend.job import Job, StopRequested, run_job
from backend.tuned import TUNED, Tuned, open_tuned
from studio import logs
from studio.datasets.importing.mapping import Mapping, show_columns
from studio.datasets.importing.prompts import Asker
from studio.datasets.importing.turns import BadRow
from studio.datasets.importing.uploads import Uploads
from studio.datasets.reading.readers import columns_of, open_reader, sample
from studio.datasets.reading.records import Reader, Reading
from studio.datasets.saving.tables import WRITERS, Notes
from studio.datasets.store import Dataset
from studio.errors import BadInput, StudioError
from studio.files import whole_file
from studio.settings.answering import PredictSettings
from studio.settings.base import check
from studio.wording import count

if TYPE_CHECKING:
    from backend.engine.engine import Engine

MOST_TOKENS = 512
# Rows are read, sorted by length and answered in windows of so many batches, so that a large file needs no memory.
WINDOW = 16
SHOWN = 5


@dataclass
class Asked:
    """One row: its number in the file (from 0), and its prompt, or why it has none."""

    number: int
    line: int
    prompt: Prompt | None = None
    problem: str = ""


@dataclass
class Given:
    """What came of the rows so far: row number → fields of the log's line."""

    answers: dict[int, dict[str, Any]] = field(default_factory=dict)

    def count(self, key: str, value: Any = None) -> int:
        return sum(1 for line in self.answers.values() if (line.get(key) if value is None else line.get(key) == value))


def main(job: Job) -> dict[str, Any]:
    settings = check(PredictSettings, {key: value for key, value in job.settings.items() if key != "job"})
    source, output = job.folder / settings.file, job.folder / settings.output  # absolute ones stay what they are
    writer = _writer(source, output)
    with Uploads(job.workspace).scratch() as scratch:
        return _predict(job, settings, open_reader(source, Reading(scratch=scratch)), source, output, writer)


def _predict(
    job: Job, settings: PredictSettings, reader: Reader, source: Path, output: Path, writer: Callable[..., None]
) -> dict[str, Any]:
    tuned = open_tuned(job.workspace, settings.run)
    asker = _asker(job, tuned, reader)
    columns, total = _measure(reader)
    job.event("loading", item="the tuned model")
    engine = tuned.engine(settings, job.message)
    options = settings.model_copy(update={"max_new_tokens": settings.max_new_tokens or MOST_TOKENS})
    kept = output.with_name(f"{output.name}.partial.jsonl")
    given = answer_all(job, engine, rows(reader, asker), options, kept, _identity(source, options, engine), total)
    names = {name: _free(name, columns) for name in ("answer", "weights", "problem")}
    notes = Notes()
    with whole_file(output) as partial:
        writer(partial, _table(reader, columns, names, given), settings.escape_formulas, notes)
    kept.unlink()
    _tell(job, given, names, notes)
    answered = len(given.answers) - given.count("problem")
    return {"output": str(output), "rows": total, "answered": answered, "weights": engine.stamps[TUNED]}


def _measure(reader: Reader) -> tuple[list[str], int]:
    """Every column of the file in the order of appearance, and how many rows it has."""
    columns: dict[str, None] = {}
    total = 0
    for record in reader.records():
        total += 1
        columns |= dict.fromkeys(record.values or {})
    return list(columns), total


def _writer(source: Path, output: Path) -> Callable[..., None]:
    writer = WRITERS.get(output.suffix.lower())
    if writer is None:
        raise BadInput(
            f"Answers can't be written as “{output.name}”.",
            f"The name's ending chooses the form, and {output.suffix or 'no ending'} is none of {', '.join(WRITERS)}.",
            f"Name it for example --output {output.stem or 'answers'}.csv.",
            field="output",
        )
    if output.resolve() == source.resolve():
        raise BadInput("The output would replace the file that is read.", "", "Name another --output.", field="output")
    return writer


def _asker(job: Job, tuned: Tuned, reader: Reader) -> Asker:
    """Makes prompts of the file's rows as the run's dataset made them.

    Raises:
        BadInput: the file lacks the columns the prompts are made of.
    """
    dataset = Dataset.open(job.workspace, tuned.settings.dataset)
    asker = Asker(Mapping.model_validate(dataset.version_info(tuned.settings.version)["mapping"]))
    columns = columns_of(sample(reader))
    wanted = asker.asked_columns
    if not any(name in columns for name in wanted):
        raise BadInput(
            f"{reader.path.name} has nothing to ask.",
            f"Prompts are made of {show_columns(wanted)}, as in “{dataset.name}”; it has {show_columns(columns)}.",
            "Name its columns as in the file the run was trained on.",
            field="file",
        )
    return asker


def rows(reader: Reader, asker: Asker) -> Iterator[Asked]:
    """Every row of the file, in order."""
    for number, record in enumerate(reader.records()):
        asked = Asked(number, record.line, problem=record.problem)
        if record.values is not None:
            try:
                asked.prompt = Prompt(*asker.prompt(record.values))
            except BadRow as error:
                asked.problem = str(error)
        yield asked


def answer_all(
    job: Job,
    engine: Engine,
    asked: Iterator[Asked],
    options: PredictSettings,
    kept: Path,
    identity: str,
    total: int,
) -> Given:
    """An answer, or a problem, for every row; what the log at `kept` holds for the same question is not asked again.

    Raises:
        StopRequested: somebody asked to stop; what is finished is kept.
    """
    given = Given(_kept(kept, identity))
    if given.answers:
        job.message(f"{count(len(given.answers), 'row')} answered before; going on with the others.")
    else:
        kept.unlink(missing_ok=True)
    with logs.Log(kept) as log:
        if not given.answers:
            log.append("for", identity=identity)
        while window := list(islice(asked, engine.rows * WINDOW)):
            waiting = [row for row in window if row.number not in given.answers]
            for batch in _batches(engine, waiting, log, given):
                answers = engine.answer(
                    [row.prompt for row in batch if row.prompt], TUNED, options, should_stop=job.should_stop, cut=True
                )
                if job.should_stop():
                    raise StopRequested(rows=len(given.answers), total=total)
                for row, answer in zip(batch, answers, strict=True):
                    fields = {
                        "text": answer.text,
                        "weights": answer.weights,
                        "finish": answer.finish,
                        "cut": answer.cut,
                    }
                    given.answers[row.number] = log.append("answer", row=row.number, **fields)
                job.progress(len(given.answers), total, "rows", "Answering")
    return given


def _kept(path: Path, identity: str) -> dict[int, dict[str, Any]]:
    """The answers in a log that was begun for the same file, weights and options."""
    lines = logs.read(path)[0]
    if not lines or lines[0].get("identity") != identity:
        return {}
    return {line["row"]: line for line in lines[1:] if line.get("type") == "answer"}


def _batches(engine: Engine, waiting: list[Asked], log: logs.Log, given: Given) -> Iterator[list[Asked]]:
    """Rows of about equal length together; those that can't be asked are noted and left out."""
    lengths: dict[int, int] = {}
    for row in waiting:
        try:
            lengths[row.number] = len(engine.encode(row.prompt)) if row.prompt else 0
        except StudioError as error:
            row.prompt, row.problem = None, f"{error.what} {error.why}".strip()
        if row.prompt is None:
            given.answers[row.number] = log.append("answer", row=row.number, problem=row.problem or "it is empty")
    ready = sorted((row for row in waiting if row.prompt), key=lambda row: lengths[row.number])
    for start in range(0, len(ready), engine.rows):
        yield ready[start : start + engine.rows]


def _identity(source: Path, options: PredictSettings, engine: Engine) -> str:
    """What answers depend on: the file's content, the weights and how answers are made."""
    digest = blake2b(digest_size=16)
    with open(source, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    made = options.model_dump_json(exclude={"run", "file", "output", "escape_formulas", "device", "threads"})
    digest.update(f"{engine.stamps[TUNED]} {made}".encode())
    return digest.hexdigest()


def _free(name: str, columns: list[str]) -> str:
    """`name`, or `tuned_name` where the file has a column of that name already."""
    while name in columns:
        name = f"tuned_{name}"
    return name


def _table(
    reader: Reader, columns: list[str], names: dict[str, str], given: Given
) -> tuple[list[str], Iterator[dict[str, Any]]]:
    """The output's columns and its rows; `problem` is a column only where there are any."""
    added = [names["answer"], names["weights"], *([names["problem"]] if given.count("problem") else [])]

    def lines() -> Iterator[dict[str, Any]]:
        for number, record in enumerate(reader.records()):
            answer = given.answers[number]
            values = [answer.get("text"), answer.get("weights"), answer.get("problem")]
            yield (record.values or {}) | dict(zip(added, values, strict=False))

    return [*columns, *added], lines()


def _tell(job: Job, given: Given, names: dict[str, str], notes: Notes) -> None:
    if names["answer"] != "answer":
        job.message(f"The file has a column “answer”; the model's answers are in “{names['answer']}”.")
    for text in notes.texts():
        job.message(text)
    bad = [(number + 1, line["problem"]) for number, line in sorted(given.answers.items()) if line.get("problem")]
    if bad:
        shown = "; ".join(f"row {number}: {problem}" for number, problem in bad[:SHOWN])
        job.message(f"{count(len(bad), 'row')} not answered: {shown}{' …' if len(bad) > SHOWN else ''}.")
    if ended := given.count("finish", "length"):
        job.message(f"{count(ended, 'answer')} cut off at the longest length; allow more with --max-new-tokens.")
    if cut := given.count("cut"):
        job.message(f"{count(cut, 'prompt')} did not fit the model's context; the beginning was left out.")


if __name__ == "__main__":
    run_job(main)
