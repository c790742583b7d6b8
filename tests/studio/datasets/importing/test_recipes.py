"""What LLaMA-Factory and Axolotl are told of their data is taken as it stands, or refused in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from studio.datasets.importing.steps import import_file
from studio.datasets.rows import Row
from studio.datasets.store import Dataset
from studio.errors import BadInput
from studio.settings.importing import ImportSettings

SHAREGPT = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]
OWN = [{"who": "boss", "says": "q"}, {"who": "clerk", "says": "a", "learn": False}, {"who": "boss", "says": "r"}]
OWN += [{"who": "clerk", "says": "b", "learn": True}]
TAGS = {"role_tag": "who", "content_tag": "says", "user_tag": "boss", "assistant_tag": "clerk"}


def first(workspace, folder: Path, recipe: str, records: list[dict[str, Any]], said: Any, **given) -> Row:
    """The first row of what a recipe makes of a file `a.jsonl` beside it."""
    lines = "".join(json.dumps(record | {"n": n}) + "\n" for n, record in enumerate(records * 4))
    (folder / "a.jsonl").write_text(lines)
    (folder / recipe).write_text(said if isinstance(said, str) else json.dumps(said))
    import_file(workspace, ImportSettings(source=[str(folder / recipe)], name="set", **given))
    return next(iter(Dataset.open(workspace, "set").rows()))


def turns(row: Row) -> list[tuple[str, str]]:
    return [(turn["role"], turn["content"]) for turn in row.messages or []]


PAIR = [("user", "q"), ("assistant", "a")]
LLAMA = {
    "alpaca": ({"instruction": "q", "input": "", "output": "a"}, {}, PAIR),
    "columns": (
        {"ask": "q", "more": "m", "ans": "a", "s": "Be kind.", "h": [["x", "y"]]},
        {"columns": {"prompt": "ask", "query": "more", "response": "ans", "system": "s", "history": "h"}},
        [("system", "Be kind."), ("user", "x"), ("assistant", "y"), ("user", "q\nm"), ("assistant", "a")],
    ),
    "sharegpt": ({"conversations": SHAREGPT}, {"formatting": "sharegpt"}, PAIR),
    "openai": ({"messages": [{"role": r, "content": c} for r, c in PAIR]}, {"formatting": "openai"}, PAIR),
    "tags": (
        {"talk": OWN}, {"formatting": "sharegpt", "columns": {"messages": "talk"}, "tags": TAGS},
        [*PAIR, ("user", "r"), ("assistant", "b")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LLAMA)
def test_llama_factory_conversations(workspace, tmp_path, case):
    record, about, wanted = LLAMA[case]
    row = first(workspace, tmp_path, "dataset_info.json", [record], {"mine": {"file_name": "a.jsonl", **about}})
    assert (row.kind, turns(row)) == ("chat", wanted)
    assert (row.source_file, row.source_line) == ("a.jsonl", 1)
    copied = Dataset.open(workspace, "set").folder / "source" / "0001"
    assert sorted(path.name for path in copied.iterdir()) == ["a.jsonl", "dataset_info.json"]


def test_llama_factory_rankings_judgements_and_texts(workspace, tmp_path):
    ranked = {"conversations": SHAREGPT[:1], "chosen": {"from": "gpt", "value": "good"}}
    ranked |= {"rejected": {"from": "gpt", "value": "bad"}}
    columns = {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"}
    about = {"file_name": "a.jsonl", "formatting": "sharegpt", "ranking": True, "columns": columns}
    row = first(workspace, tmp_path, "dataset_info.json", [ranked], {"mine": about})
    assert (row.kind, row.chosen[0]["content"], row.rejected[0]["content"]) == ("preference", "good", "bad")
    columns = {"prompt": "q", "response": "a", "kto_tag": "ok"}
    about = {"file_name": "a.jsonl", "columns": columns}
    row = first(workspace, tmp_path, "dataset_info.json", [{"q": "q", "a": "a", "ok": False}], {"mine": about})
    assert (row.kind, row.label, turns(row)) == ("feedback", "false", PAIR)
    about = {"file_name": "a.jsonl", "columns": {"prompt": "text"}, "num_samples": 2}
    row = first(workspace, tmp_path, "dataset_info.json", [{"text": "Once."}], {"mine": about})
    assert (row.kind, row.text) == ("text", "Once.")
    assert Dataset.open(workspace, "set").version_info()["rows"] == 2


AXOLOTL = {
    "alpaca": ("alpaca", {"instruction": "q", "input": "", "output": "a"}, PAIR),
    "question and answer": ("alpaca_chat.load_qa", {"question": "q", "answer": "a"}, PAIR),
    "sharegpt": ("sharegpt", {"conversations": SHAREGPT}, PAIR),
    "chat_template": ("chat_template", {"messages": [{"role": r, "content": c} for r, c in PAIR]}, PAIR),
    "input_output": ("input_output", {"segments": [{"label": False, "text": "q"}, {"label": True, "text": "a"}]}, PAIR),
}


@pytest.mark.parametrize("case", AXOLOTL)
def test_axolotl_conversations(workspace, tmp_path, case):
    kind, record, wanted = AXOLOTL[case]
    said = f"base_model: x\ndatasets:\n  - path: a.jsonl\n    type: {kind}\n"
    assert turns(first(workspace, tmp_path, "config.yml", [record], said)) == wanted


def test_axolotl_fields_roles_and_turns_that_are_not_learned(workspace, tmp_path):
    said = """
datasets:
  - path: ./data/a.jsonl
    type: chat_template
    field_messages: talk
    message_property_mappings: {role: who, content: says}
    message_field_training: learn
    roles: {user: [boss], assistant: [clerk]}
"""
    row = first(workspace, tmp_path, "config.yaml", [{"talk": OWN}], said)
    assert turns(row) == [*PAIR, ("user", "r"), ("assistant", "b")]
    assert [turn.get("weight") for turn in row.messages] == [None, 0, None, None]
    own = "{field_instruction: ask, field_output: ans, system_prompt: Be kind., format: '[INST] {instruction}'}"
    said = f"datasets:\n  - path: a.jsonl\n    type: {own}\n"
    row = first(workspace, tmp_path, "config.yaml", [{"ask": "q", "ans": "a"}], said)
    assert turns(row) == [("system", "Be kind."), *PAIR]
    assert any("[INST]" in note for note in Dataset.open(workspace, "set").version_info()["notes"])


def test_axolotl_preferences_and_texts(workspace, tmp_path):
    record = {"system": "", "question": "q", "chosen": "good", "rejected": "bad"}
    said = "rl: dpo\ndatasets:\n  - path: a.jsonl\n    type: chatml.intel\n"
    row = first(workspace, tmp_path, "config.yml", [record], said)
    assert (row.kind, row.chosen[0]["content"]) == ("preference", "good")
    said = "pretraining_dataset:\n  - path: a.jsonl\n    field: body\n"
    said = said.replace("field", "type: completion\n    field")
    row = first(workspace, tmp_path, "config.yml", [{"body": "Once."}], said)
    assert (row.kind, row.text) == ("text", "Once.")


def test_axolotl_test_datasets_are_told_of(workspace, tmp_path):
    """They are not read, and nobody is to think that they were held out."""
    said = "datasets:\n  - path: a.jsonl\n    type: alpaca\ntest_datasets:\n  - path: held.jsonl\n    type: alpaca\n"
    first(workspace, tmp_path, "config.yml", [{"instruction": "q", "output": "a"}], said)
    notes = Dataset.open(workspace, "set").version_info()["notes"]
    (told,) = [note for note in notes if "test_datasets" in note]
    assert told.startswith("test_datasets (held.jsonl) was left out") and "--append --split test=1" in told


REFUSED = {
    "several": ({"a": {"file_name": "a.jsonl"}, "b": {"file_name": "a.jsonl"}}, "", "There are: a, b"),
    "no such": ({"a": {"file_name": "a.jsonl"}}, "c", "no dataset “c”"),
    "on the hub": ({"a": {"hf_hub_url": "org/x"}}, "", "hub:org/x"),
    "pictures": ({"a": {"file_name": "a.jsonl", "columns": {"prompt": "p", "images": "i"}}}, "", "only text"),
    "elsewhere": ({"a": {"file_name": "../../etc/passwd"}}, "", "no such file lies in the folder"),
    "formatting": ({"a": {"file_name": "a.jsonl", "formatting": "riddle"}}, "", "“riddle”"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_not_be_taken_over_is_refused_in_words(workspace, tmp_path, case):
    said, entry, words = REFUSED[case]
    with pytest.raises(BadInput) as caught:
        first(workspace, tmp_path, "dataset_info.json", [{"instruction": "q", "output": "a"}], said, entry=entry)
    assert words in str(caught.value) and caught.value.next
    assert workspace.names("datasets") == []


def test_axolotl_types_that_are_not_known_are_refused(workspace, tmp_path):
    with pytest.raises(BadInput, match="its type is “riddle”".replace("its", "Its")):
        first(workspace, tmp_path, "c.yml", [{"a": 1}], "datasets:\n  - path: a.jsonl\n    type: riddle\n")
    with pytest.raises(BadInput, match="hub:tatsu-lab/alpaca"):
        first(workspace, tmp_path, "c.yml", [{"a": 1}], "datasets:\n  - path: tatsu-lab/alpaca\n    type: alpaca\n")
