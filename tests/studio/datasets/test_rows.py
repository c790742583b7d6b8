"""Rows and their ids."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.datasets.rows import SCHEMA, Row, batches, compact, content_hash, from_columns, key_id, row_id
from studio.errors import BadInput

TEXT = st.text(st.characters(exclude_categories=("Cs",)))


@given(one=st.lists(TEXT, max_size=3), other=st.lists(TEXT, max_size=3))
def test_equal_content_and_only_that_hashes_alike(one, other):
    assert (content_hash([["user", one]]) == content_hash([["user", other]])) == (one == other)


def test_ids_are_what_they_were():
    """Ids are on users' disks: reviews and runs name rows by them, so this must never change."""
    digest = content_hash([["user", ["Hello"]], ["assistant", ["Hi — ü"]]])
    assert digest.hex() == "bb21eb66687a2070329f"
    assert row_id(digest, 1) == digest.hex()
    assert row_id(digest, 2) == digest.hex() + "-2"
    assert key_id("T-1") == "k6b4bd8ba337ed880207c"


def test_conversation_of_each_kind():
    ask, answer = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}
    assert Row("1", "chat", [ask, answer]).conversation() == [ask, answer]
    assert Row("1", "label", [ask], label="a").conversation() == [ask, answer]
    assert Row("1", "preference", [ask], chosen=[answer], rejected=[ask]).conversation() == [ask, answer]
    assert Row("1", "feedback", [ask, answer], label="true").conversation() == [ask, answer]
    for row in (Row("1", "feedback", [ask, answer], label="false"), Row("1", "text", text="x")):
        with pytest.raises(BadInput):
            row.conversation()


@given(extra=st.dictionaries(TEXT, st.none() | st.integers() | TEXT), text=TEXT)
def test_columns_give_the_row_back(extra, text):
    values = dict.fromkeys(SCHEMA.names) | {
        "row_id": "x", "kind": "text", "text": text, "split": "test", "tags": '{"tone":"dry"}', "source_file": "f",
        "source_line": 7, "extra": compact(extra),
    }  # fmt: skip
    (columns,) = pa.Table.from_pylist([values], schema=SCHEMA).to_pylist()
    row = from_columns(columns)
    assert (row.text, row.extra, row.tags, row.source_line, row.split) == (text, extra, {"tone": "dry"}, 7, "test")
    assert row.messages is None


def test_what_json_can_not_hold_becomes_text_or_null():
    import datetime

    assert compact({"a": float("nan"), "b": datetime.date(2026, 1, 2)}) == '{"a":null,"b":"2026-01-02"}'


def test_rows_of_two_groups_are_never_held_at_once(tmp_path):
    """Groups are written by their size, so this is what keeps memory small where rows are long."""
    schema = pa.schema([("row_id", pa.string()), ("text", pa.string())])
    with pq.ParquetWriter(tmp_path / "a.parquet", schema) as writer:
        for start in (0, 3, 6):
            ids = [str(start + n) for n in range(3)]
            writer.write_batch(pa.record_batch([ids, ids], schema=schema))
    with pq.ParquetFile(tmp_path / "a.parquet") as file:
        found = list(batches(file, 100, ["text"]))
        assert [batch.num_rows for batch in batches(file, 2)] == [2, 1] * 3
    assert [batch["text"].to_pylist() for batch in found] == [["0", "1", "2"], ["3", "4", "5"], ["6", "7", "8"]]
