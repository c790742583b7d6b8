"""The pictures of a dataset say what is in it."""

from __future__ import annotations

import json
import tracemalloc

import pyarrow.parquet as pq
import pytest

from studio.datasets import store
from studio.datasets.browsing.pictures import MAP, answer_of, pictures, points, text_of
from studio.datasets.importing.steps import import_file
from studio.datasets.rows import Row
from studio.datasets.store import Dataset
from studio.errors import Broken
from studio.settings.importing import ImportSettings
from tests.sets import make_set

WEATHER = "The weather in the mountains changes quickly, so take a warm coat and a map with you."
CATS = "Die Katze schläft am liebsten auf dem warmen Fensterbrett, während draußen der Regen fällt."


def put(workspace, tmp_path, records):
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps(record) + "\n" for record in records))
    import_file(workspace, ImportSettings(source=str(source), name="set"))
    return Dataset.open(workspace, "set")


def test_turns_answers_languages_and_likenesses(workspace, tmp_path):
    plain = [{"prompt": f"Tell me about {n}", "completion": f"{WEATHER} Number {n}."} for n in range(3)]
    german = [{"prompt": "Und die Katze?", "completion": CATS}]
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}]
    long = [{"messages": [*turns, {"role": "user", "content": "Bye"}, {"role": "assistant", "content": "So long."}]}]
    source = [
        {"messages": [{"role": "user", "content": r["prompt"]}, {"role": "assistant", "content": r["completion"]}]}
        for r in plain + german
    ]
    found = pictures(put(workspace, tmp_path, source + long), 1)
    assert (found.rows, found.of, found.turns) == (5, 5, {2: 4, 4: 1})
    assert found.languages == {"English": 3, "German": 1, "too short to tell": 1}
    assert found.clusters == [3] and sorted(found.answers)[0] == len("Yes?\nSo long.")
    assert Dataset.open(workspace, "set").row(1, found.likest).messages[1]["content"].startswith(WEATHER)


def test_rows_of_every_kind_say_something():
    asked, said = {"role": "user", "content": "What?"}, {"role": "assistant", "content": "That."}
    system = {"role": "system", "content": "Be kind."}
    rows = {
        "chat": Row("1", "chat", [system, asked, said]),
        "label": Row("2", "label", [asked], label="THAT"),
        "preference": Row("3", "preference", [asked], chosen=[said], rejected=[system]),
        "feedback": Row("4", "feedback", [asked, said], label="true"),
        "text": Row("5", "text", text="Words."),
    }
    assert {kind: text_of(row) for kind, row in rows.items()} == {
        "chat": "What?\nThat.\n",
        "label": "What?\nTHAT",
        "preference": "What?\nThat.\n",
        "feedback": "What?\nThat.\n",
        "text": "Words.",
    }
    assert {kind: answer_of(row) for kind, row in rows.items()} == {
        "chat": "That.", "label": "THAT", "preference": "That.", "feedback": "That.", "text": "",
    }  # fmt: skip


def test_groups_are_told_the_largest_first(workspace):
    others = [f"{CATS} {letter * 30}" for letter in "ab"]
    rows = make_set(workspace, "set", [{"kind": "text", "text": text} for text in (*others, "short", *[WEATHER] * 3)])
    found = pictures(rows, 1)
    assert found.clusters == [3, 2] and rows.row(1, found.likest).text == WEATHER


def test_of_long_rows_a_few_are_held_and_every_so_many_th_is_seen(workspace):
    rows = [{"kind": "text", "text": f"{WEATHER} {n} " + f"word{n} " * 300_000} for n in range(40)]  # 80 MB in all
    dataset = make_set(workspace, "set", rows)
    pq.write_table(pq.read_table(dataset.path()), dataset.path(), row_group_size=1)  # as an import does by their size
    tracemalloc.start()
    try:
        found = pictures(dataset, 1, most=10)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (found.rows, found.compared, found.of) == (10, 40, 40)
    assert peak < 60 << 20


@pytest.mark.parametrize("most", [1, 7, 50, 51, 1000])
def test_rows_are_spread_as_a_sample_is_taken(workspace, most, monkeypatch):
    dataset = make_set(workspace, "set", [{"kind": "text", "text": str(n)} for n in range(50)])
    monkeypatch.setattr(store, "BATCH_ROWS", 8)
    assert list(dataset.spread(1, most)) == dataset.sample(1, most)


def test_a_map_that_can_t_be_read_is_said(workspace, tmp_path):
    dataset = put(workspace, tmp_path, [{"text": "some words"}])
    (tmp_path / MAP).write_bytes(b"nothing")
    for folder in (tmp_path, workspace.root):
        with pytest.raises(Broken, match="can't be read"):
            points(dataset, 1, folder)
