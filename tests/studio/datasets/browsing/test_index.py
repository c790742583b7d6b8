"""The index of a version: whole or not looked at, never for another version, made again when it is gone."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3

import pytest

from studio.datasets.browsing import index
from studio.datasets.browsing.fulltext import BATCH_ROWS, BLOCK_ROWS, FullText, build, fold, pieces, said
from studio.datasets.browsing.index import Index
from studio.datasets.importing.steps import import_file
from studio.datasets.store import Dataset
from studio.errors import Broken, Busy
from studio.settings.importing import ImportSettings


class Killed(Exception):
    pass


def put(workspace, tmp_path, texts, name="set"):
    source = tmp_path / "a.jsonl"
    source.write_text(
        "".join(json.dumps({"question": text, "answer": f"yes {n}"}) + "\n" for n, text in enumerate(texts))
    )
    import_file(workspace, ImportSettings(source=str(source), name=name))
    return Dataset.open(workspace, name)


@pytest.fixture
def dataset(workspace, tmp_path):
    return put(workspace, tmp_path, [f"Row {n} of many" for n in range(100)])


def make(dataset, version=1):
    made = Index(dataset, version)
    made.build(lambda *_: None)
    return made


def test_blocks_that_are_not_full_and_batches_that_are(workspace, tmp_path):
    rows = BATCH_ROWS + BLOCK_ROWS + 3
    dataset = put(workspace, tmp_path, [f"row number {n} " + "ü" * (n % 7) for n in range(rows)])
    told = []
    build(dataset.path(1), tmp_path / "words", "mark", told.append)
    text = FullText(tmp_path / "words")
    assert (text.rows, text.stamp, told) == (rows, "mark", [BATCH_ROWS, rows])
    for n in (0, BLOCK_ROWS - 1, BLOCK_ROWS, BATCH_ROWS - 1, BATCH_ROWS, rows - 1):
        numbers, sure = text.candidates(f"number {n} ")
        assert n in numbers and not sure
        assert numbers[text.holds(numbers, f"number {n} ")].tolist() == [n]
    assert text.candidates("üüü")[1]


def test_of_long_texts_fewer_are_held_and_all_are_found(workspace, tmp_path, monkeypatch):
    monkeypatch.setattr("studio.datasets.browsing.fulltext.BATCH_CHARACTERS", 10)
    dataset = put(workspace, tmp_path, [f"text {n}" for n in range(3 * BLOCK_ROWS + 5)])
    done: list[int] = []
    build(dataset.path(1), tmp_path / "words.sqlite", "mark", done.append)
    assert done == [BLOCK_ROWS, 2 * BLOCK_ROWS, 3 * BLOCK_ROWS, 3 * BLOCK_ROWS + 5]
    text = FullText(tmp_path / "words.sqlite")
    numbers, _ = text.candidates("text 99")
    assert numbers[text.holds(numbers, "text 99")].tolist() == [99]


def test_one_or_two_characters_are_found_at_once_wherever_they_stand(workspace, tmp_path, monkeypatch):
    """Also at the very end of a text, where no piece of three begins; Chinese words often have no more."""
    answers = ["all is well", "so is 日本", "the 本 book", "x y zq", "quiz", "zq ends", "a “word”"]
    source = tmp_path / "a.jsonl"
    source.write_text(
        "".join(json.dumps({"question": f"q{n}", "answer": text}) + "\n" for n, text in enumerate(answers))
    )
    import_file(workspace, ImportSettings(source=str(source), name="set"))
    build(Dataset.open(workspace, "set").path(1), tmp_path / "words", "mark", lambda _: None)
    text = FullText(tmp_path / "words")
    for words in ("zq", "z", "is", "日本", "本", "k", "l", "q6", "”", "s ", "no", "ß"):
        expected = [n for n, answer in enumerate(answers) if words in f"q{n}\n{answer}"]
        numbers, sure = text.candidates(words)
        assert (numbers.tolist(), sure) == (expected, True), words
    assert text.candidates("\n")[1] is False  # there is one behind every text in the index, and not in the text
    monkeypatch.setattr("studio.datasets.browsing.fulltext.MOST_SHORT", 1)
    numbers, sure = text.candidates("s ")
    assert len(numbers) == len(answers) and not sure


def test_of_long_words_the_rarest_pieces_are_asked_for(workspace, tmp_path):
    dataset = put(workspace, tmp_path, [f"the same beginning everywhere, but {n:05} in it" for n in range(300)])
    build(dataset.path(1), tmp_path / "words", "mark", lambda _: None)
    numbers, sure = FullText(tmp_path / "words").candidates("beginning everywhere, but 00077 in")
    assert 77 in numbers and not sure and len(numbers) < 30


def test_pieces_cover_the_words():
    assert pieces("ab") == [] and pieces("abc") == ["abc"] and pieces("abcd") == ["abc", "bcd"]
    long = pieces("".join(chr(97 + n % 26) + str(n) for n in range(300)))
    assert len(long) == 24 and fold("ὈΔΥΣΣΕΎΣ") == "ὀδυσσεύσ"


def test_what_a_search_looks_through():
    turns = [
        {"role": "user", "content": "Ask"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"function": {"name": "Weather", "arguments": {"in": "Köln"}}}],
        },
        {"role": "assistant", "content": "Sunny", "reasoning_content": "Hm"},
    ]
    found = said(
        {"messages": turns, "chosen": None, "rejected": [{"role": "assistant", "content": "No"}], "label": "L"}
    )
    for words in ("ask", "weather", "köln", "sunny", "hm", "no", "l"):
        assert words in found
    assert "role" not in found and "assistant" not in found


def test_a_killed_builder_leaves_nothing_that_is_looked_at(dataset):
    def die(done, total, what):
        if "searchable" in what:
            raise Killed

    with pytest.raises(Killed):
        Index(dataset, 1).build(die)
    there = Index(dataset, 1)
    assert there.columns() is not None and there.fulltext() is None
    assert dataset.page(1, 0, 9, search="row 77").total == 1  # by reading the file
    (there.folder / ".words.sqlite.abcd.partial").write_bytes(b"half")
    make(dataset)
    assert there.fulltext() is not None and not list(there.folder.glob(".*"))


@pytest.mark.parametrize("harm", ["empty", "text", "gone", "column", "folder"])
def test_a_damaged_index_is_made_again(dataset, harm):
    made = make(dataset)
    words, column = made.folder / "words.sqlite", next(made.folder.glob("columns/*characters.npy"))
    match harm:
        case "folder":
            shutil.rmtree(made.folder)
        case "column":
            os.truncate(column, 150)
        case "gone":
            words.unlink()
        case "text":
            words.write_text("not a database " * 1000)
        case "empty":
            os.truncate(words, 0)
    assert made.columns() is None or made.fulltext() is None
    assert dataset.page(1, 0, 9, search="row 77 of", sort="characters").total == 1
    make(dataset)
    assert made.columns() is not None and made.fulltext() is not None
    assert dataset.page(1, 0, 9, search="row 77 of", sort="-characters").total == 1


def test_no_question_harms_the_index(dataset):
    words = make(dataset).folder / "words.sqlite"
    for search in ("ro\0w 77 of", "row \ud80077 of", '"row\0" 77 of'):
        found = dataset.page(1, 0, 9, search=search).total
        assert (found, words.exists()) == (0 if '"' in search else 1, True), search
    with pytest.raises(Broken, match="can't be read"):
        FullText(words).candidates("row\0 77 of")
    assert words.exists() and dataset.page(1, 0, 9, search="row 77 of").total == 1


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_an_index_damaged_in_its_midst_is_thrown_away_when_it_is_met(dataset, share):
    made = make(dataset)
    words = made.folder / "words.sqlite"
    with open(words, "r+b") as file:
        file.seek(int(words.stat().st_size * share))
        file.write(b"\xff" * int(words.stat().st_size * (1 - share)))
    try:
        found = dataset.page(1, 0, 9, search="row 77 of").total
    except Broken as error:
        assert error.next == "Search again." and not words.exists()
        found = dataset.page(1, 0, 9, search="row 77 of").total
    assert found == 1


def test_an_index_never_answers_for_another_version(dataset, workspace, tmp_path):
    make(dataset)
    again = put(workspace, tmp_path, [f"Other {n}" for n in range(50)])
    assert again.latest == 2 and Index(again, 2).fulltext() is None
    shutil.copytree(again.folder / "index" / "0001", again.folder / "index" / "0002")
    assert Index(again, 2).fulltext() is None and Index(again, 2).columns() is None
    assert again.page(2, 0, 9, search="row 7").total == 0 and again.page(1, 0, 9, search="row 77").total == 1
    workspace.delete("datasets", "set")
    new = put(workspace, tmp_path, [f"New {n}" for n in range(100)])
    shutil.copytree(next(workspace.root.glob("trash/**/index")), new.folder / "index")
    assert Index(new, 1).fulltext() is None and Index(new, 1).columns() is None


def test_a_copied_dataset_keeps_its_index(dataset, workspace):
    make(dataset)
    shutil.copytree(dataset.folder, workspace.datasets / "copy")
    assert Index(Dataset.open(workspace, "copy"), 1).fulltext() is not None


def test_one_at_a_time(dataset):
    def again(*_):
        with pytest.raises(Busy):
            Index(dataset, 1).build(lambda *_: None)

    Index(dataset, 1).build(again)


def test_small_versions_need_none(dataset, workspace):
    assert Index(dataset, 1).state(workspace) == index.State("none")
    assert Index(dataset, 1).start(workspace) == index.State("none") and not list(workspace.jobs.iterdir())


def test_the_index_holds_no_positions_and_is_read_only(dataset):
    made = make(dataset)
    with made.fulltext()._open() as connection, pytest.raises(sqlite3.OperationalError):
        connection.execute("DELETE FROM blocks")
