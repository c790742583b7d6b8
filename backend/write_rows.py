"""Writes more rows after rows that are there: `python -m backend.write_rows FOLDER`, by a model of this machine.

They arrive in the review queue bit by bit, so a stop or a crash keeps what was written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

from backend.job import Job, StopRequested, run_job
from studio.datasets import writing
from studio.datasets.additions import Additions
from studio.datasets.store import Dataset
from studio.datasets.versions.empty import begin
from studio.datasets.writing import Screen, Task, Unwritten
from studio.errors import BadInput, NotFound
from studio.libraries import heavy_imports
from studio.settings.base import check
from studio.settings.writing import WriteSettings

TOKENS = 400
CHUNK = 16
Turns = list[dict[str, Any]]
Write = Callable[[Sequence[Turns], Sequence[int]], list[str]]  # each conversation has a seed of its own


def main(job: Job) -> dict[str, Any]:
    """Writes what the settings say, by a model of the workspace."""
    return write_all(job, settings_of(job), local_writer)


def settings_of(job: Job) -> WriteSettings:
    return check(
        WriteSettings, {key: value for key, value in job.settings.items() if key != "job"}, "This can't be written."
    )


def write_all(job: Job, settings: WriteSettings, make: Callable[[Job, WriteSettings], Write]) -> dict[str, Any]:
    """The whole of it; `make` gives the function that answers conversations."""
    dataset = Dataset.open(job.workspace, settings.dataset)
    fits(dataset, settings)
    chosen = writing.parents(dataset, settings.rows, settings.count, settings.seed)
    target = place(job, settings, dataset)
    additions = Additions(target.folder)
    others = () if target.name == dataset.name else writing.screened(target)
    job.progress(0, None, "rows", "looking at the rows that are there")
    screen = Screen(chain(writing.screened(dataset), others, additions.rows().values()))
    why: Counter[str] = Counter()
    tasks = list(_tasks(settings, chosen, why))
    if not tasks:
        reason = why.most_common(1)[0][0] if why else "there are none"
        raise BadInput(
            f"None of the {len(chosen):,} rows can be written after in this way.",
            f"Of most of them: {reason}.",
            "Choose another way, or other rows.",
            field="way",
        )
    write = make(job, settings)
    added = 0
    for start in range(0, len(tasks), CHUNK):
        job.progress(start, len(tasks), "rows", f"writing; {added:,} wait for review")
        chunk = tasks[start : start + CHUNK]
        seeds = range(settings.seed + start, settings.seed + start + len(chunk))
        drafts = list(_drafts(chunk, write, seeds, why, job.should_stop))
        kept, left_out = screen.keep(drafts)
        why.update(left_out)
        added += len(additions.add(kept, f"{settings.way} by {writing.made_by(settings)}"))
        if job.should_stop():
            raise StopRequested(into=target.name, added=added, left_out=dict(why))
    job.progress(len(tasks), len(tasks), "rows", "done")
    return {
        "dataset": dataset.name,
        "into": target.name,
        "tried": len(tasks),
        "added": added,
        "left_out": dict(why),
        "seed": settings.seed,
    }


def fits(dataset: Dataset, settings: WriteSettings) -> None:
    """Raises BadInput when the way makes no sense for rows of that kind."""
    kind = dataset.version_info()["kind"]
    if settings.way not in writing.ways(kind):
        raise BadInput(
            f"“{dataset.name}” can't be written after by way of {settings.way}.",
            f"Its rows are of the kind “{kind}”.",
            f"Ways for these: {', '.join(writing.ways(kind))}.",
            field="way",
        )


def place(job: Job, settings: WriteSettings, dataset: Dataset) -> Dataset:
    """The dataset in whose queue the rows will wait.

    Raises:
        BadInput: its rows are of another kind than those to be written.
    """
    kind = dataset.version_info()["kind"]
    made = "chat" if settings.way == "questions" else kind
    name = settings.into or (f"{dataset.name}-questions"[:64] if kind == "text" else dataset.name)
    if name == dataset.name and made == kind:
        return dataset
    target = begin(job.workspace, name, f"questions about “{dataset.name}”")
    if target.version_info()["kind"] != made:
        raise BadInput(
            f"“{name}” can't take these rows.",
            f"It holds rows of another kind ({target.version_info()['kind']} instead of {made}).",
            "Name another dataset, or a new one.",
            field="into",
        )
    return target


def _tasks(settings: WriteSettings, rows: Sequence[Any], why: Counter[str]) -> Iterator[Task]:
    for row in rows:
        for _ in range(settings.each):
            try:
                yield writing.task(
                    settings.way, row, made_by=writing.made_by(settings), guidance=settings.guidance,
                    language=settings.language,
                )  # fmt: skip
            except Unwritten as reason:
                why[str(reason)] += 1


def _drafts(
    tasks: Sequence[Task], write: Write, seeds: Sequence[int], why: Counter[str], should_stop: Callable[[], bool]
) -> Iterator[Any]:
    """The drafts of some tasks, each led through its steps."""
    said = [""] * len(tasks)
    for step in range(max(len(task.steps) for task in tasks)):
        if should_stop():
            return
        said = write([task.steps[step](before) for task, before in zip(tasks, said, strict=True)], seeds)
    for task, answer in zip(tasks, said, strict=True):
        try:
            yield task.draft(answer)
        except Unwritten as reason:
            why[str(reason)] += 1


def local_writer(job: Job, settings: WriteSettings) -> Write:
    """A model of the workspace, or the tuned one of a run."""
    with heavy_imports():
        from backend.engine.conversation import Prompt
        from backend.engine.engine import Engine
        from backend.engine.weights import BASE
        from backend.tuned import TUNED, open_tuned
        from studio.settings.answering import Generation

    job.event("loading", item=settings.writer)
    if settings.writer in job.workspace.names("models"):
        folder = job.workspace.folder("models", settings.writer)
        engine = Engine(folder, device=settings.device, threads=settings.threads, tell=job.message)
        weights = BASE
    elif settings.writer in job.workspace.names("runs"):
        engine, weights = open_tuned(job.workspace, settings.writer).engine(settings, job.message), TUNED
    else:
        raise NotFound(
            f"There is no writer “{settings.writer}”.",
            "It is neither a model nor a run of this workspace.",
            "Name one of those, or give an address.",
            field="writer",
        )

    def write(prompts: Sequence[Turns], seeds: Sequence[int]) -> list[str]:
        options = Generation(temperature=settings.temperature, max_new_tokens=TOKENS)
        asked = [Prompt(messages=messages, seed=seed) for messages, seed in zip(prompts, seeds, strict=True)]
        found = engine.answer(asked, weights, options, should_stop=job.should_stop, cut=True)
        return [answer.text if answer.finish == "stop" else "" for answer in found]

    return write


if __name__ == "__main__":
    run_job(main)
