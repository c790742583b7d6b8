from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio import evaluations, migrate
from studio.commands.evaluate import show
from studio.errors import NotFound, Refused
from studio.jobs import folder as job_folder
from studio.logs import Log
from studio.statistics import compare
from studio.workspace import Workspace


def answered(number: int, base: str, tuned: str, expected: str = "QUEUE: billing", **more: Any) -> dict[str, Any]:
    row = {"row_id": f"r{number}", "prompt": json.dumps([{"role": "user", "content": f"Where is “{number}”?\nThanks"}])}
    row |= {"expected": expected, "base": base, "tuned": tuned, "prompt_cut": 0}
    for side, text in (("base", base), ("tuned", tuned)):
        exact = float(text == expected)
        row |= {f"{side}_exact_match": exact, f"{side}_token_f1": exact or (0.5 if "QUEUE" in text else 0.0)}
        row |= {f"{side}_tokens": [1, 2], f"{side}_finish": "stop", f"{side}_seconds": 0.5, f"{side}_weights": side}
    return row | more


ROWS = [
    answered(0, "no", "no"),
    answered(1, "no", "QUEUE: billing"),
    answered(2, "QUEUE: billing", "QUEUE: other"),
    answered(3, "no", "QUEUE: other"),
    answered(4, "no <b>", "QUEUE: billing"),
]


@pytest.fixture
def evaluation(workspace: Workspace) -> Path:
    return made(workspace, ROWS)


def made(workspace: Workspace, rows: list[dict[str, Any]], **settings: Any) -> Path:
    folder = job_folder.create(workspace, "evaluate", {"run": "gone", "split": "test", **settings})
    pq.write_table(pa.Table.from_pylist(rows), folder / "predictions.parquet")
    metrics = {
        name: compare([row[f"base_{name}"] for row in rows], [row[f"tuned_{name}"] for row in rows]).as_dict()
        for name in ("exact_match", "token_f1")
    }
    migrate.save(folder / "verdict.json", "verdict", {"rows": len(rows), "metrics": metrics})
    with Log(folder / "events.jsonl") as log:
        log.append("starting", pid=0)
        log.append("finished", rows=len(rows))
    return folder


def ids(found: evaluations.Rows) -> list[str]:
    return [row["row_id"] for row in found.rows]


def test_rows_come_with_the_differing_ones_first_and_are_counted_as_the_verdict_counts_them(evaluation: Path) -> None:
    found = evaluations.page(evaluation)
    assert ids(found) == ["r2", "r1", "r4", "r3", "r0"]
    assert found.counts == {"all": 5, "better": 2, "worse": 1, "same": 2}
    figures = migrate.load(evaluation / "verdict.json", "verdict")["metrics"]
    for name in ("exact_match", "token_f1"):
        counts = evaluations.page(evaluation, name).counts
        assert (counts["better"], counts["worse"]) == (figures[name]["better_rows"], figures[name]["worse_rows"])
    assert found.rows[1]["prompt"] == [{"role": "user", "content": "Where is “1”?\nThanks"}]
    assert found.rows[1]["tuned_tokens"] == 2


def test_rows_are_filtered_searched_and_paged(evaluation: Path) -> None:
    assert ids(evaluations.page(evaluation, show="worse")) == ["r2"]
    assert ids(evaluations.page(evaluation, "token_f1", "same")) == ["r0"]
    assert ids(evaluations.page(evaluation, find="“4”?\nthanks")) == ["r4"]
    assert ids(evaluations.page(evaluation, find="<B>")) == ["r4"]
    assert ids(evaluations.page(evaluation, find="r3")) == ["r3"]
    assert evaluations.page(evaluation, find="100%_").total == 0
    second = evaluations.page(evaluation, start=2, limit=2)
    assert (ids(second), second.total) == (["r4", "r3"], 5)


def test_thousands_of_rows_are_paged(workspace: Workspace) -> None:
    folder = made(workspace, [answered(n, "no", "QUEUE: billing" if n % 3 else "no") for n in range(5000)])
    found = evaluations.page(folder, show="better", start=3300, limit=50)
    assert (found.total, len(found.rows), found.rows[-1]["row_id"]) == (3333, 33, "r4999")


def test_downloads_hold_every_row(evaluation: Path) -> None:
    objects = [json.loads(line) for line in b"".join(evaluations.jsonl(evaluation)).splitlines()]
    assert [row["row_id"] for row in objects] == ["r0", "r1", "r2", "r3", "r4"]
    assert objects[1]["prompt"][0]["role"] == "user"
    text = b"".join(evaluations.table(evaluation)).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert rows[4]["prompt"] == "Where is “4”?\nThanks"
    assert (rows[4]["base"], rows[4]["tuned_exact_match"]) == ("no <b>", "1.0")


@pytest.mark.parametrize(
    ("exact", "near", "word", "words"),
    [
        ("better", "better", "better", "unlikely to be chance"),
        ("better", "can't tell", "better", "unlikely to be chance"),
        ("worse", "can't tell", "worse", "unlikely to be chance"),
        ("better", "worse", "mixed", "more often, yet shares fewer words"),
        ("worse", "better", "mixed", "less often, yet shares more words"),
        ("can't tell", "better", "better", "come closer to the expected ones (token F1 60% against 20%)"),
        ("can't tell", "worse", "worse", "come less close"),
        ("can't tell", "can't tell", "can't tell", "may well be chance"),
    ],
)
def test_both_metrics_make_one_verdict(exact: str, near: str, word: str, words: str) -> None:
    metrics = {
        "exact_match": {"verdict": exact, "base": 0.1, "tuned": 0.2},
        "token_f1": {"verdict": near, "base": 0.2, "tuned": 0.6},
    }
    found = evaluations.in_words({"rows": 50, "metrics": metrics})
    assert found["word"] == word
    assert words in found["sentence"]
    assert "on 10 of 50 rows it never trained on, its base on 5" in found["sentence"]


def test_few_rows_and_rows_that_were_trained_on_get_a_caution(workspace: Workspace) -> None:
    few = evaluations.summary(workspace, made(workspace, ROWS))
    assert few["verdict"]["word"] == "can't tell"
    assert "5 rows are too few" in few["verdict"]["sentence"]
    assert few["metrics"]["exact_match"]["no_interval"] == "Too few rows for an interval"
    many = [answered(n, "no", "QUEUE: billing") for n in range(20)]
    for last, words in ("QUEUE: billing", "No interval: the difference is the same"), ("no", ""):
        made_of = evaluations.summary(workspace, made(workspace, [*many, answered(20, "no", last)]))
        assert made_of["metrics"]["exact_match"]["no_interval"][: len(words) or None] == words
    trained = evaluations.summary(workspace, made(workspace, ROWS, split="train"))
    assert "memorised" in trained["verdict"]["caution"]
    assert "it trained on" in trained["verdict"]["sentence"]


def test_a_verdict_on_a_base_in_few_bits_says_so_wherever_it_is_told(workspace: Workspace, evaluation: Path) -> None:
    whole = migrate.load(evaluation / "verdict.json", "verdict")
    assert evaluations.summary(workspace, evaluation)["verdict"]["base"] == ""  # as all from before bits were told
    assert "bits" not in show(whole)
    migrate.save(evaluation / "verdict.json", "verdict", whole | {"bits": "8"})
    told = evaluations.summary(workspace, evaluation)["verdict"]["base"]
    assert told == "Both answered on the base in 8 bits, as in training; an export is whole and may differ a little."
    assert show(whole | {"bits": "8"}).endswith(told)


def test_the_list_shows_all_newest_first_broken_ones_too(workspace: Workspace, evaluation: Path) -> None:
    broken = made(workspace, ROWS)
    (broken / "settings.json").write_text("{", encoding="utf-8")
    waiting = job_folder.create(workspace, "evaluate", {"run": "gone"})
    found = {item["id"]: item for item in evaluations.list_evaluations(workspace)}
    assert found[broken.name]["status"] == "broken" and "JSON" in found[broken.name]["error"]["why"]
    assert found[waiting.name]["status"] == "queued" and "metrics" not in found[waiting.name]
    assert found[evaluation.name]["metrics"]["exact_match"]["base"] == pytest.approx(0.2)
    assert found[evaluation.name]["run_there"] is False
    with pytest.raises(NotFound, match="no answers to show"):
        evaluations.page(waiting)


def test_a_run_without_held_out_rows_is_refused_with_what_to_do(workspace: Workspace, tmp_path: Path) -> None:
    from studio.datasets.importing.steps import import_file
    from studio.settings.importing import ImportSettings

    source = tmp_path / "all.csv"
    source.write_text("prompt,completion,split\nA?,b,train\nC?,d,validation\n", encoding="utf-8")
    import_file(workspace, ImportSettings(source=str(source), name="all"))
    run = job_folder.create(workspace, "train", {"dataset": "all", "version": 1, "model": "tiny"})
    with pytest.raises(Refused, match="no trained weights"):
        evaluations.start(workspace, {"run": run.name})
    (run / "adapter").mkdir()
    with pytest.raises(Refused, match="Choose the validation rows instead") as error:
        evaluations.start(workspace, {"run": run.name})
    assert error.value.field == "split"
    assert evaluations.held_out(workspace, run) == {"test": 0, "validation": 1, "train": 1}
    assert not workspace.names("evaluations")
