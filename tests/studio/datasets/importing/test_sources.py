"""Several files, folders and zips as one source, and the forms of rows that the spine had left open."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.datasets.importing.intake import BadRows
from studio.datasets.importing.sources import find
from studio.datasets.importing.steps import import_file
from studio.datasets.reading.collection import SPARE
from studio.datasets.reading.readers import open_reader
from studio.datasets.reading.records import Reading
from studio.datasets.store import Dataset
from studio.errors import BadInput, NoRoom, StudioError
from studio.settings.importing import ImportSettings
from tests.studio.datasets.malformed import SOUND, packed, pdf

QUICK = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def pairs(start: int, count: int) -> bytes:
    records = [{"question": f"q{n}", "answer": "a"} for n in range(start, start + count)]
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def bring(workspace, *paths: Path, **given) -> Dataset:
    import_file(workspace, ImportSettings(source=[str(path) for path in paths], name="set", **given))
    return Dataset.open(workspace, "set")


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


RECORDS = st.lists(
    st.fixed_dictionaries({"text": st.text("abc äß字🙂\n\"',", max_size=20), "n": st.integers(-(2**40), 2**40)}),
    min_size=1,
    max_size=15,
)


@QUICK
@given(records=RECORDS, stream=st.booleans(), chunk=st.integers(1, 6))
def test_arrow_round_trip(tmp_path, records, stream, chunk):
    path = tmp_path / "a.arrow"
    table = pa.Table.from_pylist(records)
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=chunk)
    reader = open_reader(path)
    assert (reader.kind, [record.values for record in reader.records()]) == ("arrow", records)


@QUICK
@given(parts=st.lists(RECORDS, min_size=1, max_size=4))
def test_zip_round_trip(tmp_path, parts):
    path = tmp_path / "a.zip"
    lines = ["".join(json.dumps(record) + "\n" for record in records).encode() for records in parts]
    path.write_bytes(packed({f"folder/{number}.jsonl": data for number, data in enumerate(lines)}))
    found = [(record.file, record.values) for record in open_reader(path).records()]
    assert found == [(f"folder/{n}.jsonl", record) for n, records in enumerate(parts) for record in records]


def test_a_folder_is_read_file_by_file_and_what_is_no_data_is_left_out(workspace, tmp_path):
    files = {"a.jsonl": pairs(0, 10), "more/b.jsonl": pairs(10, 10), "README.md": b"# x", "logo.png": b"\x89PNG"}
    dataset = bring(workspace, put(tmp_path / "data", files | {".hidden.jsonl": b"?"}))
    rows = list(dataset.rows())
    assert [(row.source_file, row.source_line) for row in (rows[0], rows[-1])] == [("a.jsonl", 1), ("more/b.jsonl", 10)]
    about = dataset.version_info()
    assert about["notes"] == ["read from 2 files (jsonl)", "left out: README.md, logo.png"]
    assert (about["source"]["file"], about["source"]["files"]) == ("data", 4)
    assert (dataset.folder / "source" / "0001" / "more" / "b.jsonl").read_bytes() == files["more/b.jsonl"]
    assert {row.split for row in rows} == {"train", "validation", "test"}


def test_names_of_sides_are_sides_and_a_split_given_wins(workspace, tmp_path):
    folder = put(
        tmp_path / "data", {"train.jsonl": pairs(0, 20), "val-01.jsonl": pairs(20, 4), "test.jsonl": pairs(24, 6)}
    )
    assert bring(workspace, folder).counts() == {"train": 20, "validation": 4, "test": 6}
    assert bring(workspace, folder, split="train=1").counts() == {"train": 30, "validation": 0, "test": 0}


def test_several_files_of_one_name_and_of_several_kinds(workspace, tmp_path):
    one = put(tmp_path / "x", {"a.csv": b"question,answer\nq1,a\n"}) / "a.csv"
    two = put(tmp_path / "y", {"a.csv": b"question,answer\nq2,a\nq3,a\n"}) / "a.csv"
    three = put(tmp_path / "z", {"b.jsonl": pairs(5, 2), "c.parquet": SOUND["parquet"]})
    dataset = bring(workspace, one, two, three)
    assert {row.source_file for row in dataset.rows()} == {"a.csv", "a (2).csv", "z/b.jsonl", "z/c.parquet"}
    assert dataset.version_info()["source"]["file"] == "a.csv and 2 more"


def test_a_file_that_can_not_be_read_is_left_out_by_consent_only(workspace, tmp_path):
    folder = put(tmp_path / "docs", {"a.md": b"# A\n\ntext", "scan.pdf": pdf("")})
    with pytest.raises(BadRows, match=r"scan\.pdf: There is no text in it"):
        bring(workspace, folder)
    assert workspace.names("datasets") == []
    about = bring(workspace, folder, skip_bad=True).version_info()
    assert (about["rows"], about["bad"][0]["file"], about["bad"][0]["line"]) == (1, "scan.pdf", 0)


def test_nothing_that_was_unpacked_is_left(workspace, tmp_path):
    (tmp_path / "a.zip").write_bytes(packed({"a.jsonl": pairs(0, 9), "in.zip": packed({"b.jsonl": pairs(9, 3)})}))
    dataset = bring(workspace, tmp_path / "a.zip")
    assert dataset.version_info()["rows"] == 12
    assert "in.zip/b.jsonl" in {row.source_file for row in dataset.rows()}
    kept = [path.name for path in dataset.folder.rglob("*")]
    assert sorted(kept) == ["0001", "0001.parquet", "a.zip", "dataset.json", "source", "versions"]


def test_zips_unpack_below_the_workspace_and_only_where_there_is_room(workspace, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "elsewhere"))
    (tmp_path / "a.zip").write_bytes(packed({"a.jsonl": pairs(0, 9), "in.zip": packed({"b.jsonl": pairs(9, 3)})}))
    assert bring(workspace, tmp_path / "a.zip").version_info()["rows"] == 12
    reading = Reading(scratch=tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=SPARE + 5))
    with pytest.raises(NoRoom) as caught:
        open_reader(tmp_path / "a.zip", reading)
    assert "a.jsonl" in caught.value.why


def rows_of(workspace, path: Path, data, **given):
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return list(bring(workspace, path, **given).rows())


def test_conversations_written_as_one_text(workspace, tmp_path):
    start = "\n\nHuman: Is it far?\n\nAssistant:"
    record = {
        "chosen": f"{start} No.\n\nHuman: Sure?\n\nAssistant: Yes.",
        "rejected": f"{start} No.\n\nHuman: Sure?\n\nAssistant: Go away.",
    }
    (row,) = rows_of(workspace, tmp_path / "a.json", [record])
    assert (row.kind, [turn["content"] for turn in row.messages]) == ("preference", ["Is it far?", "No.", "Sure?"])
    assert (row.chosen[0]["content"], row.rejected[0]["content"]) == ("Yes.", "Go away.")
    (row,) = rows_of(workspace, tmp_path / "b.json", [{"text": f"{start} No."}])
    assert row.messages == [{"role": "user", "content": "Is it far?"}, {"role": "assistant", "content": "No."}]


def test_answers_of_squad_and_lists_of_texts(workspace, tmp_path):
    found = {"text": ["Denver Broncos", "Broncos"], "answer_start": [1, 8]}
    records = [{"context": "C", "question": "Who won?", "answers": found}]
    records.append({"context": "C", "question": "Who lost?", "answers": {"text": [], "answer_start": []}})
    with pytest.raises(BadRows, match="row 2: “answers” has no answer"):
        rows_of(workspace, tmp_path / "a.json", records)
    (row,) = rows_of(workspace, tmp_path / "a.json", records, skip_bad=True)
    assert [turn["content"] for turn in row.messages] == ["C\nWho won?", "Denver Broncos"]
    assert [row.text for row in rows_of(workspace, tmp_path / "b.json", ["One.", "Two."])] == ["One.", "Two."]


def test_openai_files_with_weights_tools_preferences_and_pictures(workspace, tmp_path):
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "weight": 0}]
    turns += [{"role": "user", "content": "c"}, {"role": "assistant", "content": "d", "weight": 1}]
    tools = [{"type": "function", "function": {"name": "look", "parameters": {}}}]
    (row,) = rows_of(
        workspace, tmp_path / "a.json", [{"messages": turns, "tools": tools, "parallel_tool_calls": False}]
    )
    assert [turn.get("weight") for turn in row.messages] == [None, 0, None, None] and row.tools == tools
    asked = {"input": {"messages": turns[:1], "tools": tools}}
    asked |= {"preferred_output": turns[3:], "non_preferred_output": turns[1:2]}
    (row,) = rows_of(workspace, tmp_path / "b.json", [asked])
    assert (row.kind, row.chosen[0]["content"], row.tools) == ("preference", "d", tools)
    for wrong, words in ((0.5, "only 0 and 1"), (0, "none of its answers")):
        turn = {"role": "assistant", "content": "b", "weight": wrong}
        with pytest.raises(BadRows, match=words):
            rows_of(workspace, tmp_path / "c.json", [{"messages": [turns[0], turn]}])
    picture = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x"}}]}
    with pytest.raises(BadRows, match="holds a picture; only text"):
        rows_of(workspace, tmp_path / "d.json", [{"messages": [picture, turns[3]]}])


def test_what_does_not_go_together_is_refused(workspace, tmp_path):
    folder = put(tmp_path / "data", {"a.csv": SOUND["csv"], "b.pdf": SOUND["pdf"]})
    with pytest.raises(BadInput, match=r"tables .* and documents"):
        bring(workspace, folder)
    with pytest.raises(StudioError, match="no file in it"):
        find([str(put(tmp_path / "none", {".x": b""}))])
