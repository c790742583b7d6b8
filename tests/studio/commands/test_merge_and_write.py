"""`merge` and `write` as commands: real processes on one workspace, with a writer at an address on this machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

from studio.datasets.additions import SYNTHETIC, Additions
from studio.datasets.store import Dataset
from tests.openai_writer import KEY, serving
from tests.sets import make_set
from tests.studio.commands.test_split_tag_mix import ROOT, command
from tests.studio.datasets.splitting.test_grouping import talk


def said(workspace, *words: str) -> str:
    """What a person reads on standard output."""
    arguments = [sys.executable, "launch.py", *words, "--workspace", str(workspace.root)]
    return subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.fixture
def visits(workspace):
    rows = [talk(f"Visit {n} about a cough?", f"Noted as number {n}.") for n in range(12)]
    make_set(workspace, "first", rows[:8])
    make_set(workspace, "second", rows[6:])
    return workspace


def test_datasets_are_merged_and_equal_rows_taken_once_or_kept(visits):
    made = command(visits, "merge", "first", "second", "--name", "all")
    assert (made["name"], made["version"], made["rows"]) == ("all", 1, 12)
    assert made["counts"] == Dataset.open(visits, "all").counts() and "2 equal rows were taken once" in made["notes"]
    ids = [row.row_id for row in Dataset.open(visits, "all").rows()]
    assert ids[:8] == [row.row_id for row in Dataset.open(visits, "first").rows()]
    words = said(visits, "merge", "second", "first", "--name", "both", "--keep-equal")
    assert (
        words.startswith("“both” version 1: 14 rows (") and "Merged from “second” (6 rows), “first” (8 rows)." in words
    )


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (["first", "--name", "all"], "2"),
        (["first", "first", "--name", "all"], "named twice"),
        (["first", "nobody", "--name", "all"], "no dataset “nobody”"),
        (["first", "second", "--name", "first"], "a dataset “first” already"),
        (["first", "second"], "name"),
    ],
)
def test_what_can_t_be_merged_is_said_and_nothing_is_left_of_it(visits, given, why):
    error = command(visits, "merge", *given, fails=True)["error"]
    assert why in f"{error['what']} {error['why']}" and (error["why"] or error["next"])
    assert visits.names("datasets") == ["first", "second"]


def test_more_rows_are_written_and_wait_for_review(visits, monkeypatch):
    monkeypatch.setenv("FLEXTUNE_API_KEY", KEY)
    with serving() as writer:
        there = ["--address", writer.url, "--writer", "big"]
        told = command(visits, "write", "first", *there, "--count", "3", "--each", "2", "--guidance", "Be short.")
        assert (told["tried"], told["added"], told["into"]) == (6, 6, "first")
        assert {body["model"] for body in writer.asked} == {"big"}
        assert all("Be short." in str(body["messages"]) for body in writer.asked)
        row = next(Dataset.open(visits, "first").rows(split="train")).row_id
        writer.say = lambda _: "What is new in this place, all in other words?"
        words = said(visits, "write", "first", *there, "--rows", row, "--each", "3")
        assert words.startswith("1 new row of 3 tried waits in the review of “first” (seed 1")
        assert words.endswith("2 left out: there already.\n")
        error = command(visits, "write", "nobody", *there, fails=True)["error"]
        assert error["what"] == "There is no dataset “nobody”."
        error = command(visits, "write", "first", "--address", "nowhere", fails=True)["error"]
        assert "is no address" in error["why"]
        writer.statuses = [401]
        refused = command(visits, "write", "first", *there, "--count", "1", fails=True)["error"]
        assert refused["what"] and KEY not in str(refused)
    waiting = Additions(Dataset.open(visits, "first").folder).rows().values()
    assert len(waiting) == 7 and {row.tags[SYNTHETIC] for row in waiting} == {"paraphrase"}
    assert len(list(Dataset.open(visits, "first").rows())) == 8  # nothing is trained on before somebody accepts it
