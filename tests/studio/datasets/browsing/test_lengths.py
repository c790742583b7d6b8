"""Lengths are those of the batches."""

from __future__ import annotations

import json

from studio.batches.encode import whole_row
from studio.batches.tokenizer import ModelTokenizer
from studio.datasets.browsing.lengths import lengths
from studio.datasets.importing.steps import import_file
from studio.datasets.store import Dataset
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
    few = lengths(dataset, 1, tokenizer, most=10)
    assert 8 <= len(few.tokens) + few.left_out <= 10 and few.rows == 39
