"""Raw text: whole, in rows of sensible size, cut at natural ends."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.datasets.reading.plain_text import CUT, PlainText, pieces

TEXTS = st.text(st.sampled_from("ab. \n\t。!é字"), max_size=400)


def squeezed(text):
    return "".join(text.split())


@settings(max_examples=300, deadline=None)
@given(text=TEXTS, limit=st.integers(1, 50), block=st.integers(1, 100))
def test_nothing_but_white_space_is_lost_whatever_the_blocks(text, limit, block):
    rows = list(pieces((text[i : i + block] for i in range(0, len(text), block)), limit))
    assert squeezed("".join(row for _, row in rows)) == squeezed(text)
    assert all(len(row) <= limit and row.strip() for _, row in rows)
    assert rows == list(pieces(iter([text]), limit))


@settings(max_examples=200, deadline=None)
@given(text=TEXTS, limit=st.integers(5, 60))
def test_each_row_begins_on_its_line(text, limit):
    lines = text.split("\n")
    for line, row in pieces(iter([text]), limit):
        assert row.split("\n")[0].strip() in lines[line - 1]


def test_paragraphs_stay_whole_and_are_gathered(tmp_path):
    path = tmp_path / "a.txt"
    paragraphs = [f"{n} " + "word " * 100 + "end." for n in range(40)]
    path.write_bytes("\r\n\r\n".join(paragraphs).encode())
    rows = [record.values["text"] for record in PlainText(path, "utf-8").records()]
    assert all(row.endswith("end.") and len(row) <= CUT.size for row in rows)
    assert "\n\n".join(rows) == "\n\n".join(paragraphs)
    assert len(rows) < 10


@pytest.mark.parametrize("block", [1, 2, 5, 100])
def test_line_ends_of_every_system_are_one(tmp_path, monkeypatch, block):
    monkeypatch.setattr("studio.datasets.reading.decoding.BLOCK", block)
    path = tmp_path / "a.txt"
    path.write_bytes(b"a\r\nb\rc\n\r\nd")
    assert [record.values["text"] for record in PlainText(path, "utf-8").records()] == ["a\nb\nc\n\nd"]


def test_a_paragraph_too_long_is_cut_between_sentences(tmp_path):
    text = " ".join(f"Sentence number {n} is here." for n in range(1000))
    rows = [row for _, row in pieces(iter([text]))]
    assert all(row.startswith("Sentence") and row.endswith("here.") for row in rows)
