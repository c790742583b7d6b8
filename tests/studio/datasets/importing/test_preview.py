"""The preview shows what the import would make, and writes nothing."""

from __future__ import annotations

import json
import zipfile

import pytest

from studio.datasets.importing.preview import preview
from studio.datasets.importing.sources import find
from studio.datasets.importing.steps import import_file
from studio.datasets.reading import glances
from studio.datasets.reading.records import Reading
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
    assert shown.side_columns == ["split"]
    assert [item[:2] for item in shown.bad[:2]] == [(9, "“answer” is empty"), (59, "“answer” is empty")]
    assert sum(shown.sides.values()) == 2940 and shown.sides["test"] == 750
    short = preview(find([str(source)]), limit=5)
    assert (short.whole, short.checked, short.bad_count) == (False, 5, 0)


def packed(tmp_path, name, text):
    """The file plain, and in a zip of which the last part is damaged: whoever reads that far is told."""
    plain, folder = tmp_path / name, tmp_path / "packed"
    plain.write_text(text)
    folder.mkdir()
    with zipfile.ZipFile(folder / "many.zip", "w", zipfile.ZIP_STORED) as archive:
        archive.write(plain, name)
        end = archive.start_dir  # where the list of files begins, behind the last byte of the file
    data = bytearray((folder / "many.zip").read_bytes())
    data[end - 1000 : end - 900] = bytes(100)
    (folder / "many.zip").write_bytes(data)
    return plain, folder / "many.zip"


ROWS = [{"prompt": f"question {n}", "completion": f"two\nlines, “{n}” " * 20} for n in range(20_000)]


def as_csv(rows):
    return "prompt,completion\n" + "".join(f'{row["prompt"]},"{row["completion"]}"\n' for row in rows)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rows.jsonl", "".join(json.dumps(row) + "\n" for row in ROWS)),
        ("rows.json", json.dumps(ROWS)),
        ("rows.csv", as_csv(ROWS)),
        ("rows.txt", "\n\n".join(row["completion"] for row in ROWS)),
    ],
    ids=["jsonl", "json", "csv", "txt"],
)
def test_of_a_packed_table_only_the_first_rows_are_unpacked(tmp_path, name, text):
    plain, zipped = packed(tmp_path, name, text)
    assert len(text) > 1.5 * glances.BYTES
    shown, wanted = (preview(find([str(path)]), limit=30, seconds=60) for path in (zipped, plain))
    assert not shown.whole and wanted.whole and shown.bad_count == 0
    assert 500 < shown.checked < wanted.checked
    assert [(row.messages, row.text, row.extra) for row in shown.rows] == [
        (row.messages, row.text, row.extra) for row in wanted.rows
    ]
    with pytest.raises(BadInput, match="damaged"):
        list(find([str(zipped)]).open(Reading(scratch=tmp_path)).records())


def test_a_glance_tells_of_faults_and_passes_over_a_row_larger_than_itself(tmp_path):
    rows = [json.dumps(row) + "\n" for row in ROWS]
    for name, first in (("fault.jsonl", "\0"), ("large.jsonl", json.dumps({"prompt": "x" * glances.BYTES}) + "\n")):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, "".join([*rows[:10], first, *rows]) if "fault" in name else "".join([first, *rows]))
    with pytest.raises(BadInput, match="Line 11 holds a NUL"):
        preview(find([str(tmp_path / "fault.jsonl.zip")]), limit=30)
    shown = preview(find([str(tmp_path / "large.jsonl.zip")]), limit=30)
    assert (shown.checked, shown.bad_count, len(shown.rows)) == (30, 1, 29)
    assert shown.rows[0].messages[0]["content"] == "question 0"
