"""Base and tuned answer the held-out rows of a run; the difference is stated with its uncertainty.

    python -m backend.evaluate FOLDER        FOLDER is evaluations/ID of a workspace

Writes predictions.parquet (a row for each question, both answers and their scores) and verdict.json. Answers are
added to answers.jsonl batch by batch, so that an evaluation that was killed goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.engine.conversation import Prompt
from backend.job import Job, StopRequested, run_job
from backend.tuned import TUNED, Tuned, open_tuned
from studio import logs, migrate
from studio.batches.tokenizer import ModelTokenizer, load_tokenizer
from studio.datasets.importing.prompts import Question, question
from studio.datasets.store import Dataset
from studio.errors import Refused
from studio.files import whole_file
from studio.scores import METRICS
from studio.settings.answering import EvaluateSettings
from studio.settings.base import check
from studio.statistics import compare
from studio.wording import count

if TYPE_CHECKING:
    from backend.engine.engine import Engine

ANSWERS = "answers.jsonl"
PREDICTIONS = "predictions.parquet"
VERDICT = "verdict.json"
MOST_TOKENS = 512
SIDES = ("base", "tuned")

Answered = dict[str, dict[str, Any]]  # side → the fields of an Answer


def main(job: Job) -> dict[str, Any]:
    settings = check(EvaluateSettings, {key: value for key, value in job.settings.items() if key != "job"})
    tuned = open_tuned(job.workspace, settings.run)
    tokenizer = load_tokenizer(tuned.base, tuned.settings.template)
    questions = find_questions(job, tuned, settings, tokenizer)
    options = settings.model_copy(update={"max_new_tokens": longest_answer(job, questions, settings, tokenizer)})
    job.event("loading", item="base and tuned model")
    engine = tuned.engine(settings, job.message)
    answered = answer_all(job, engine, questions, options)
    write_predictions(job.folder / PREDICTIONS, questions, answered)
    verdict = judge(questions, answered)
    if engine.bits:  # without them the base was whole, as in every verdict from before they were told
        verdict["bits"] = engine.bits
    migrate.save(job.folder / VERDICT, "verdict", verdict)
    return verdict


def find_questions(job: Job, tuned: Tuned, settings: EvaluateSettings, tokenizer: ModelTokenizer) -> list[Question]:
    """The rows of the split that have an answer to compare with, in the dataset's order.

    Raises:
        Refused: there are none.
    """
    dataset = Dataset.open(job.workspace, tuned.settings.dataset)
    version = tuned.settings.version or dataset.latest
    found: list[Question] = []
    left_out = 0
    for row in dataset.rows(version, settings.split):
        asked = question(row, tokenizer)
        left_out += asked is None
        if asked is not None:
            found.append(asked)
        if len(found) == settings.limit:
            break
    if not found:
        raise _nothing_to_ask(dataset, version, settings.split, left_out)
    if left_out:
        job.message(f"{count(left_out, 'row')} without an answer to compare with left out.")
    return found


def _nothing_to_ask(dataset: Dataset, version: int, split: str, left_out: int) -> Refused:
    counts = dataset.counts(version)
    others = [side for side in ("validation", "train") if counts[side] and side != split]
    why = f"“{dataset.name}” version {version} has " + ", ".join(f"{n} {side}" for side, n in counts.items()) + " rows"
    if left_out:
        why = f"None of its {count(left_out, 'row')} has an answer to compare with"
    advice = "Import the file again with --split train=0.8,validation=0.1,test=0.1 and train on that"
    if others:
        advice += f", or look at other rows with --split {others[0]}"
    return Refused(f"There are no {split} rows to evaluate on.", f"{why}.", f"{advice}.", field="split")


def longest_answer(job: Job, questions: list[Question], settings: EvaluateSettings, tokenizer: ModelTokenizer) -> int:
    """The most tokens an answer may take: what was set, else room for the longest expected one."""
    longest = max(len(tokenizer.encode(asked.expected)) for asked in questions)
    wanted = longest + max(8, longest // 4)
    room = settings.max_new_tokens or min(wanted, MOST_TOKENS)
    if room <= longest:
        job.message(
            f"Answers are cut off after {room} tokens, but the longest expected one has {longest}: such rows can't "
            "match. Allow longer answers with --max-new-tokens."
        )
    return room


def answer_all(job: Job, engine: Engine, questions: list[Question], options: EvaluateSettings) -> dict[str, Answered]:
    """Both answers to every question, by row id; those an earlier life of this job made with these weights are kept.

    Raises:
        StopRequested: somebody asked to stop; what is finished is kept.
    """
    answered = dict(kept_answers(job.folder / ANSWERS, engine))
    waiting = [asked for asked in questions if asked.row_id not in answered]
    if answered:
        job.message(f"{count(len(questions) - len(waiting), 'row')} answered before; going on with the others.")
    engine.load()
    job.progress(len(questions) - len(waiting), len(questions), "rows", "Answering")
    with logs.Log(job.folder / ANSWERS) as log:
        for batch in batches(engine, waiting):
            prompts = [prompt_of(asked) for asked in batch]
            pairs = engine.pairs(prompts, options, TUNED, should_stop=job.should_stop, cut=True)
            if job.should_stop():
                raise StopRequested(rows=len(answered), total=len(questions))
            for asked, pair in zip(batch, pairs, strict=True):
                answered[asked.row_id] = asdict(pair)
                log.append("pair", row_id=asked.row_id, **answered[asked.row_id])
            job.progress(len(answered), len(questions), "rows", "Answering")
    cut = sum(1 for asked in questions if answered[asked.row_id]["base"]["cut"])
    if cut:
        job.message(f"{count(cut, 'prompt')} did not fit the model's context; the beginning was left out.")
    return answered


def kept_answers(path: Path, engine: Engine) -> Iterator[tuple[str, Answered]]:
    """(row id, answers) of a log, as far as the weights of this engine made them."""
    for line in logs.read(path)[0]:
        if all(line[side]["weights"] == engine.stamps[name] for side, name in zip(SIDES, ("base", TUNED), strict=True)):
            yield line["row_id"], {side: line[side] for side in SIDES}


def batches(engine: Engine, questions: list[Question]) -> Iterator[list[Question]]:
    """Questions of about equal length together, as many as the engine takes at once."""
    ordered = sorted(questions, key=lambda asked: len(engine.encode(prompt_of(asked))))
    for start in range(0, len(ordered), engine.rows):
        yield ordered[start : start + engine.rows]


def prompt_of(asked: Question) -> Prompt:
    return Prompt(asked.messages, asked.tools)


def judge(questions: list[Question], answered: dict[str, Answered]) -> dict[str, Any]:
    """`rows`, and for each metric the means, their difference, its interval and the verdict."""
    metrics = {}
    for name, score in METRICS.items():
        base, tuned = (
            [score(asked.expected, answered[asked.row_id][side]["text"]) for asked in questions] for side in SIDES
        )
        metrics[name] = compare(base, tuned).as_dict()
    return {"rows": len(questions), "metrics": metrics}


def write_predictions(path: Path, questions: list[Question], answered: dict[str, Answered]) -> None:
    """One line a row: what was asked and expected, and for each side its answer, scores, tokens and stamp."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, list[Any]] = {
        "row_id": [asked.row_id for asked in questions],
        "prompt": [json.dumps(asked.messages, ensure_ascii=False) for asked in questions],
        "expected": [asked.expected for asked in questions],
    }
    for side in SIDES:
        given = [answered[asked.row_id][side] for asked in questions]
        columns[side] = [answer["text"] for answer in given]
        for name, score in METRICS.items():
            columns[f"{side}_{name}"] = [
                score(asked.expected, answer["text"]) for asked, answer in zip(questions, given, strict=True)
            ]
        for field in ("tokens", "finish", "seconds", "weights"):
            columns[f"{side}_{field}"] = [answer[field] for answer in given]
    columns["prompt_cut"] = [answered[asked.row_id]["base"]["cut"] for asked in questions]
    with whole_file(path) as partial:
        pq.write_table(pa.table(columns), partial)


if __name__ == "__main__":
    run_job(main)
