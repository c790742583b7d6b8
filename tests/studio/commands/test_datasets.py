"""`datasets` by command: the list, and what one of them looks like as a whole."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from studio.commands import run
from studio.datasets.browsing import pictures
from studio.workspace import Workspace
from tests.sets import make_set
from tests.studio.datasets.splitting.test_grouping import talk


def test_one_dataset_as_a_whole(workspace: Workspace, tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(tiny, workspace.models / "tiny")
    letters = "The parcel that you have sent me last week has not arrived at my door, and I would like to know why."
    rows = [talk(letters + " Please" * (n < 2), f"Answer {n}", tags={"tone": "ab"[n % 2]}) for n in range(3)]
    make_set(workspace, "mails", [*rows, talk("One", "Two", "Three", "Four")])
    place = ["--workspace", str(workspace.root)]
    assert run("datasets", ["mails", "--model", "tiny", "--json", *place]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["turns"] == {"2": 3, "4": 1} and found["clusters"] == [3] and found["rows"] == found["of"] == 4
    assert found["groups"]["tone"] == [["a", 2], ["b", 1]] and len(found["lengths"]["tokens"]) == 4
    assert run("datasets", ["mails", "--model", "tiny", *place]) == 0
    words = capsys.readouterr().out
    assert "Nearly alike: 3 rows in 1 group, the largest of 3." in words and "Turns: 2 (3), 4 (1)" in words
    assert f"the longest {max(found['lengths']['tokens'])}" in words and "English" in words
    assert run("datasets", place) == 0 and "mails" in capsys.readouterr().out


def test_what_is_in_no_version_yet_counts_and_a_sample_is_told(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mails = make_set(workspace, "mails", [talk(f"Question {n}", f"Answer {n}") for n in range(6)])
    place = ["--workspace", str(workspace.root)]
    assert run("rows", ["mails", "--find", "Question 5", "--move", "test", *place]) == 0
    assert run("rows", ["mails", "--find", "Question 4", "--give", "tone=dry", *place]) == 0
    capsys.readouterr()
    assert run("datasets", ["mails", "--json", *place]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["counts"]["test"] == 1 + mails.counts(1)["test"] and found["groups"] == {"tone": [["dry", 1]]}
    monkeypatch.setattr(pictures, "COMPARED", 3)
    assert run("datasets", ["mails", *place]) == 0
    words = capsys.readouterr().out
    assert "languages are those of 3 rows" in words and "3 rows were compared" in words


def test_a_dataset_gets_another_name(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    make_set(workspace, "mails", [talk("One", "Two")])
    make_set(workspace, "calls", [talk("One", "Two")])
    place = ["--workspace", str(workspace.root)]
    assert run("datasets", ["mails", "--rename", "calls", *place]) == 1
    assert "There is a dataset “calls” already." in capsys.readouterr().err
    assert run("datasets", ["--rename", "letters", *place]) == 1
    assert workspace.names("datasets") == ["calls", "mails"]
    assert run("datasets", ["mails", "--rename", "letters", *place]) == 0
    assert "“mails” is called “letters” now." in capsys.readouterr().out
    assert workspace.names("datasets") == ["calls", "letters"]
