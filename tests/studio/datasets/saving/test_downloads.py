"""What is downloaded can be imported again, and is the same then."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from studio.datasets.importing.steps import import_file
from studio.datasets.saving.downloads import jsonl, left, records, table
from studio.datasets.store import Dataset
from studio.settings.importing import ImportSettings
from tests.sets import make_set

TURNS = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Wo?\nÜber, “hier”"},
    {"role": "assistant", "content": "=1+1, so"},
]
CALL = {"type": "function", "function": {"name": "look", "arguments": {"at": 1}}}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
KINDS = {
    "chat": [{"messages": TURNS}, {"messages": TURNS[1:]}],
    "long": [{"messages": [*TURNS, {"role": "user", "content": "And?"}, {"role": "assistant", "content": "Yes."}]}],
    "tools": [
        {
            "messages": [
                TURNS[1],
                {"role": "assistant", "content": "", "tool_calls": [CALL]},
                {"role": "tool", "content": "2"},
                TURNS[2],
            ],
            "tools": [TOOL],
        }
    ],
    "label": [{"text": f"text {n}", "label": "a", "domain": "d"} for n in range(3)],
    "preference": [{"prompt": "p", "chosen": "c", "rejected": "r"}],
    "feedback": [{"prompt": "p", "completion": "c", "label": n % 2 == 0} for n in range(4)],
    "text": [{"text": "Some words.\n\nOther words."}],
}


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_download_imports_as_what_it_was(workspace, tmp_path, kind, form):
    source = tmp_path / "a.jsonl"
    source.write_text("".join(json.dumps(record) + "\n" for record in KINDS[kind]))
    import_file(workspace, ImportSettings(source=str(source), name="one"))
    one = Dataset.open(workspace, "one")
    back = tmp_path / f"b.{form}"
    whole = {"jsonl": jsonl, "csv": table, "parquet": lambda one: [one.path().read_bytes()]}[form]
    back.write_bytes(b"".join(whole(one)))
    wanted = "text" if kind == "text" and form != "csv" else "auto"
    import_file(workspace, ImportSettings(source=str(back), name="two", read_as=wanted))
    taught = [_taught(row) for row in one.rows()]
    assert [_taught(row) for row in Dataset.open(workspace, "two").rows()] == taught


def _taught(row):
    if row.kind == "text":
        return row.text, row.split
    said = row.messages if row.kind in ("preference", "feedback") else row.conversation()
    return said, row.chosen, row.rejected, row.kind == "feedback" and row.label, row.tools, row.split, row.tags


def test_a_table_has_plain_columns_where_it_can(workspace, tmp_path):
    source = tmp_path / "a.csv"
    source.write_text("question,answer\nq,a\n")
    import_file(workspace, ImportSettings(source=str(source), name="one"))
    data = b"".join(table(Dataset.open(workspace, "one"))).decode("utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(data, newline=""))
    assert (row["prompt"], row["completion"], row["split"]) == ("q", "a", "train")


def test_what_looks_like_a_formula_is_told_and_imports_as_it_was(workspace, tmp_path, monkeypatch):
    texts = ['=HYPERLINK("http://a.b")', "-5", "+1 more", "plain"]
    rows = [{"prompt": text, "completion": "@home" if text == "plain" else "a"} for text in texts]
    source = tmp_path / "a.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    import_file(workspace, ImportSettings(source=str(source), name="one"))
    dataset = Dataset.open(workspace, "one")
    (told,) = left(dataset, None, "csv").words()
    assert told.startswith("3 cells could be taken for a formula") and not left(dataset, None, "messages").words()
    assert left(dataset, None, "csv", most=4).words() == [told]
    monkeypatch.setattr(Dataset, "rows", lambda *_: pytest.fail("all rows are gone through while a page waits"))
    (told,) = left(dataset, None, "csv", most=2).words()
    assert told.startswith("2 cells in the 2 rows looked at could be taken for a formula")
    monkeypatch.setattr(Dataset, "sample", lambda dataset, version, most: dataset.at(version, [1]))
    (told,) = left(dataset, None, "csv", most=1).words()
    assert told.startswith("No cell in the 1 row looked at") and "another row may be" in told
    monkeypatch.undo()
    saved = tmp_path / "saved.csv"
    saved.write_bytes(b"".join(table(dataset)))
    import_file(workspace, ImportSettings(source=str(saved), name="again"))
    assert [row.messages for row in Dataset.open(workspace, "again").rows()] == [row.messages for row in dataset.rows()]


def test_a_tag_never_stands_for_a_field(workspace, tmp_path):
    named = ("messages", "split", "row_id", "prompt", "domain")
    source = tmp_path / "a.jsonl"
    source.write_text(json.dumps({"question": "q", "answer": "a"}) + "\n")
    import_file(workspace, ImportSettings(source=str(source), name="one", split="train=1"))
    one = Dataset.open(workspace, "one")
    (row,) = one.rows()
    tagged = replace(row, tags=dict.fromkeys(named, "tag"))
    (record,) = records([tagged], "messages")
    assert record["messages"] == row.messages and (record["row_id"], record["split"]) == (row.row_id, "train")
    assert list(record)[-1] == "domain" and record["domain"] == "tag"
    one.rows = lambda *_: iter([tagged])  # type: ignore[method-assign]
    (line,) = csv.DictReader(io.StringIO(b"".join(table(one)).decode("utf-8-sig"), newline=""))
    assert (line["prompt"], line["row_id"], line["split"], line["domain"]) == ("q", row.row_id, "train", "tag")


def test_it_streams(workspace, tmp_path):
    source = tmp_path / "a.txt"
    source.write_text("\n\n".join("word " * 200 + str(n) for n in range(2000)))
    import_file(workspace, ImportSettings(source=str(source), name="one"))
    for form in (jsonl, table):
        blocks = [len(block) for block in form(Dataset.open(workspace, "one"))]
        assert len(blocks) > 4 and max(blocks) < 1 << 20


@pytest.mark.parametrize("turn_round", [False, True])
def test_a_table_holds_rows_of_several_kinds(workspace, turn_round):
    """As a mixture of conversations and labels has them, whichever comes first."""
    asked, said = {"role": "user", "content": "What?"}, {"role": "assistant", "content": "That."}
    rows = [
        {"kind": "chat", "messages": [asked, said]},
        {"kind": "label", "messages": [asked], "label": "late"},
        {"kind": "feedback", "messages": [asked, said], "label": "true"},
        {"kind": "preference", "messages": [asked], "chosen": [said], "rejected": [asked]},
        {"kind": "text", "text": "Words."},
    ]
    dataset = make_set(workspace, "one", reversed(rows) if turn_round else rows)
    lines = list(csv.DictReader(io.StringIO(b"".join(table(dataset)).decode("utf-8-sig"), newline="")))
    chat, label, feedback, preference, text = reversed(lines) if turn_round else lines
    assert json.loads(chat["messages"]) == [asked, said] and chat["chosen"] == chat["label"] == chat["text"] == ""
    assert json.loads(label["messages"])[-1]["content"] == "late"
    assert feedback["label"] == "true" and json.loads(preference["rejected"]) == [asked]
    assert (text["text"], text["messages"]) == ("Words.", "")
