"""Suggestions that fill a reviewer's form: what a tuned model or its base answered, or what a rule says.

A source is named

    evaluation:ID:tuned    the answers of an evaluation, by row id (also …:base)
    predict:ID             the answers of a predict job over a file with a column `row_id`, as a dataset's download has
    live:RUN:tuned         the run's model, asked about each row while somebody looks at it (also …:base)
    rules                  the rules of the guidelines
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from studio import evaluations, runs
from studio.datasets.reading.archives import DEEPEST
from studio.datasets.reading.readers import open_reader
from studio.datasets.reading.records import Reading
from studio.datasets.reviewing.guidelines import Guidelines, Rule
from studio.datasets.rows import Row
from studio.datasets.store import Dataset, connect
from studio.errors import NotFound, StudioError
from studio.jobs import folder as job_folder
from studio.scores import normalise
from studio.workspace import Workspace

RULES, LIVE = "rules", "live"
KEY = "row_id"
TOGETHER = 1000  # rows that are compared at once
# What predict writes is never packed, so nothing is unpacked for what stands in its place.
PLAIN = Reading(depth=DEEPEST)


def sources(workspace: Workspace, dataset: Dataset, found: Guidelines) -> list[dict[str, str]]:
    """Where suggestions for this dataset's rows can come from, each with `id` and `title`, newest first."""
    listed = [{"id": RULES, "title": "Rules of the guidelines"}] if found.rules else []
    for item in evaluations.list_evaluations(workspace):
        if item["status"] == "finished" and item.get("dataset") == dataset.name:
            about = f"{item['run_name']} on {item['split']} rows"
            listed += [
                {"id": f"evaluation:{item['id']}:{side}", "title": f"{words} of {about}"}
                for side, words in (("tuned", "Tuned model"), ("base", "Base"))
            ]
    for name in reversed(workspace.names("jobs")):
        if answers := _predicted(workspace, name):
            listed.append({"id": f"predict:{name}", "title": f"Answers in {answers.name}"})
    return listed + _live(workspace, dataset)


def _live(workspace: Workspace, dataset: Dataset) -> list[dict[str, str]]:
    """The models of runs on this dataset; a base stands there once, with the newest run that has it."""
    listed, bases = [], set()
    for name in reversed(workspace.names("runs")):
        if not (workspace.runs / name / "adapter").is_dir():
            continue
        run = runs.summary(workspace.runs / name)
        if run.status == "broken" or run.dataset != dataset.name:
            continue
        listed.append({"id": f"{LIVE}:{name}:tuned", "title": f"Tuned model of {run.title}, asked now"})
        if run.model not in bases:
            bases.add(run.model)
            listed.append({"id": f"{LIVE}:{name}:base", "title": f"Base {run.model}, asked now"})
    return listed


def suggested(workspace: Workspace, source: str, rows: list[Row], found: Guidelines) -> dict[str, str]:
    """Row id → the answer, or the label, suggested for it.

    Raises:
        NotFound: there is no such source.
    """
    if source == RULES:
        return {row.row_id: label for row in rows if (label := by_rules(row, found.rules)) is not None}
    if source.startswith(f"{LIVE}:"):
        return {}  # the page asks the model itself, row by row
    given = answers(workspace, source)
    return {row.row_id: given[row.row_id] for row in rows if row.row_id in given}


def by_rules(row: Row, rules: list[Rule]) -> str | None:
    """The label of the first rule of which a word stands in what was said to the model."""
    said = "\n".join(str(turn.get("content") or "") for turn in row.messages or []) + (row.text or "")
    said = said.casefold()
    return next((rule.label for rule in rules if any(word.casefold() in said for word in rule.words)), None)


def as_label(answer: str, labels: list[str]) -> str | None:
    """The label that an answer names, whatever its case and outer space."""
    wanted = normalise(answer).casefold()
    return next((label for label in labels if normalise(label).casefold() == wanted), None)


def unlike(workspace: Workspace, source: str, dataset: Dataset, found: Guidelines) -> Iterator[str]:
    """The rows whose label or answer is not the one that a source suggests."""
    rows = dataset.rows()
    while batch := list(islice(rows, TOGETHER)):
        given = suggested(workspace, source, batch, found)
        for row in batch:
            if row.row_id in given:
                text = given[row.row_id]
                label = as_label(text, [row.label or ""])
                if (row.label is not None and label is None) or (row.label is None and text != answer_of(row)):
                    yield row.row_id


def answer_of(row: Row) -> str:
    """What a row answers last, "" for none."""
    turns = row.chosen or row.messages or []
    return str(turns[-1].get("content") or "") if turns and turns[-1]["role"] == "assistant" else ""


def answers(workspace: Workspace, source: str) -> dict[str, str]:
    """All answers of an evaluation or a predict job, by row id."""
    kind, _, rest = source.partition(":")
    name, _, side = rest.partition(":")
    if kind == "evaluation" and side in ("tuned", "base"):
        path = evaluations.predictions(workspace.folder("evaluations", name))
        return _evaluated(path, path.stat().st_mtime_ns, side)
    if kind == "predict" and (output := _predicted(workspace, name)):
        return _from_file(output, output.stat().st_mtime_ns)
    raise NotFound(f"There are no suggestions “{source[:80]}”.", "", "Choose another source of suggestions.")


@lru_cache(maxsize=4)
def _evaluated(path: Path, changed: int, side: str) -> dict[str, str]:
    with connect() as connection:
        return dict(connection.execute(f"SELECT row_id, {side} FROM read_parquet(?)", [str(path)]).fetchall())


def _predicted(workspace: Workspace, name: str) -> Path | None:
    """The output of a finished predict job whose file names rows by id."""
    folder = workspace.jobs / name
    try:
        settings = job_folder.read_settings(folder)
        if settings.get("job") != "predict" or job_folder.status(folder) != "finished":
            return None
        output = Path(str(settings["output"]))
        return output if output.is_file() and _has_ids(output, output.stat().st_mtime_ns) else None
    except (StudioError, OSError, KeyError):
        return None


@lru_cache(maxsize=64)
def _has_ids(path: Path, changed: int) -> bool:
    first: dict[str, Any] = next((record.values for record in open_reader(path, PLAIN).records() if record.values), {})
    return KEY in first and "answer" in first


@lru_cache(maxsize=4)
def _from_file(path: Path, changed: int) -> dict[str, str]:
    records = (record.values or {} for record in open_reader(path, PLAIN).records())
    return {str(values[KEY]): str(values["answer"]) for values in records if values.get("answer") and values.get(KEY)}
