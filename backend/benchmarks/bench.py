"""What every benchmark works with: its settings, its rows, a workspace of its own that is thrown away."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from backend.benchmarks import measured
from backend.benchmarks.measured import Measured
from backend.job import Job
from studio.datasets.importing.steps import import_file
from studio.datasets.store import Dataset
from studio.errors import BadInput
from studio.models import Model
from studio.settings.benchmark import BenchmarkSettings
from studio.settings.importing import ImportSettings
from studio.workspace import Workspace

REAL_DATA = "FLEXTUNE_REAL_DATA"
USUAL = "alpaca_en_demo.json"
SCRATCH = ".benchmark-"
NAME = "rows"  # the dataset in the workspace that is thrown away


class Bench:
    """One benchmark at work.

    Args:
        job: the job that it is.
        scratch: an empty workspace that goes when it ends.
    """

    def __init__(self, job: Job, settings: BenchmarkSettings, scratch: Workspace) -> None:
        self.job = job
        self.settings = settings
        self.scratch = scratch

    @cached_property
    def model(self) -> Model:
        return Model.open(self.job.workspace, self.settings.model)

    def say(self, text: str) -> None:
        """Tells how it goes, and ends it when somebody asked to stop."""
        self.job.stop_if_asked()
        self.job.message(text)

    def run(self, command: list[str], output: Path, *, cwd: Path, env: dict[str, str]) -> Measured:
        """Runs a program, measured, until it ends or somebody asks to stop; see `measured.run`."""
        return measured.run(command, output, cwd=cwd, env=env, should_stop=self.job.should_stop)

    def conversations(self) -> list[list[dict[str, Any]]]:
        """The first rows that are a question and its answer, as lists of messages."""
        found = []
        dataset, version = self._source()
        for row in islice(dataset.rows(version, "train"), 10 * self.settings.rows):
            if row.kind != "text" and (row.kind != "feedback" or row.label == "true"):
                messages = row.conversation()
                # One question, one answer: what every trainer learns from alike.
                if [turn["role"] for turn in messages if turn["role"] != "system"] == ["user", "assistant"]:
                    found.append(messages)
            if len(found) == self.settings.rows:
                return found
        raise BadInput(
            f"The data has too few rows to take {self.settings.rows}.",
            f"{len(found)} of its first training rows are one question with one answer.",
            f"Give --rows {max(4, len(found))}, or other data.",
            field="rows",
        )

    def _source(self) -> tuple[Dataset, int]:
        """The data as a dataset: one of the workspace, or a file brought into the scratch workspace."""
        named = self.settings.data
        if named and named in self.job.workspace.names("datasets"):
            dataset = Dataset.open(self.job.workspace, named)
            return dataset, dataset.latest
        path = Path(named).expanduser() if named else Path(os.environ.get(REAL_DATA, "")) / USUAL
        if not path.is_file():
            raise BadInput(
                "There is no data to measure with.",
                f"“{named}” is neither a dataset nor a file."
                if named
                else f"{REAL_DATA} names no folder with {USUAL}.",
                "Give --data with a dataset's name or a file of examples.",
                field="data",
            )
        self.bring(path, "source")
        dataset = Dataset.open(self.scratch, "source")
        return dataset, dataset.latest

    def bring(self, path: Path, name: str) -> None:
        """Imports a file into the scratch workspace, all of it for training."""
        import_file(self.scratch, ImportSettings(source=[str(path)], name=name, split="train=1", skip_bad=True))

    def folder(self, hint: str) -> Path:
        """A new folder in the scratch workspace."""
        path = self.scratch.jobs / self.scratch.new_id("jobs", hint)
        path.mkdir()
        return path

    def dataset(self, conversations: list[list[dict[str, Any]]]) -> str:
        """The name of a dataset in the scratch workspace with these conversations as its training rows."""
        if NAME not in self.scratch.names("datasets"):
            path = self.scratch.root / "jobs" / "rows.json"
            path.write_text(json.dumps([{"messages": messages} for messages in conversations]), encoding="utf-8")
            self.bring(path, NAME)
        return NAME


@contextmanager
def bench(job: Job, settings: BenchmarkSettings) -> Iterator[Bench]:
    """A benchmark with its scratch workspace, in which the model, if there is one, appears under its own name."""
    for left in job.workspace.jobs.glob(f"*/{SCRATCH}*"):  # of those that were killed: only one runs at a time
        shutil.rmtree(left, ignore_errors=True)
    with TemporaryDirectory(prefix=SCRATCH, dir=job.folder) as folder:
        scratch = Workspace.open(Path(folder))
        found = Bench(job, settings, scratch)
        if settings.model in job.workspace.names("models"):
            shutil.copytree(found.model.path, scratch.models / settings.model, copy_function=_link)
        yield found


def _link(source: str, target: str) -> None:
    """A second name for the file where the disk can do that; a copy elsewhere."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
