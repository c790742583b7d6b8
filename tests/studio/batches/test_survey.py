"""Rows tokenised once and accounted at any cut-off: the same account as when they are encoded for it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from studio.batches.encode import Report, encode_stream
from studio.batches.survey import Surveys, survey
from studio.batches.tokenizer import load_tokenizer
from studio.datasets.importing.steps import import_file
from studio.datasets.store import Dataset
from studio.settings.importing import ImportSettings
from studio.workspace import Workspace
from tests.tiny import SENTENCES, tiny_model


@pytest.fixture
def dataset(workspace: Workspace, tmp_path: Path) -> Dataset:
    rows = [{"prompt": SENTENCES[n % 7] * (n % 5 + 1), "completion": SENTENCES[n % 3] * (n % 4 + 1)} for n in range(40)]
    return imported(workspace, tmp_path / "rows.jsonl", rows)


def imported(workspace: Workspace, file: Path, rows: list[dict[str, str]]) -> Dataset:
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    import_file(workspace, ImportSettings(source=str(file), name=file.stem, split="train=0.8,validation=0.1,test=0.1"))
    return Dataset.open(workspace, file.stem)


@pytest.mark.parametrize("cutoff", [8, 40, 90, 100_000])
@pytest.mark.parametrize("loss_on", ["all", "last"])
def test_the_account_is_that_of_encoding_at_the_cut_off(dataset, tiny, cutoff, loss_on):
    report = Report()
    for _ in encode_stream(load_tokenizer(tiny), dataset.rows(1, "train"), report, loss_on=loss_on, cutoff=cutoff):
        pass
    assert survey(dataset, 1, tiny, None, loss_on).report(cutoff) == report
    assert (report.cut_rows > 0) == (cutoff < 1000)


def test_texts_are_split_and_not_cut(workspace, tmp_path, tiny):
    texts = imported(workspace, tmp_path / "texts.jsonl", [{"text": sentence * 9} for sentence in SENTENCES])
    found = survey(texts, 1, tiny, None, "all")
    report = Report()
    rows = texts.rows(1, "train")
    assert sum(1 for _ in encode_stream(load_tokenizer(tiny), rows, report, cutoff=50)) == report.sequences
    assert found.text and found.report(50) == report
    assert report.sequences > report.rows and report.cut_rows == 0


def test_a_large_set_is_judged_by_a_sample_spread_over_it(dataset, tiny):
    whole, part = survey(dataset, 1, tiny, None, "all"), survey(dataset, 1, tiny, None, "all", sample=8)
    assert whole.scale == 1.0 and len(whole.rows) == 32
    assert len(part.rows) == 8 and part.scale == 4.0
    assert [row[0] for row in part.rows] == [row[0] for row in whole.rows][::4]


def test_of_a_large_set_the_longest_rows_are_looked_at_whatever_their_place(workspace, tmp_path, tiny):
    rows = [{"prompt": f"Where is {number}?", "completion": "Here."} for number in range(120)]
    rows[50:53] = [{"prompt": SENTENCES[n], "completion": SENTENCES[2] * (30 - n)} for n in range(3)]
    large = imported(workspace, tmp_path / "large.jsonl", rows)
    whole, part = survey(large, 1, tiny, None, "all"), survey(large, 1, tiny, None, "all", sample=5)
    assert not any(size(row) > 300 for row in part.rows), "none of them is one of every so many"
    assert part.report(100_000).longest == whole.report(100_000).longest > 300
    assert len(part.rows) < 7  # averages are those of the spread rows alone
    assert part.report(300).cut_rows == 0 and part.cut_rows(300) == whole.report(300).cut_rows > 0
    ids = [row_id for row_id, _, _ in (*part.rows, *part.longest)]
    assert len(ids) == len(set(ids)) == part.looked_at


def size(row):
    return len(row[2][0].ids)


def test_it_is_made_once_until_a_file_changes(dataset, workspace, tmp_path):
    model = tiny_model(tmp_path / "model")
    surveys = Surveys(kept=2)
    first = surveys.of(dataset, 1, model, None, "all")
    assert surveys.of(dataset, 1, model, None, "all") is first
    assert surveys.of(dataset, 1, model, "plain", "all") is not first
    os.utime(model / "tokenizer.json", (1, 1))
    second = surveys.of(dataset, 1, model, None, "all")
    assert second is not first
    for loss_on in ("last", "all"):
        surveys.of(dataset, 1, model, "chatml", loss_on)
    assert surveys.of(dataset, 1, model, None, "all") is not second  # only the latest are held
