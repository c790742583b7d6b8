from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from backend.evaluate import main
from backend.job import StopRequested
from studio import evaluations, events, logs, migrate
from studio.errors import Refused
from studio.jobs import folder as job_folder
from studio.jobs import local
from studio.scores import exact_match, token_f1
from studio.workspace import Workspace
from tests import adapters
from tests.adapters import work
from tests.backend.conftest import dataset
from tests.worlds import start_worker


def evaluation(workspace: Workspace, run: Path, **settings: Any) -> Path:
    return job_folder.create(workspace, "evaluate", {"run": run.name, "threads": 1, **settings})


def evaluate(workspace: Workspace, run: Path, **settings: Any) -> Path:
    folder = evaluation(workspace, run, **settings)
    work(main, folder)
    return folder


def messages(folder: Path) -> str:
    return " ".join(line["text"] for line in events.read_state(folder).messages)


def wait_for(condition: Any, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def test_every_held_out_row_is_answered_scored_and_judged(workspace: Workspace, tuned_run: Path) -> None:
    folder = evaluate(workspace, tuned_run)
    verdict = migrate.load(folder / "verdict.json", "verdict")
    rows = pq.read_table(folder / "predictions.parquet").to_pylist()
    assert verdict["rows"] == len(rows) == 20
    for row in rows:
        assert row["expected"].startswith("QUEUE: ")
        assert json.loads(row["prompt"])[-1]["role"] == "user"
        assert row["tuned_exact_match"] == exact_match(row["expected"], row["tuned"])
        assert row["base_token_f1"] == pytest.approx(token_f1(row["expected"], row["base"]))
        assert row["tuned_weights"].startswith(row["base_weights"] + "+")
        assert row["tuned_tokens"]
    for name in ("exact_match", "token_f1"):
        figures = verdict["metrics"][name]
        assert figures["base"] == pytest.approx(sum(row[f"base_{name}"] for row in rows) / 20)
        assert figures["tuned"] == pytest.approx(sum(row[f"tuned_{name}"] for row in rows) / 20)
        assert figures["low"] <= figures["difference"] <= figures["high"]
        assert figures["verdict"] == "can't tell"
        assert "20 rows" in figures["sentence"]


def test_a_tuned_model_that_knows_the_answers_is_better(workspace: Workspace, tuned_run: Path) -> None:
    """The answers kept from an earlier life are replaced by right ones: the verdict follows what is in the log."""
    first = evaluate(workspace, tuned_run)
    second = evaluation(workspace, tuned_run)
    expected = {row["row_id"]: row["expected"] for row in pq.read_table(first / "predictions.parquet").to_pylist()}
    with logs.Log(second / "answers.jsonl") as log:
        for line in logs.read(first / "answers.jsonl")[0]:
            line["tuned"]["text"] = expected[line["row_id"]]
            log.append("pair", **{key: line[key] for key in ("row_id", "base", "tuned")})
    assert work(main, second)["metrics"]["exact_match"]["verdict"] == "better"
    assert "20 rows answered before" in messages(second)


def test_answers_by_other_weights_are_not_taken_over(workspace: Workspace, tuned_run: Path, tiny: Path) -> None:
    folder = evaluate(workspace, tuned_run)
    before = pq.read_table(folder / "predictions.parquet").to_pylist()
    adapters.adapter(tiny, tuned_run / "adapter", seed=9)
    work(main, folder)
    after = pq.read_table(folder / "predictions.parquet").to_pylist()
    assert {row["tuned_weights"] for row in after}.isdisjoint(row["tuned_weights"] for row in before)
    assert [row["base"] for row in after] == [row["base"] for row in before]


def test_killed_and_started_again_it_goes_on(workspace: Workspace, tuned_run: Path, tmp_path: Path) -> None:
    dataset(workspace, tmp_path, "large", rows=1200)
    run = adapters.run(workspace, "large", "tiny")
    (tuned_run / "adapter").rename(run / "adapter")
    folder = evaluation(workspace, run, max_new_tokens=24)
    pid = local.start(folder)
    answers = folder / "answers.jsonl"
    wait_for(lambda: answers.exists() and len(logs.read(answers)[0]) >= 32)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not job_folder.alive(folder))
    assert job_folder.status(folder) == "interrupted"
    kept = logs.read(answers)[0]
    assert len(kept) < 300
    local.start(folder)
    wait_for(lambda: job_folder.status(folder) == "finished")
    wait_for(lambda: local.reap() or not local._children)
    lines = logs.read(answers)[0]
    assert lines[: len(kept)] == kept
    assert len(lines) == len({line["row_id"] for line in lines}) == 300
    assert migrate.load(folder / "verdict.json", "verdict")["rows"] == 300
    assert events.read_state(folder).result["rows"] == 300


def test_stopping_keeps_what_is_finished(workspace: Workspace, tuned_run: Path) -> None:
    folder = evaluation(workspace, tuned_run)
    (folder / "stop").touch()
    with pytest.raises(StopRequested):
        work(main, folder)
    assert not (folder / "verdict.json").exists()
    (folder / "stop").unlink()
    assert work(main, folder)["rows"] == 20


def test_a_limit_asks_fewer_rows_and_few_rows_tell_nothing(workspace: Workspace, tuned_run: Path) -> None:
    verdict = work(main, evaluation(workspace, tuned_run, limit=4, split="validation"))
    assert verdict["rows"] == 4
    assert "too few" in verdict["metrics"]["exact_match"]["sentence"]


def test_too_short_answers_are_told(workspace: Workspace, tuned_run: Path) -> None:
    folder = evaluate(workspace, tuned_run, max_new_tokens=2, limit=3)
    assert "such rows can't match" in messages(folder)


def test_no_held_out_rows_is_refused_with_advice(workspace: Workspace, tuned_run: Path, tmp_path: Path) -> None:
    from studio.datasets.importing.steps import import_file
    from studio.settings.importing import ImportSettings

    source = tmp_path / "desk.csv"
    text = source.read_text(encoding="utf-8").replace(",test\n", ",train\n").replace(",test\r\n", ",train\r\n")
    (tmp_path / "all.csv").write_text(text, encoding="utf-8")
    mapping = ["user=message", "label=queue", "split=split"]
    import_file(workspace, ImportSettings(source=str(tmp_path / "all.csv"), name="all", mapping=mapping))
    run = adapters.run(workspace, "all", "tiny")
    (tuned_run / "adapter").rename(run / "adapter")
    with pytest.raises(Refused) as error:
        evaluate(workspace, run)
    assert error.value.what == "There are no test rows to evaluate on."
    assert "0 test" in error.value.why
    assert "--split validation" in error.value.next


def test_a_run_without_weights_is_refused(workspace: Workspace, tuned_run: Path) -> None:
    (tuned_run / "adapter").rename(tuned_run / "gone")
    with pytest.raises(Refused, match="no trained weights"):
        evaluate(workspace, tuned_run)


def test_a_run_of_few_bits_is_evaluated_on_those(workspace: Workspace, tuned_run: Path) -> None:
    """By the worker as it is started: only one for such a run has the library for them."""
    settings = tuned_run / "settings.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"method": {"name": "qlora", "bits": "4"}}))
    folder = evaluation(workspace, tuned_run, limit=2)
    assert start_worker(folder, "evaluate").wait(timeout=200) == 0, (folder / "output.log").read_text()
    for line in logs.read(folder / "answers.jsonl")[0]:
        assert "-nf4+" in line["tuned"]["weights"] and line["base"]["weights"].endswith("-nf4")
    told = evaluations.summary(workspace, folder)["verdict"]["base"]
    assert told.startswith("Both answered on the base in 4 bits, as in training")
