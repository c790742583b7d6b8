"""Versions by command: freeze, list, compare, name, go back, save; as JSON and in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from studio import commands
from studio.datasets.importing.steps import import_file
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.store import Dataset
from studio.settings.importing import ImportSettings
from tests.worlds import ROOT

Given = Callable[..., Any]


@pytest.fixture
def ask(workspace, capsys) -> Given:
    """Runs a command in this process; its JSON, or its exit code and words where `fails`."""
    source = ROOT / "assets" / "starter" / "support-desk.csv"
    import_file(workspace, ImportSettings(source=str(source), name="desk"))

    def run(name: str, *args: str, fails: bool = False, words: bool = False) -> Any:
        capsys.readouterr()
        code = commands.run(name, [*args, "--workspace", str(workspace.root), *([] if words else ["--json"])])
        out = capsys.readouterr().out
        assert (code == 1) is fails, out
        return out if words else json.loads(out)

    return run


def test_from_a_change_to_a_version_and_back(ask, workspace):
    rows = [row.row_id for row in Dataset.open(workspace, "desk").rows()]
    assert ask("freeze", "desk", fails=True)["error"]["what"] == "There is nothing to freeze."
    Reviews(Dataset.open(workspace, "desk")).exclude(rows[0])
    made = ask("freeze", "desk")
    assert (made["version"], made["excluded"], sum(made["counts"].values())) == (2, 1, 399)
    found = ask("versions", "desk", "--compare", "1", "2")
    assert found["counts"] == {"changed": 0, "added": 0, "removed": 1}
    assert found["rows"] == [{"row": rows[0], "what": "removed"}]
    assert rows[0] in ask("versions", "desk", "--compare", "1", "2", words=True)
    assert [(pair["row"], pair["new"]) for pair in found["pairs"]] == [(rows[0], None)]
    named = ask("versions", "desk", "--title", "1", "As it came")["versions"][0]
    assert (named["title"], named["rows"], named["runs"]) == ("As it came", 400, [])
    assert ask("versions", "desk", "--back", "1")["versions"][2]["back"] is True
    assert "As it came" in ask("versions", "desk", words=True)
    assert "versions" in ask("versions", "desk", "--title", "one", "x", fails=True)["error"]["next"]
    assert ask("versions", "desk", "--back", "3", fails=True)["error"]["what"] == "Version 3 is the latest already."


def test_an_import_says_which_changes_its_version_goes_without(ask, workspace):
    source = str(ROOT / "assets" / "starter" / "support-desk.csv")
    Reviews(Dataset.open(workspace, "desk")).exclude(next(Dataset.open(workspace, "desk").rows()).row_id)
    words = ask("import", source, "--name", "desk", words=True)
    assert "1 earlier change is not in this version." in words and "launch.py freeze desk" in words
    ask("freeze", "desk")
    assert ask("import", source, "--name", "other")["waiting"] == 0


def test_two_versions_are_shown_beside_each_other(ask, workspace):
    first, second, third, *_ = Dataset.open(workspace, "desk").rows()
    reviews = Reviews(Dataset.open(workspace, "desk"))
    last = len(first.messages) - 1
    said = [*first.messages[:-1], first.messages[-1] | {"content": first.messages[-1]["content"] + " Today!"}]
    reviews.edit(first.row_id, [{"of": "messages", "at": last, "text": said[-1]["content"]}])
    reviews.apply([{"type": "tag", "row": second.row_id, "tags": {"tone": "dry"}}])
    reviews.exclude(third.row_id)
    ask("freeze", "desk")
    found = ask("versions", "desk", "--compare", "1", "2")
    assert [(pair["row"], pair["what"], pair["changed"]) for pair in found["pairs"]] == [
        (first.row_id, "changed", ["messages"]),
        (second.row_id, "changed", ["tags"]),
        (third.row_id, "removed", []),
    ]
    assert (found["pairs"][0]["old"]["messages"], found["pairs"][0]["new"]["messages"]) == (first.messages, said)
    assert found["pairs"][2]["old"]["label"] == third.label and found["pairs"][2]["new"] is None
    only = ask("versions", "desk", "--compare", "1", "2", "--only", "changed", "--from", "2")
    assert [pair["row"] for pair in only["pairs"]] == [second.row_id] and (only["total"], len(only["rows"])) == (2, 3)
    words = ask("versions", "desk", "--compare", "1", "2", words=True)
    assert " Today!\n" in words and "tags was: –\n" in words and "is: tone=dry\n" in words and third.label in words
    assert "1 to 1 of 3 rows; go on with --from 2." in ask(
        "versions", "desk", "--compare", "1", "2", "--limit", "1", words=True
    )


@pytest.mark.parametrize(
    ("form", "first"),
    [
        ("messages", '{"messages":[{"role":"user"'),
        ("alpaca", '{"instruction":"'),
        ("sharegpt", '{"conversations":[{"from":"human"'),
        ("csv", "system,text,label,split"),
    ],
)
def test_a_version_is_written_in_every_form(ask, tmp_path, form, first):
    output = tmp_path / "desk.out"
    told = ask("save", "desk", "--form", form, "--output", str(output))
    assert (told["rows"], told["left_out"], told["version"]) == (400, 0, 1)
    assert output.read_text("utf-8-sig").startswith(first)
    refused = ask("save", "desk", "--form", form, "--output", str(output), fails=True)["error"]
    assert refused["what"] == f"{output} is there already." and "--force" in refused["next"]
    assert "400 rows of version 1" in ask("save", "desk", "--output", str(output), "--force", words=True)


def test_parquet_is_the_version_itself_and_what_does_not_fit_is_told(ask, workspace, tmp_path):
    output = tmp_path / "desk.parquet"
    ask("save", "desk", "--form", "parquet", "--output", str(output))
    assert output.read_bytes() == Dataset.open(workspace, "desk").path().read_bytes()
    source = tmp_path / "words.txt"
    source.write_text("Some words.\n\nOther words.\n")
    import_file(workspace, ImportSettings(source=str(source), name="words"))
    told = ask("save", "words", "--form", "sharegpt", "--output", str(tmp_path / "none.jsonl"), words=True)
    assert "left out" in told and "raw text" in told
