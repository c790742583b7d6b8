"""csv as spreadsheets and people write it: delimiters, headers, quotation marks, ragged rows."""

from __future__ import annotations

import pytest

from studio.datasets.reading.delimited import Delimited, find_delimiter, looks_delimited
from studio.errors import BadInput


def read(tmp_path, text, kind="csv"):
    path = tmp_path / f"a.{kind}"
    path.write_text(text, encoding="utf-8", newline="")
    return list(Delimited(path, "utf-8", kind).records())


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("question;answer\nHow, when and why, then?;Now, or, later\nWhy?;Because, well\n", ";"),
        ("question,answer\nA; b; c,x\nD; e; f,y\n", ","),
        ('q\ta\nx, "y", z\tno; yes\n', "\t"),
        ('id|text|label\n1|"a|b"|x\n2|c, d|y\n', "|"),
        ("text\nOne, two\nthree\n", ","),
        ("sep=;\nq;a\nx;y\n", ";"),
    ],
)
def test_delimiters(text, mark):
    assert find_delimiter(text.splitlines(keepends=True), ",")[0] == mark


def test_what_looks_like_a_table():
    assert looks_delimited(["name,age\n", "a,1\n", "b,2\n"])
    assert not looks_delimited(["Dear Sir, or Madam,\n", "this is a letter.\n"])
    assert not looks_delimited(["only one line, here\n"])


def test_lines_are_those_of_the_file_also_behind_quoted_line_ends(tmp_path):
    records = read(tmp_path, 'sep=,\nq,a\n"one\ntwo",x\n\n,,\nthree,y,,\n')
    assert [(record.line, record.values) for record in records] == [
        (3, {"q": "one\ntwo", "a": "x"}),
        (7, {"q": "three", "a": "y"}),
    ]


def test_ragged_rows_and_stray_quotes_are_bad_rows_by_line(tmp_path):
    records = read(tmp_path, 'q,a\nx\nx,y\nx,y,z\n"x" y,z\ngood,row\n')
    assert [(record.line, record.values is None) for record in records] == [
        (2, True), (3, False), (4, True), (5, True), (6, False),
    ]  # fmt: skip
    assert records[0].problem == "it has 1 cell, but the header names 2 cells"
    assert "quotation mark" in records[3].problem


def test_a_quote_never_closed_is_refused_with_its_line(tmp_path):
    with pytest.raises(BadInput, match="line 3"):
        read(tmp_path, 'q,a\nx,y\n"open,z\nmore,rows\n' + "a,b\n" * 1000)


def test_a_name_twice_in_the_header(tmp_path):
    with pytest.raises(BadInput, match="“q” 2 times"):
        read(tmp_path, "q,a,q\n1,2,3\n")


def test_very_long_cells_and_very_wide_tables(tmp_path):
    (record,) = read(tmp_path, "q,a\n" + "x" * 1_000_000 + ",y\n")
    assert len(record.values["q"]) == 1_000_000
    names = [f"c{n}" for n in range(5000)]
    (record,) = read(tmp_path, ",".join(names) + "\n" + ",".join("v" for _ in names) + "\n")
    assert len(record.values) == 5000


@pytest.mark.full
@pytest.mark.parametrize("rest", [900_000, 2_000], ids=["the limit ends it", "the file ends it"])
def test_a_stray_quote_at_row_700_000_is_refused_with_its_line(tmp_path, rest):
    """With the limit as it is: what one row may hold ends it long before the rest of the file is read."""
    path = tmp_path / "a.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write("question,answer\n")
        for number in range(1, 700_000 + rest):
            stray = '"' if number == 700_000 else ""
            file.write(
                f"{stray}Where is the parcel with the number {number}?,In the box behind the door of the shop.\n"
            )
    reader = Delimited(path, "utf-8")
    good, refusal = 0, None
    try:
        for record in reader.records():
            good += record.values is not None
    except BadInput as error:
        refusal = error
    assert good == 699_999 and refusal is not None
    assert "starts at line 700,001 is never closed" in refusal.why and "near line 700,001" in refusal.next
    assert ("within 64 million characters" in refusal.why) == (rest > 100_000)
