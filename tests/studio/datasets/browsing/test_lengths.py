"""Lengths are those of the batches."""

from __future__ import annotations

import json

from studio.batches.encode import whole_row
from studio.batches.tokenizer import ModelTokenizer
from studio.datasets.browsing.lengths import counted, lengths
from studio.datasets.browsing.listing import Wanted
from studio.datasets.importing.steps import import_file
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.store import Dataset
from studio.datasets.versions.freezing import freeze
from studio.settings.importing import ImportSettings


def test_lengths_are_those_that_are_trained_on(workspace, tmp_path, tiny):
    source = tmp_path / "a.jsonl"
    records = [{"prompt": "p " * n, "completion": "a", "label": n != 3} for n in range(1, 40)]
    source.write_text("".join(json.dumps(record) + "\n" for record in records))
    import_file(workspace, ImportSettings(source=str(source), name="set"))
    dataset, tokenizer = Dataset.open(workspace, "set"), ModelTokenizer.load(tiny)
    found = lengths(dataset, 1, tokenizer)
    whole = [len(whole_row(tokenizer, row, "all")) for row in dataset.rows() if row.label == "true"]
    assert (found.tokens, found.rows, found.left_out) == (whole, 39, 1)
    (bad,) = [row for row in dataset.rows() if row.label == "false"]
    row_id, why = found.first_left_out
    assert row_id == bad.row_id and why
    few = lengths(dataset, 1, tokenizer, most=10)
    assert 8 <= len(few.tokens) + few.left_out <= 10 and few.rows == 39


def test_rows_are_sorted_by_their_tokens_once_all_were_counted(workspace, tmp_path, tiny):
    source = tmp_path / "a.jsonl"
    records = [{"prompt": "p " * n, "completion": "a", "label": n != 3} for n in (5, 3, 9, 1, 7)]
    source.write_text("".join(json.dumps(record) + "\n" for record in records))
    import_file(workspace, ImportSettings(source=str(source), name="set"))
    dataset, tokenizer = Dataset.open(workspace, "set"), ModelTokenizer.load(tiny)

    def order(sort):
        return [row.source_line for row in dataset.listing().page(Wanted(sort=sort), 0, 9).rows]

    lengths(dataset, 1, tokenizer, most=2, model="tiny")
    assert counted(dataset, 1) == [] and order("tokens:tiny") == [1, 2, 3, 4, 5]  # not all were
    lengths(dataset, 1, tokenizer, model="tiny")
    assert counted(dataset, 1) == ["tiny"]
    assert order("tokens:tiny") == [4, 1, 5, 3, 2]  # the bad answer has no length, and stands last
    assert order("-tokens:tiny") == [3, 5, 1, 4, 2]
    assert order("tokens:../set") == [1, 2, 3, 4, 5]
    Reviews(dataset).exclude(next(dataset.rows()).row_id)
    freeze(workspace, "set")
    assert counted(Dataset.open(workspace, "set"), 2) == []  # another version, other rows


def test_damaged_counts_are_no_counts(workspace, tmp_path, tiny):
    source = tmp_path / "a.jsonl"
    source.write_text('{"prompt": "p", "completion": "a"}\n')
    import_file(workspace, ImportSettings(source=str(source), name="set"))
    dataset = Dataset.open(workspace, "set")
    lengths(dataset, 1, ModelTokenizer.load(tiny), model="tiny")
    (path,) = dataset.folder.rglob("tiny.npz")
    path.write_bytes(path.read_bytes()[:40])
    assert counted(dataset, 1) == []
