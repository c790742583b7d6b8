"""The files that nobody on this project wrote import whole."""

from __future__ import annotations

import json

import pytest

from studio.datasets.importing.steps import import_file
from studio.datasets.store import Dataset
from studio.settings.importing import ImportSettings


def bring(workspace, real_data, file):
    made = import_file(workspace, ImportSettings(source=str(real_data / file), name="real"))
    assert made.info["bad_rows"] == 0
    return made, list(Dataset.open(workspace, "real").rows())


def original(real_data, file):
    return json.loads((real_data / file).read_text(encoding="utf-8"))


def said(turns):
    return [turn["content"] for turn in turns]


def test_alpaca(workspace, real_data):
    made, rows = bring(workspace, real_data, "alpaca_en_demo.json")
    records = original(real_data, "alpaca_en_demo.json")
    assert (made.info["format"], len(rows), len({row.row_id for row in rows})) == ("alpaca", 999, 999)
    assert made.info["counts"] == {"train": 799, "validation": 100, "test": 100}
    for row, record in zip(rows, records, strict=True):
        asked = record["instruction"] + ("\n" + record["input"] if record["input"] else "")
        assert said(row.messages) == [asked, record["output"]]


def test_preference_in_sharegpt(workspace, real_data):
    made, rows = bring(workspace, real_data, "dpo_en_demo.json")
    assert (made.info["format"], made.info["kind"], len(rows)) == ("preference", "preference", 300)
    for row, record in zip(rows, original(real_data, "dpo_en_demo.json"), strict=True):
        assert said(row.messages) == [turn["value"] for turn in record["conversations"] if turn["value"]]
        assert said(row.chosen) == [record["chosen"]["value"]]
        assert said(row.rejected) == [record["rejected"]["value"]]


def test_feedback(workspace, real_data):
    made, rows = bring(workspace, real_data, "kto_en_demo.json")
    assert (made.info["format"], len(rows)) == ("feedback", 300)
    for row, record in zip(rows, original(real_data, "kto_en_demo.json"), strict=True):
        assert said(row.messages) == said(record["messages"])
        assert row.label == ("true" if record["label"] else "false")


def test_tool_calls_in_sharegpt(workspace, real_data):
    made, rows = bring(workspace, real_data, "glaive_toolcall_en_demo.json")
    assert (made.info["format"], len(rows)) == ("sharegpt", 300)
    calls = 0
    for row, record in zip(rows, original(real_data, "glaive_toolcall_en_demo.json"), strict=True):
        turns = record["conversations"]
        spoken = [turn["value"] for turn in turns if turn["from"] != "function_call"]
        assert [text for text in said(row.messages) if text] == [text for text in spoken if text]
        made_calls = [call["function"] for turn in row.messages for call in turn.get("tool_calls", [])]
        wanted = [turn["value"] for turn in turns if turn["from"] == "function_call"]
        assert len(made_calls) >= len(wanted)
        assert all(isinstance(call["arguments"], dict) and call["name"] for call in made_calls)
        assert len(row.tools or []) == len(json.loads(record["tools"] or "[]"))
        calls += len(made_calls)
    assert calls > 100


def test_raw_text(workspace, real_data):
    made, rows = bring(workspace, real_data, "wiki_demo_200k.txt")
    text = (real_data / "wiki_demo_200k.txt").read_text(encoding="utf-8")
    assert made.info["format"] == "text"
    assert "".join("".join(row.text.split()) for row in rows) == "".join(text.split())
    assert max(len(row.text) for row in rows) <= 4000
    assert min(made.info["counts"].values()) >= 5


@pytest.mark.parametrize("file", ["alpaca_en_demo.json", "kto_en_demo.json"])
def test_importing_again_gives_the_same_ids_and_sides(workspace, real_data, file):
    _, first = bring(workspace, real_data, file)
    made, again = bring(workspace, real_data, file)
    assert made.version == 2
    assert again == first
