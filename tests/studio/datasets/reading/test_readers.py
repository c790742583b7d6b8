"""What is written comes back: round trips through each kind of file, and content judged over names."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from studio.datasets.reading.readers import columns_of, open_reader, sample
from studio.datasets.reading.records import Reading
from studio.errors import BadInput, NotFound, StudioError

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LETTERS = st.characters(exclude_categories=("Cs",), exclude_characters="\0")
CELLS = st.text(LETTERS, max_size=30)
NAMES = st.lists(st.text("abcdefghij ÄßЖ字", min_size=1, max_size=8), min_size=2, max_size=5, unique_by=str.strip)


@st.composite
def tables(draw: st.DrawFn, cells: st.SearchStrategy[str] = CELLS) -> tuple[list[str], list[list[str]]]:
    names = [name.strip() for name in draw(NAMES) if name.strip()]
    if len(names) < 2:
        names = ["left", "right"]
    row = st.lists(cells, min_size=len(names), max_size=len(names)).filter(any)
    return names, draw(st.lists(row, min_size=1, max_size=12))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | CELLS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(CELLS, inner, max_size=3),
    max_leaves=8,
)
RECORDS = st.lists(st.dictionaries(CELLS, JSON_VALUES, min_size=1, max_size=5), min_size=1, max_size=12)


def values(path: Path, encoding: str = "auto") -> list[dict[str, Any] | None]:
    records = list(open_reader(path, Reading(encoding)).records())
    assert all(record.values is not None for record in records), records
    return [record.values for record in records]


def expected(names: list[str], rows: list[list[str]]) -> list[dict[str, str]]:
    return [dict(zip(names, row, strict=True)) for row in rows]


@pytest.mark.parametrize(("ending", "delimiter"), [("csv", ","), ("csv", ";"), ("csv", "|"), ("tsv", "\t")])
@QUICK
@given(table=tables(), crlf=st.booleans(), encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_delimited_round_trip(tmp_path, ending, delimiter, table, crlf, encoding):
    names, rows = table
    path = tmp_path / f"table.{ending}"
    with open(path, "w", encoding=encoding, newline="") as file:
        end = "\r\n" if crlf else "\n"
        csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([names, *rows])
    assert values(path) == expected(names, rows)


@QUICK
@given(records=RECORDS, ascii_only=st.booleans())
def test_jsonl_round_trip(tmp_path, records, ascii_only):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(r, ensure_ascii=ascii_only) + "\n" for r in records), encoding="utf-8")
    assert values(path) == records


@QUICK
@given(
    records=RECORDS, indent=st.sampled_from([None, 2]), wrapped=st.booleans(), block=st.sampled_from([1, 7, 1 << 20])
)
def test_json_round_trip_whatever_the_blocks(tmp_path, monkeypatch, records, indent, wrapped, block):
    monkeypatch.setattr("studio.datasets.reading.decoding.BLOCK", block)
    path = tmp_path / "rows.json"
    data = {"version": [1, "x"], "data": records, "more": 3} if wrapped else records
    path.write_text(json.dumps(data, indent=indent, ensure_ascii=False), encoding="utf-8")
    assert values(path) == records


@QUICK
@given(table=tables())
def test_parquet_round_trip(tmp_path, table):
    names, rows = table
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({name: [row[i] for row in rows] for i, name in enumerate(names)}), path)
    assert values(path) == expected(names, rows)


# Excel's XML keeps no carriage returns, and openpyxl reads a leading = as a formula and _x0041_ as an escape.
SHEET_CELLS = CELLS.filter(
    lambda text: (
        not ILLEGAL_CHARACTERS_RE.search(text)
        and not set(text) & set("\r\ufffe\uffff")
        and not text.startswith(("=", "#"))
        and "_x" not in text
    )
)


@settings(QUICK, max_examples=25)
@given(table=tables(SHEET_CELLS), empty_first=st.booleans())
def test_xlsx_round_trip(tmp_path, table, empty_first):
    names, rows = table
    book = openpyxl.Workbook()
    sheet = book.create_sheet("second") if empty_first else book.active
    for row in [names, *rows]:
        sheet.append([cell or None for cell in row])
    path = tmp_path / "rows.xlsx"
    book.save(path)
    assert [{name: cell or "" for name, cell in row.items()} for row in values(path)] == expected(names, rows)


@settings(QUICK, max_examples=80)
@given(
    data=st.binary(max_size=400),
    ending=st.sampled_from(
        [
            "csv",
            "tsv",
            "json",
            "jsonl",
            "parquet",
            "arrow",
            "xlsx",
            "txt",
            "md",
            "html",
            "pdf",
            "docx",
            "pptx",
            "zip",
            "",
        ]
    ),
)
def test_any_bytes_are_read_or_refused_in_words(tmp_path, data, ending):
    path = tmp_path / f"any.{ending}"
    path.write_bytes(data)
    try:
        list(open_reader(path).records())
    except StudioError as error:
        assert error.what and error.why and error.next


@settings(QUICK, max_examples=60)
@given(cut=st.integers(1, 10_000), kind=st.sampled_from(["json", "parquet", "xlsx"]))
def test_cut_off_files_are_refused_in_words(tmp_path, cut, kind):
    whole = file_of(kind)
    cut = 1 + cut % (len(whole) - 2)
    path = tmp_path / f"cut.{kind}"
    path.write_bytes(whole[:cut])
    with pytest.raises(BadInput) as caught:
        list(open_reader(path).records())
    assert caught.value.what and caught.value.why and caught.value.next


def file_of(kind: str) -> bytes:
    records = [{"question": f"q{n}", "answer": "a" * n} for n in range(5)]
    out = io.BytesIO()
    if kind == "json":
        out.write(json.dumps(records).encode())
    elif kind == "parquet":
        pq.write_table(pa.Table.from_pylist(records), out)
    else:
        book = openpyxl.Workbook()
        for row in [["question", "answer"], *([r["question"], r["answer"] or "-"] for r in records)]:
            book.active.append(row)
        book.save(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.csv", '[{"q": "x"}]', "json"),
        ("a.csv", '{"q": "x"}\n{"q": "y"}\n', "jsonl"),
        ("a.json", '{"q": "x"}\n{"q": "y"}\n', "jsonl"),
        ("a.jsonl", '[{"q": "x"},\n {"q": "y"}]', "json"),
        ("a.json", '{"q": "x", "a": "y"}', "json"),
        ("a.jsonl", '{"q": "x", "a": "y"}', "jsonl"),
        ("a.txt", '{"q": "x"}\n{"q": "y"}\n', "jsonl"),
        ("a.txt", "[1] A footnote, and more\n{curly}", "txt"),
        ("a.xlsx", "q;a\nx;y\nv;w\n", "csv"),
        ("a", "q\ta\nx\ty\nv\tw\n", "tsv"),
        ("a", "Some prose, with commas, in it.\nAnd more.\n", "txt"),
        ("a.md", "# Title\n\ntext\n", "md"),
        ("a.ndjson", 'broken\n{"q": "x"}\n', "jsonl"),
        ("a.csv", "\n\nq,a\nx,y\n", "csv"),
    ],
)
def test_content_decides_over_the_name(tmp_path, name, content, kind):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    reader = open_reader(path)
    assert reader.kind == kind
    assert list(reader.records())


@pytest.mark.parametrize("kind", ["parquet", "xlsx", "json"])
def test_binary_files_named_csv_are_read_as_what_they_are(tmp_path, kind):
    path = tmp_path / "table.csv"
    path.write_bytes(file_of(kind))
    assert open_reader(path).kind == kind
    assert len(values(path)) == 5


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("a.csv", b"", "empty"),
        ("a.jsonl", b" \n\n", "nothing"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "xlsx"),
        ("a.csv.gz", b"\x1f\x8b\x08" + bytes(50), "gzip"),
        ("a.pdf", b"%PDF-1.7 ...", "pdf file"),
        ("a.xls", b"<html><table><tr><td>x</td></tr></table></html>", "web page"),
        ("a.json", b"Dear all,\nthis is no json.", "begins with"),
        ("a.csv", b"a,b\nx\0y,z\n", "NUL"),
        ("a.csv", "a,b\nä,ö\n".encode("utf-16-le"), "UTF-16"),
        ("a.docx", b"PK\x03\x04 not a zip at all", "packed"),
    ],
)
def test_what_is_no_table_is_said_in_words(tmp_path, name, content, word):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        list(open_reader(path).records())
    error = caught.value
    assert word in str(error)
    assert error.what and error.why and error.next


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(NotFound):
        open_reader(tmp_path / "none.csv")
    with pytest.raises(BadInput, match="folder"):
        open_reader(tmp_path)


def test_a_file_is_never_written_to_and_read_twice_alike(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("q,a\nx,y\n", encoding="utf-8")
    path.chmod(0o444)
    reader = open_reader(path)
    assert sample(reader) == [{"q": "x", "a": "y"}]
    assert [record.line for record in reader.records()] == [2]
    assert columns_of([{"a": 1}, {"b": 1, "a": 2}]) == ["a", "b"]
