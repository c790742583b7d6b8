"""Encodings: found by their mark, believed when named, else refused with the place of the first wrong byte."""

from __future__ import annotations

import pytest

from studio.datasets.reading.decoding import find_encoding
from studio.datasets.reading.readers import open_reader
from studio.datasets.reading.records import Reading
from studio.errors import BadInput


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_marked_files_are_read_whatever_is_asked(tmp_path, encoding):
    path = tmp_path / "a.csv"
    path.write_text("frage,antwort\nWie geht’s?,Gut – danke\n", encoding=encoding)
    for asked in ("auto", "cp1252"):
        (record,) = open_reader(path, Reading(asked)).records()
        assert record.values == {"frage": "Wie geht’s?", "antwort": "Gut – danke"}


def test_windows_letters_are_read_only_when_named(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("q,a\nx,y\nGrüße,ja\n".encode("cp1252"))
    with pytest.raises(BadInput) as caught:
        list(open_reader(path).records())
    assert "Byte 10, in line 3, 0xFC" in caught.value.why
    assert "--encoding cp1252" in caught.value.next
    assert [record.values["q"] for record in open_reader(path, Reading("cp1252")).records()] == ["x", "Grüße"]


@pytest.mark.parametrize("size", [3, 100, (1 << 20) - 3, (1 << 20) - 1, 1 << 20, 3 << 20])
def test_the_place_of_a_wrong_byte_is_exact_in_large_files(tmp_path, size):
    path = tmp_path / "a.txt"
    good = ("ä" + "x" * 97 + "\n").encode() * (size // 100 + 1)
    good = good[:size] if size % 100 else good
    good = good.decode(errors="ignore").encode()
    path.write_bytes(good + b"\xff tail")
    with pytest.raises(BadInput) as caught:
        list(open_reader(path).records())
    line = good.count(b"\n") + 1
    assert f"Byte {len(good):,}, in line {line:,}, 0xFF" in caught.value.why


def test_the_place_is_exact_behind_a_letter_that_lies_in_two_blocks(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * ((1 << 20) - 1) + "ä\n".encode() + b"\xff")
    with pytest.raises(BadInput, match=f"Byte {(1 << 20) + 2:,}, in line 2, 0xFF"):
        list(open_reader(path).records())


def test_a_character_cut_in_two_at_the_end(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes('{"a": "x"}\n{"a": "ä'.encode()[:-1])
    with pytest.raises(BadInput, match="line 2"):
        list(open_reader(path).records())


def test_unknown_encodings_are_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\nc,d\n")
    for name in ("klingon", "hex", "rot13", "a\0b"):
        with pytest.raises(BadInput):
            find_encoding(path, name)
    assert find_encoding(path, "latin1") == "iso8859-1"
