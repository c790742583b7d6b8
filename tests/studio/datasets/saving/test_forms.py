"""What is written for other tools imports here again as it was."""

from __future__ import annotations

import json

import pytest

from studio.datasets.importing.steps import import_file
from studio.datasets.rows import Row
from studio.datasets.saving import downloads
from studio.datasets.saving.forms import Unfit, alpaca, sharegpt
from studio.datasets.store import Dataset
from studio.settings.importing import ImportSettings

SYSTEM = {"role": "system", "content": "Be kind."}
ASKED = {"role": "user", "content": "Where is it?"}
SAID = {"role": "assistant", "content": "Here."}
CALL = {"type": "function", "function": {"name": "find", "arguments": {"what": "it"}}}
TOOL = {"type": "function", "function": {"name": "find", "description": "Finds.", "parameters": {"type": "object"}}}
CHATS = [
    Row("1", "chat", [ASKED, SAID]),
    Row(
        "2",
        "chat",
        [SYSTEM, ASKED, SAID, {"role": "user", "content": "And now?"}, {"role": "assistant", "content": "There."}],
    ),
]
TOOLS = Row(
    "3",
    "chat",
    [ASKED, {"role": "assistant", "content": "", "tool_calls": [CALL]}, {"role": "tool", "content": "box 3"}, SAID],
    [TOOL],
)
PAIR = Row("4", "preference", [ASKED], chosen=[SAID], rejected=[{"role": "assistant", "content": "No idea."}])
JUDGED = Row("5", "feedback", [ASKED, SAID], label="false")
LABEL = Row("6", "label", [ASKED], label="LOST")


def again(workspace, tmp_path, record, name="again"):
    source = tmp_path / f"{name}.jsonl"
    source.write_text(json.dumps(record) + "\n")
    import_file(workspace, ImportSettings(source=str(source), name=name))
    return next(Dataset.open(workspace, name).rows())


@pytest.mark.parametrize("row", [*CHATS, PAIR, JUDGED], ids=lambda row: row.row_id)
def test_alpaca_comes_back(workspace, tmp_path, row):
    back = again(workspace, tmp_path, alpaca(row))
    assert (back.kind, back.messages, back.chosen, back.rejected, back.label) == (
        row.kind, row.messages, row.chosen, row.rejected, row.label,
    )  # fmt: skip


@pytest.mark.parametrize("row", [*CHATS, TOOLS, PAIR, JUDGED], ids=lambda row: row.row_id)
def test_sharegpt_comes_back(workspace, tmp_path, row):
    back = again(workspace, tmp_path, sharegpt(row))
    assert back.kind == row.kind and [turn["role"] for turn in back.messages] == [turn["role"] for turn in row.messages]
    assert [turn.get("content") for turn in back.messages] == [turn.get("content") for turn in row.messages]
    assert (back.chosen, back.rejected, back.label) == (row.chosen, row.rejected, row.label)
    if row.tools:
        assert back.tools[0]["function"]["name"] == "find"
        assert back.messages[1]["tool_calls"][0]["function"] == CALL["function"]


def test_a_label_is_an_answer(workspace, tmp_path):
    assert alpaca(LABEL) == {"instruction": "Where is it?", "input": "", "output": "LOST"}
    assert sharegpt(LABEL)["conversations"][-1] == {"from": "gpt", "value": "LOST"}


@pytest.mark.parametrize(
    ("form", "row"),
    [
        (alpaca, TOOLS),
        (alpaca, Row("7", "chat", [ASKED, ASKED, SAID])),
        (alpaca, Row("8", "preference", [ASKED], chosen=[SAID, ASKED], rejected=[SAID])),
        (sharegpt, Row("9", "text", text="some words")),
    ],
)
def test_what_has_no_place_says_why(form, row):
    with pytest.raises(Unfit, match=r"\w+ \w+"):
        form(row)


def test_rows_that_do_not_fit_are_left_out_and_counted(workspace, tmp_path):
    source = tmp_path / "rows.jsonl"
    records = [{"messages": [ASKED, SAID]}, {"messages": TOOLS.messages, "tools": TOOLS.tools}]
    source.write_text("".join(json.dumps(record) + "\n" for record in records))
    import_file(workspace, ImportSettings(source=str(source), name="set"))
    dataset = Dataset.open(workspace, "set")
    lines = b"".join(downloads.jsonl(dataset, None, "alpaca")).splitlines()
    assert [json.loads(line)["output"] for line in lines] == ["Here."]
    left = downloads.left(dataset, None, "alpaca")
    assert (left.rows, left.why) == (1, "it calls tools, for which this form has no place")
    assert left.words() == ["1 row left out; the first because it calls tools, for which this form has no place."]
    assert not downloads.left(dataset, None, "sharegpt").words() and not downloads.left(dataset, None, "csv").words()
    assert len(b"".join(downloads.jsonl(dataset)).splitlines()) == 2
