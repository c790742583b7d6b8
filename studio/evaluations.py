"""Evaluations on disk: what there is, the verdict in plain words, the rows paged, searched and taken away."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from studio import migrate, runs, wording
from studio.errors import NotFound, Refused, StudioError
from studio.jobs import folder as job_folder
from studio.jobs import queue
from studio.settings.answering import EvaluateSettings
from studio.settings.base import check
from studio.statistics import FEWEST_ROWS, no_interval
from studio.workspace import Workspace, broken

VERDICT = "verdict.json"
PREDICTIONS = "predictions.parquet"
BLOCK = 256 << 10
SIDES = ("test", "validation", "train")
Show = Literal["all", "better", "worse", "same"]
Metric = Literal["exact_match", "token_f1"]
FIELDS = (
    "row_id", "prompt", "expected", "base", "tuned", "base_exact_match", "tuned_exact_match", "base_token_f1",
    "tuned_token_f1", "base_finish", "tuned_finish", "base_weights", "tuned_weights", "prompt_cut",
)  # fmt: skip


@dataclass(frozen=True)
class Rows:
    """Some rows of an evaluation, and how many match in all and by what became of them."""

    rows: list[dict[str, Any]]
    total: int
    counts: dict[str, int]


def start(workspace: Workspace, given: dict[str, Any]) -> Path:
    """An evaluation in the queue; it starts when the device is free.

    Raises:
        NotFound, Refused: the run is gone, has no weights, or its dataset has no row to ask.
    """
    settings = check(EvaluateSettings, given, "This evaluation can't be started.")
    run = runs.open_run(workspace, settings.run)
    runs.weights(run)
    held = held_out(workspace, run)
    if not held.get(settings.split):
        others = [side for side in SIDES if held.get(side)]
        raise Refused(
            f"There are no {settings.split} rows to evaluate on.",
            "The dataset that this run learned from keeps none of that kind apart.",
            f"Choose the {others[0]} rows instead, or import the file again and keep some rows for the test."
            if others
            else "Import the file again and keep some rows for the test, then train on that.",
            field="split",
        )
    plain = settings.model_copy(update={"run": run.name}).model_dump(mode="json")
    folder = job_folder.create(workspace, "evaluate", plain, run.name[16:48])
    queue.advance(workspace)
    return folder


def held_out(workspace: Workspace, run: Path) -> dict[str, int]:
    """How many rows of each side the run's version has; {} when its dataset is gone."""
    from studio.datasets.store import Dataset

    try:
        settings = job_folder.read_settings(run)
        counts = Dataset.open(workspace, str(settings["dataset"])).counts(settings.get("version"))
    except (StudioError, OSError, KeyError):
        return {}
    return {side: counts.get(side, 0) for side in SIDES}


def list_evaluations(workspace: Workspace) -> list[dict[str, Any]]:
    """All evaluations, newest first; one that can't be read has `error` with the reason, and hides no other."""
    return [summary(workspace, workspace.evaluations / name) for name in reversed(workspace.names("evaluations"))]


def summary(workspace: Workspace, folder: Path) -> dict[str, Any]:
    """One evaluation: its run, what was asked, its status, and with a verdict its figures and their meaning."""
    try:
        settings = job_folder.read_settings(folder)
        state, status = job_folder.look(folder)
        found: dict[str, Any] = {
            "id": folder.name,
            "run": str(settings.get("run") or ""),
            "split": settings.get("split", "test"),
            "limit": settings.get("limit"),
            "status": status,
            "created": state.created,
            "ended": state.ended,
            "seconds": state.worked,
            "error": state.error,
            "messages": [str(line["text"]) for line in state.messages if line.get("text")],
        }
        if status == "finished":
            verdict = migrate.load(folder / VERDICT, "verdict")
            found |= {"rows": verdict["rows"], "metrics": _metrics(verdict)}
            found["verdict"] = in_words(verdict, found["split"])
    except (StudioError, OSError, KeyError, TypeError) as error:
        return {"id": folder.name, "run": "", "status": "broken", "error": broken(error), "run_name": ""}
    return found | _about_run(workspace, found["run"])


def _metrics(verdict: dict[str, Any]) -> dict[str, Any]:
    """The figures as they are on disk, each with `no_interval`: "" or why its interval is not to be shown."""
    return {
        name: figures | {"no_interval": no_interval(int(verdict["rows"]), figures["low"], figures["high"])}
        for name, figures in verdict["metrics"].items()
    }


def _about_run(workspace: Workspace, run: str) -> dict[str, Any]:
    folder = workspace.runs / run
    if not run or not folder.is_dir():
        return {"run_name": runs.spoken(run), "run_there": False, "dataset": "", "model": ""}
    told = runs.summary(folder)
    return {"run_name": told.title, "run_there": True, "dataset": told.dataset, "model": told.model}


# ---- What the figures mean ----


def in_words(verdict: dict[str, Any], split: str = "test") -> dict[str, str]:
    """The verdict of both metrics together.

    Returns:
        `word`: better, worse, mixed or can't tell; `sentence`: what the rows show; `caution`: "" or why to take it
        with a grain of salt; `base`: `on_few_bits`.
    """
    exact, near = verdict["metrics"]["exact_match"], verdict["metrics"]["token_f1"]
    word = _word(exact["verdict"], near["verdict"])
    rows = int(verdict["rows"])
    unseen = "it never trained on" if split != "train" else "it trained on"
    right = (
        f"The tuned model gives exactly the expected answer on {wording.number(round(exact['tuned'] * rows))} of "
        f"{wording.count(rows, 'row')} {unseen}, its base on {wording.number(round(exact['base'] * rows))}."
    )
    return {
        "word": word,
        "sentence": f"{right} {_meaning(word, exact, near, rows)}",
        "caution": CAUTIONS.get(split, ""),
        "base": on_few_bits(verdict),
    }


def on_few_bits(verdict: dict[str, Any]) -> str:
    """That both answered on a base in few bits, as it was while the run learned; "" where it was whole."""
    if not verdict.get("bits"):
        return ""
    return (
        f"Both answered on the base in {verdict['bits']} bits, as in training; an export is whole and may differ a "
        "little."
    )


CAUTIONS = {
    "train": "These rows were trained on: this shows what the model memorised, not how it answers new questions.",
    "validation": "The training looked at these rows to choose its best step, so they may flatter it a little.",
}


def _word(exact: str, near: str) -> str:
    """Exact match decides; where it can't tell, the words shared with the expected answer do."""
    if {exact, near} == {"better", "worse"}:
        return "mixed"
    return near if exact == "can't tell" else exact


def _meaning(word: str, exact: dict[str, Any], near: dict[str, Any], rows: int) -> str:
    shares = f"(token F1 {near['tuned']:.0%} against {near['base']:.0%})"
    if word == "mixed":
        turn = ("more", "fewer") if exact["verdict"] == "better" else ("less", "more")
        return f"It is exactly right {turn[0]} often, yet shares {turn[1]} words with the expected answers {shares}."
    if word == "can't tell":
        if rows < FEWEST_ROWS:
            return f"{wording.count(rows, 'row')} are too few to tell from; keep at least {FEWEST_ROWS} for the test."
        return "The difference may well be chance; more held-out rows would tell."
    if exact["verdict"] == word:
        return "That is unlikely to be chance."
    return f"Its answers come {'closer to' if word == 'better' else 'less close to'} the expected ones {shares}."


# ---- Rows ----


def page(
    folder: Path, metric: Metric = "exact_match", show: Show = "all", find: str = "", start: int = 0, limit: int = 25
) -> Rows:
    """Rows that match, those on which base and tuned differ most first and of these the worse ones, then in the
    dataset's order.

    Args:
        metric: which score says better, worse or same.
        show: only rows that became so.
        find: words in the prompt, the expected or a given answer, in any case; or a row id.
    """
    change = f"(tuned_{metric} - base_{metric})"
    where, values = _matching(find)
    outcomes = {"all": "true", "better": f"{change} > 0", "worse": f"{change} < 0", "same": f"{change} = 0"}
    sums = ", ".join(f"count(*) FILTER ({test})" for test in outcomes.values())
    counted = _query(folder, f"SELECT {sums} FROM {{}} WHERE {where}", values)[0]
    counts = dict(zip(outcomes, map(int, counted), strict=True))
    columns = (*FIELDS, "base_seconds", "tuned_seconds")
    found = _query(
        folder,
        f"SELECT {', '.join(columns)}, len(base_tokens), len(tuned_tokens) FROM {{}} "
        f"WHERE {where} AND {outcomes[show]} "
        f"ORDER BY abs({change}) DESC, {change}, abs(tuned_token_f1 - base_token_f1) DESC, file_row_number "
        "LIMIT ? OFFSET ?",
        [*values, max(1, limit), max(0, start)],
    )
    rows = [_row(dict(zip((*columns, "base_tokens", "tuned_tokens"), line, strict=True))) for line in found]
    return Rows(rows, counts[show], counts)


def _matching(find: str) -> tuple[str, list[Any]]:
    """The test that a row holds these words somewhere, with its values."""
    if not find:
        return "true", []
    said = "array_to_string(json_extract_string(prompt, '$[*].content'), chr(10))"
    places = (said, "expected", "base", "tuned", "row_id")
    return "(" + " OR ".join(f"contains(lower({text}), lower(?))" for text in places) + ")", [find] * len(places)


def _row(values: dict[str, Any]) -> dict[str, Any]:
    return values | {"prompt": json.loads(values["prompt"])}


def jsonl(folder: Path) -> Iterator[bytes]:
    """Every row as an object a line, in the dataset's order."""
    for line in _all(folder):
        yield json.dumps(_row(line), ensure_ascii=False).encode() + b"\n"


def table(folder: Path) -> Iterator[bytes]:
    """The same as CSV in UTF-8; a prompt of one question as its text, a conversation as JSON."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, FIELDS, lineterminator="\r\n")
    writer.writeheader()
    yield "\ufeff".encode()  # without it spreadsheet programs take UTF-8 for something else
    for line in _all(folder):
        turns = json.loads(line["prompt"])
        single = len(turns) == 1 and turns[0]["role"] == "user"
        writer.writerow(line | {"prompt": turns[0]["content"] if single else line["prompt"]})
        if buffer.tell() >= BLOCK:
            yield _emptied(buffer)
    yield _emptied(buffer)


def _emptied(buffer: io.StringIO) -> bytes:
    data = buffer.getvalue().encode()
    buffer.seek(0)
    buffer.truncate()
    return data


def _all(folder: Path) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(predictions(folder)) as file:
        for batch in file.iter_batches(batch_size=256, columns=list(FIELDS)):
            yield from batch.to_pylist()


def _query(folder: Path, sql: str, values: list[Any]) -> list[tuple[Any, ...]]:
    from studio.datasets.store import connect

    with connect() as connection:
        table = "read_parquet(?, file_row_number = true)"
        return connection.execute(sql.format(table), [str(predictions(folder)), *values]).fetchall()


def predictions(folder: Path) -> Path:
    """The file of all rows; NotFound while there is none."""
    path = folder / PREDICTIONS
    if not path.is_file():
        raise NotFound(
            "This evaluation has no answers to show.",
            f"It is {job_folder.status(folder)}.",
            "Wait until it ends, or evaluate the run again.",
        )
    return path
