"""The preview shows what the import would make, and writes nothing."""

from __future__ import annotations

import json

import pytest

from studio.datasets.importing.preview import preview
from studio.datasets.importing.sources import find
from studio.datasets.importing.steps import import_file
from studio.datasets.store import Dataset
from studio.errors import BadInput
from studio.settings.importing import ImportSettings


def test_the_first_rows_are_those_of_the_import(workspace, tmp_path):
    records = [{"prompt": f"q{n % 3}", "completion": "" if n == 4 else "a", "n": n} for n in range(50)]
    source = tmp_path / "a.jsonl"
    source.write_text("".join(json.dumps(record) + "\n" for record in records))
    shown = preview(find([str(source)]), ["system=Be kind."], limit=10)
    assert (shown.guess.format, shown.columns, shown.unit) == (
        "prompt_completion",
        ["prompt", "completion", "n"],
        "line",
    )
    assert [item[:2] for item in shown.bad] == [(5, "“completion” is empty")]
    assert list(tmp_path.iterdir()) == [workspace.root, source] or set(tmp_path.iterdir()) == {workspace.root, source}
    import_file(
        workspace,
        ImportSettings(source=str(source), name="set", mapping=["system=Be kind."], skip_bad=True, split="train=1"),
    )
    assert shown.rows == list(Dataset.open(workspace, "set").rows())[:9]


def test_what_the_import_refuses_the_preview_refuses(tmp_path):
    source = tmp_path / "a.csv"
    source.write_text("left,right\nsome words,other words\n")
    with pytest.raises(BadInput, match="--map"):
        preview(find([str(source)]))
    assert len(preview(find([str(source)]), ["user=left", "assistant=right"]).rows) == 1


def test_with_time_it_looks_on_for_bad_rows_and_says_how_far(tmp_path):
    source = tmp_path / "a.csv"
    rows = "".join(f"q{n},{'' if n % 50 == 7 else 'a'},{'test' if n % 4 == 0 else 'train'}\n" for n in range(3000))
    source.write_text("question,answer,split\n" + rows)
    shown = preview(find([str(source)]), limit=5, seconds=60)
    assert (shown.whole, shown.checked, shown.bad_count, len(shown.rows)) == (True, 3000, 60, 5)
    assert [item[:2] for item in shown.bad[:2]] == [(9, "“answer” is empty"), (59, "“answer” is empty")]
    assert sum(shown.sides.values()) == 2940 and shown.sides["test"] == 750
    short = preview(find([str(source)]), limit=5)
    assert (short.whole, short.checked, short.bad_count) == (False, 5, 0)
