"""JSON as people save it: broken lines, cut-off arrays, lists inside objects, mixed shapes."""

from __future__ import annotations

import json

import pytest

from studio.datasets.reading.json_rows import Scanner
from studio.datasets.reading.readers import open_reader
from studio.errors import BadInput


def read(tmp_path, text, name="a.json"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return list(open_reader(path).records())


def test_a_broken_line_is_a_bad_row_and_reading_goes_on(tmp_path):
    records = read(tmp_path, '{"a": 1}\n{"a": \n\n[1]\n"x"\n{"a": 2}\n{}\n{"a": "\\ud83d"}\n{"a"', "a.jsonl")
    assert [(record.line, record.problem) for record in records if record.values is None] == [
        (2, "its JSON breaks off before its end"),
        (4, "it is a list, not an object with named fields"),
        (5, "it is a text, not an object with named fields"),
        (7, "it is an empty object"),
        (8, "it holds half a character (a lone \\u escape)"),
        (9, "its JSON breaks off before its end"),
    ]
    assert [record.values for record in records if record.values] == [{"a": 1}, {"a": 2}]


def test_an_array_of_mixed_shapes_gives_a_reason_for_each(tmp_path):
    records = read(
        tmp_path, '[{"a": 1}, 3, null, ["x"], "y", {"b": 2}, true, {"a": "\\uD83D"}, {"a": "\\ud83d\\ude00"}]'
    )
    assert [record.problem.split(",")[0] for record in records] == [
        "", "it is a number", "it is empty (null)", "it is a list", "it is a text", "", "it is true or false",
        "it holds half a character (a lone \\u escape)", "",
    ]  # fmt: skip
    assert records[-1].values == {"a": "😀"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[{"a": 1}, {"a": 2', "breaks off in row 2"),
        ('[{"a": 1}, {"a": "never closed', "breaks off in row 2"),
        ('[{"a": 1},\n{"a" 2},\n{"a": 3}]', "row 2, line 2"),
        ('[{"a": 1}] [{"a": 2}]', "behind its end"),
        ('[{"a": 1},]', "row 2"),
        ('{"q": {"0": "x"}, "a": {"0": "y"}}', "not a list of rows"),
        ('{"train": [{"a": 1}], "test": [{"a": 2}]}', "“train”, “test”"),
        ('{"a": [{"b": 1}]', "breaks off"),
        ("{1: 2}", "name in quotation marks"),
        ("[" * 100_000, "nested too deeply"),
        ('[{"a": 1},\n {"a": 2},\n]', "a comma too many before the last bracket (line 3): row 3 should follow"),
    ],
)
def test_what_can_not_be_told_apart_is_refused_with_its_place(tmp_path, text, words):
    with pytest.raises(BadInput) as caught:
        read(tmp_path, text)
    assert words in caught.value.why
    assert caught.value.next


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_values_cut_by_the_end_of_a_block_are_read_whole(tmp_path, size):
    values = [12345, -6.5e30, True, None, '\\ " ü 😀', [], {"a": [1, {"b": "x" * 50}]}, 7]
    text = json.dumps(values)
    pieces = iter([text[at : at + size] for at in range(0, len(text), size)])
    assert list(Scanner(tmp_path, pieces).array()) == values


def test_a_lone_record_is_a_row(tmp_path):
    turns = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]
    text = json.dumps({"messages": turns, "meta": {"id": 1}}, indent=1)
    assert [record.values for record in read(tmp_path, text)] == [{"messages": turns, "meta": {"id": 1}}]


def test_a_large_array_is_read_in_little_memory(tmp_path):
    import tracemalloc

    path = tmp_path / "large.json"
    with open(path, "w") as file:
        file.write("[" + ",".join(json.dumps({"a": "x" * 1000, "n": n}) for n in range(20_000)) + "]")
    reader = open_reader(path)
    tracemalloc.start()
    count = sum(1 for _ in reader.records())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 12 << 20  # the file has 20 MB
