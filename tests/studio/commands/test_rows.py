"""`rows` by command: looked at, ordered, found alike, and changed together as on the page."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.batches.tokenizer import load_tokenizer
from studio.commands import run
from studio.datasets.browsing.lengths import lengths
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.store import Dataset
from studio.datasets.versions.freezing import freeze
from studio.workspace import Workspace
from tests.sets import make_set
from tests.studio.datasets.splitting.test_grouping import talk

TOPICS = ("invoice", "parcel", "refund")
Ask = Callable[..., Any]


@pytest.fixture
def ask(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Runs `rows mails …`; its JSON, or with `words` what a person reads."""

    def asked(*given: str, fails: bool = False, words: bool = False, command: str = "rows") -> Any:
        more = [] if words else ["--json"]
        assert bool(run(command, ["mails", *given, "--workspace", str(workspace.root), *more])) == fails
        out = capsys.readouterr().out
        return out if words else json.loads(out)

    return asked


@pytest.fixture
def mails(workspace: Workspace) -> Dataset:
    rows = [
        talk(f"Mail {n} about my {TOPICS[n % 3]}" + ", please" * (n * 7 % 11), f"Answer {n}",
             split=("train", "test")[n % 4 == 0], tags={"domain": TOPICS[n % 3]})
        for n in range(24)
    ]  # fmt: skip
    return make_set(workspace, "mails", rows)


def texts(found: dict[str, Any]) -> list[int]:
    return [int(row["text"].split()[1]) for row in found["rows"]]


def test_rows_are_searched_filtered_ordered_and_turned_over(ask: Ask, mails: Dataset) -> None:
    assert texts(ask()) == list(range(20)) and texts(ask("--from", "21")) == [20, 21, 22, 23]
    assert texts(ask("--find", "REFUND", "--side", "test")) == [8, 20]
    found = ask("--tag", "domain=parcel", "--sorted=-characters", "--limit", "3")
    page = mails.page(1, 0, 3, tags={"domain": "parcel"}, sort="-characters")
    assert [row["id"] for row in found["rows"]] == [row.row_id for row in page.rows] and found["total"] == 8
    assert "1 to 3 of 8 rows." in ask("--tag", "domain=parcel", "--limit", "3", words=True)
    assert ask("--find", "nowhere", words=True).strip() == "No row matches."
    assert ask("--from", "25", words=True).startswith("Only 24 rows match")


def test_rows_are_ordered_by_tokens_which_are_counted_once(
    ask: Ask, mails: Dataset, workspace: Workspace, tiny: Path
) -> None:
    shutil.copytree(tiny, workspace.models / "tiny")
    counted = lengths(mails, 1, load_tokenizer(tiny)).tokens
    found = ask("--sorted=-tokens", "--model", "tiny", "--limit", "24")
    assert [counted[number] for number in texts(found)] == sorted(counted, reverse=True)
    kept = next((mails.folder / "index").rglob("tiny.npz"))
    before = kept.stat().st_mtime_ns
    assert texts(ask("--sorted", "tokens", "--model", "tiny", "--limit", "24"))[0] == counted.index(min(counted))
    assert kept.stat().st_mtime_ns == before
    assert "nobody" in ask("--sorted", "tokens", "--model", "nobody", fails=True)["error"]["what"]


def test_one_row_whole_and_those_like_it(ask: Ask, mails: Dataset) -> None:
    row = next(row for row in mails.rows() if row.messages[0]["content"].startswith("Mail 11 "))
    whole = ask("--row", row.row_id)["row"]
    assert whole["messages"] == row.messages and whole["tags"] == {"domain": "refund"}
    assert "user:\nMail 11 about" in ask("--row", row.row_id, words=True)
    alike = ask("--like", row.row_id, "--limit", "5")
    assert len(alike["rows"]) == 5 and row.row_id not in {each["id"] for each in alike["rows"]}
    assert [each["share"] for each in alike["rows"]] == sorted((each["share"] for each in alike["rows"]), reverse=True)
    assert "ALIKE" in ask("--like", row.row_id, words=True)


def test_all_that_match_are_changed_as_one_change(ask: Ask, mails: Dataset) -> None:
    def changes() -> dict[str, Any]:
        return Reviews(Dataset(mails.folder, mails.info)).pending()

    assert ask("--find", "refund", "--leave-out", "--by", "Ann")["changed"] == 8
    assert all(change.excluded for change in changes().values()) and len(changes()) == 8
    out = ask("--side", "excluded")
    assert out["total"] == 8 and all(row["left_out"] for row in out["rows"])
    assert ask("--side", "excluded", words=True).count("  left out  ") == 8
    assert "left out" in ask("--row", out["rows"][0]["id"], words=True)
    assert ask("--undo", command="review")["undone_of"] == "Ann"
    assert not changes()
    assert ask("--tag", "domain=parcel", "--move", "validation")["changed"] == 8
    assert ask("--side", "validation")["total"] == 8
    assert ask("--find", "invoice", "--give", "tone=dry")["changed"] == 8
    assert {row["tags"]["tone"] for row in ask("--find", "invoice")["rows"]} == {"dry"}
    assert "8 rows changed, as one change to undo." in ask("--find", "invoice", "--give", "tone=", words=True)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (["--leave-out"], "all of them"),
        (["--sorted", "colour"], "characters"),
        (["--tag", "domain"], "a name and its value"),
        (["--row", "nobody"], "left out"),
        (["--like", "nobody", "--find", "mail"], "With --like rows can't be searched"),
        (["--finding", "emails", "--side", "test"], "With --finding rows can't be searched"),
        (["--version", "7"], "1"),
        (["--find", "mail", "--leave-out", "--by", "A" * 300], "300"),
    ],
)
def test_what_can_t_be_done_is_said(ask: Ask, mails: Dataset, given: list[str], why: str) -> None:
    error = ask(*given, fails=True)["error"]
    assert why in " ".join([error["what"], error["why"], error["next"]])


def test_only_the_latest_version_is_compared_and_changed(ask: Ask, mails: Dataset, workspace: Workspace) -> None:
    row = next(iter(mails.rows())).row_id
    ask("--find", "refund", "--leave-out")
    freeze(workspace, "mails")
    for given in (["--like", row], ["--find", "parcel", "--leave-out"]):
        assert "the latest is 2" in ask(*given, "--version", "1", fails=True)["error"]["why"]


def test_words_of_a_row_do_not_command_the_terminal(ask: Ask, workspace: Workspace) -> None:
    make_set(workspace, "mails", [talk("\x1b]52;c;AAAA\x07\x9b2J", "مرحبا\tthere\r")])
    row = ask()["rows"][0]
    assert "\x1b" in row["text"]
    for given in ((), ("--row", row["id"])):
        told = ask(*given, words=True)
        assert not set(told) & set("\x1b\x07\x9b\r") and "�]52" in told
    assert "مرحبا\tthere" in told
