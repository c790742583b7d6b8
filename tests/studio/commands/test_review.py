"""`review` by command: the next rows in each order, with suggestions, judged in sheets as they are on the page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio import engines
from studio.commands import run
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.store import Dataset
from studio.datasets.versions.freezing import freeze
from studio.jobs import folder as job_folder
from studio.workspace import Workspace
from tests import adapters
from tests.sets import make_set

Ask = Callable[..., Any]
LABELS = ("billing", "parcel")


@pytest.fixture
def ask(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Runs `review mails …`; its JSON, or with `words` what a person reads."""

    def asked(*given: str, fails: bool = False, words: bool = False) -> Any:
        more = [] if words else ["--json"]
        assert bool(run("review", ["mails", *given, "--workspace", str(workspace.root), *more])) == fails
        out = capsys.readouterr().out
        return out if words else json.loads(out)

    return asked


def turns(*said: str) -> list[dict[str, str]]:
    return [{"role": role, "content": text} for role, text in zip(("user", "assistant"), said, strict=False)]


@pytest.fixture
def mails(workspace: Workspace) -> Dataset:
    said = ("My invoice is wrong", "Where is my parcel", "The invoice of Anna", "A parcel of mine is late", "Hello")
    rows = [{"kind": "label", "messages": turns(text), "label": "parcel"} for text in said]
    return make_set(workspace, "mails", rows)


@pytest.fixture
def rules(ask: Ask, mails: Dataset, tmp_path: Path) -> Path:
    file = tmp_path / "guidelines.json"
    words = [{"words": ["invoice"], "label": "billing"}, {"words": ["parcel"], "label": "parcel"}]
    file.write_text(
        json.dumps({"labels": list(LABELS), "requirements": ["tone"], "entities": ["Person"], "rules": words})
    )
    assert ask("--guidelines", str(file))["guidelines"]["revision"] == 1
    return file


def judged(ask: Ask, sheet: Path, *changes: dict[str, Any]) -> Any:
    """Fills in the first lines of a sheet, and takes it in."""
    lines = [json.loads(line) for line in sheet.read_text(encoding="utf-8").splitlines()]
    for line, change in zip(lines, changes, strict=False):
        line |= change
    sheet.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return ask("--judge", str(sheet))


def now(mails: Dataset) -> dict[str, Any]:
    """The last judgement of each row that has one."""
    by_row = Reviews(mails).log().by_row
    return {row: [deed for deed in deeds if deed["type"] == "judge"][-1] for row, deeds in by_row.items()}


def test_suggestions_of_rules_are_shown_and_accepted(
    ask: Ask, mails: Dataset, rules: Path, workspace: Workspace
) -> None:
    assert {"id": "rules", "title": "Rules of the guidelines"} in ask()["sources"]
    lines = ask("--next", "5", "--suggest", "rules")["next"]
    assert [line["suggestion"] for line in lines] == ["billing", "parcel", "billing", "parcel", None]
    assert "suggested: billing" in ask("--next", "1", "--suggest", "rules", words=True)
    done = ask("--next", "5", "--suggest", "rules", "--accept-suggested", "--by", "Ann")
    assert (done["judged"], done["open"], done["conflicts"]) == (4, 1, [])
    assert ask()["counts"]["accepted"] == 4 and ask()["reviewers"] == {"Ann": 4}
    freeze(workspace, "mails")
    labels = [row.label for row in Dataset.open(workspace, "mails").rows()]
    assert labels == ["billing", "parcel", "billing", "parcel", "parcel"]
    assert "--suggest" in ask("--next", "--accept-suggested", fails=True)["error"]["next"]


def test_a_suggestion_never_takes_a_place_that_is_not_its_own(ask: Ask, workspace: Workspace, tmp_path: Path) -> None:
    said = turns("My invoice is wrong", "We are sorry.")
    mails = make_set(
        workspace, "mails",
        [{"kind": "chat", "messages": said}, {"kind": "feedback", "messages": said, "label": "true"},
         {"kind": "label", "messages": said[:1], "label": "parcel"}],
    )  # fmt: skip
    (tmp_path / "rules.json").write_text(
        json.dumps({"labels": ["billing"], "rules": [{"words": ["invoice"], "label": "billing"}]})
    )
    ask("--guidelines", str(tmp_path / "rules.json"))
    done = ask("--next", "--suggest", "rules", "--accept-suggested")
    assert (done["judged"], done["open"]) == (2, 1)  # a judgement of an answer is “true” or “false”, not “billing”
    chat, feedback, label = (row.row_id for row in mails.rows())
    pending = Reviews(mails).pending()
    assert pending[chat].tags == {"label": "billing"} and not pending[chat].content and feedback not in pending
    assert pending[label].content["label"] == "billing"  # type: ignore[index]

    sheet = tmp_path / "sheet.jsonl"
    ask("--next", "--show", "all", "--output", str(sheet))
    lines = [json.loads(line) for line in sheet.read_text().splitlines()]
    given = {"status": "accepted", "as_suggested": True, "suggestion": "I think it is about money."}
    sheet.write_text(json.dumps(lines[2] | given))
    assert "no label" in ask("--judge", str(sheet), fails=True)["error"]["why"]
    sheet.write_text(json.dumps(lines[0] | given | {"texts": [{"of": "messages", "at": 0, "text": "An invoice"}]}))
    assert ask("--judge", str(sheet))["judged"] == 1
    texts = [turn["content"] for turn in Reviews(mails).pending()[chat].content["messages"]]  # type: ignore[index]
    assert texts == ["An invoice", "I think it is about money."]


@pytest.mark.parametrize("held", ["[]", "[[", '{"revision": "x"}'])
def test_guidelines_are_left_alone_by_what_are_none(ask: Ask, rules: Path, held: str) -> None:
    rules.write_text(held)
    assert "no guidelines" in ask("--guidelines", str(rules), fails=True)["error"]["what"]
    assert ask("--guidelines")["guidelines"]["labels"] == list(LABELS)


def test_what_is_for_the_next_rows_is_not_passed_over_without_them(ask: Ask, mails: Dataset, tmp_path: Path) -> None:
    for given in (["--output", str(tmp_path / "sheet.jsonl")], ["--accept-suggested", "--suggest", "rules"]):
        assert "--next" in ask(*given, fails=True)["error"]["next"]
    assert not list(tmp_path.glob("*.jsonl"))


def test_a_sheet_holds_all_that_a_judgement_says(ask: Ask, mails: Dataset, rules: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.jsonl"
    assert ask("--next", "4", "--by", "Ann", "--suggest", "rules", "--output", str(sheet))["rows"] == 4
    span = {"of": "messages", "at": 0, "start": 0, "end": 2, "label": "Person"}
    done = judged(
        ask, sheet,
        {"status": "accepted", "label": "billing", "ratings": {"": 4, "tone": 5}, "tags": {"domain": "money"},
         "note": "so", "by": " Ann "},
        {"status": "draft", "texts": [{"of": "messages", "at": 0, "text": "Where is it"}]},
        {"status": "accepted", "as_suggested": True, "spans": [span]},
    )  # fmt: skip
    assert (done["judged"], done["open"]) == (3, 1)
    first, second, third = (now(mails)[line["row_id"]] for line in map(json.loads, sheet.read_text().splitlines()[:3]))
    assert (first["label"], first["ratings"], first["note"], first["by"]) == (
        "billing",
        {"": 4, "tone": 5},
        "so",
        "Ann",
    )
    assert second["status"] == "draft" and second["content"]["messages"][0]["content"] == "Where is it"
    assert third["label"] == "billing" and third["spans"] == [span | {"text": "Th"}]
    assert Reviews(mails).pending()[first["row"]].tags == {"domain": "money"}
    assert ask("--judge", str(sheet))["judged"] == 3 and ask()["counts"]["draft"] == 1  # the same keys count once
    assert len(Reviews(mails).log().by_row[second["row"]]) == 1


def test_the_rows_of_a_sheet_are_read_at_once(
    ask: Ask, mails: Dataset, rules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    find = Dataset.find

    def found(dataset: Dataset, version: int | None, row_ids: list[str]) -> Any:
        asked.append(len(row_ids))
        return find(dataset, version, row_ids)

    monkeypatch.setattr(Dataset, "find", found)
    ask("--next", "1", "--suggest", "rules", "--output", str(rules.parent / "sheet.jsonl"))
    before = len(asked)
    asked.clear()
    assert ask("--next", "5", "--suggest", "rules", "--accept-suggested")["judged"] == 4
    assert len(asked) <= before + 2  # to tell what fits, and to take it in


def test_a_sheet_never_overwrites_what_was_judged_meanwhile(ask: Ask, mails: Dataset, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.jsonl"
    ask("--next", "2", "--by", "Ann", "--output", str(sheet))
    row = json.loads(sheet.read_text().splitlines()[0])["row_id"]
    Reviews(mails).apply([{"type": "judge", "status": "discarded", "row": row}], by="Bob")
    done = judged(ask, sheet, {"status": "accepted"}, {"status": "accepted"})
    assert (done["judged"], done["conflicts"]) == (1, [row])
    assert now(mails)[row]["by"] == "Bob"
    assert "Changed by somebody since" in ask("--judge", str(sheet), words=True)


def test_a_second_reviewer_works_blind_and_agreement_is_told(ask: Ask, mails: Dataset, tmp_path: Path) -> None:
    for by, status in (("Ann", "accepted"), ("Bob", "discarded")):
        sheet = tmp_path / f"{by}.jsonl"
        ask("--next", "5", "--by", by, "--blind", "--output", str(sheet))
        assert judged(ask, sheet, {"status": "accepted"}, {"status": status})["judged"] == 2
    found = ask("--agreement")
    assert found["questions"][0]["rows"] == 2 and len(found["conflicts"]) == 1
    assert [line["row_id"] for line in ask("--next", "--show", "conflict")["next"]] == found["conflicts"]


def test_rows_come_in_the_orders_of_the_page(ask: Ask, mails: Dataset, rules: Path, workspace: Workspace) -> None:
    ids = [row.row_id for row in mails.rows()]
    folder = job_folder.create(workspace, "train", {"dataset": "mails", "version": 1, "model": "tiny"})
    losses = {"row_id": ids * 2, "step": [1] * 5 + [2] * 5, "loss": [1.0, 2, 3, 4, 5, 1.0, 2, 0.1, 4, 5]}
    pq.write_table(pa.table(losses), folder / "rows.parquet")

    def order(*given: str) -> list[int]:
        return [ids.index(line["row_id"]) for line in ask("--next", "5", *given)["next"]]

    assert order() == [0, 1, 2, 3, 4]
    assert order("--order", "shortest")[0] == 4
    assert order("--order", "loss", "--run", folder.name) == [4, 3, 1, 0, 2]
    assert order("--order", "uncertain", "--run", folder.name)[0] == 2
    assert order("--order", "disagreement", "--suggest", "rules")[:2] == [0, 2]


def test_what_can_t_be_judged_is_said_and_nothing_is_taken_in(ask: Ask, mails: Dataset, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.jsonl"
    for change, why in (
        ({"status": "fine"}, "status"),
        ({"status": "accepted", "ratings": {"": 9}}, "1 to 5"),
        ({"status": "accepted", "as_suggested": True}, "Nothing is suggested"),
        ({"status": "accepted", "row_id": "nobody"}, "no row nobody"),
        ({"status": "accepted", "by": "A" * 81}, "room for 80"),
        ({"status": "accepted", "choice": "chosen"}, "no two answers"),
        ({"status": "accepted", "texts": [{"of": "messages", "at": 9, "text": "x"}]}, "no such text"),
    ):
        ask("--next", "2", "--output", str(sheet))
        lines = [json.loads(line) for line in sheet.read_text().splitlines()]
        sheet.write_text(json.dumps(lines[0] | {"status": "accepted"}) + "\n" + json.dumps(lines[1] | change) + "\n")
        error = ask("--judge", str(sheet), fails=True)["error"]
        assert why in error["what"] + error["why"] and not now(mails), error
    sheet.write_text("no sheet")
    assert "no sheet" in ask("--judge", str(sheet), fails=True)["error"]["what"]


def test_a_model_is_asked_about_the_next_rows_and_let_go(ask: Ask, workspace: Workspace, tiny: Path) -> None:
    rows = [{"messages": turns(f"Where is {place}?", "There."), "split": "train"} for place in ("Rome", "Oslo")]
    mails = make_set(workspace, "mails", rows)
    model = adapters.install(tiny, workspace)
    folder = adapters.run(workspace, "mails", "tiny")
    adapters.adapter(model, folder / "adapter")
    assert f"live:{folder.name}:tuned" in [source["id"] for source in ask()["sources"]]
    lines = ask("--next", "1", "--suggest", f"live:{folder.name}:tuned")["next"]
    assert lines[0]["suggestion"] and lines[0]["suggestion"] != "There."
    engine = engines.find(workspace, folder.name)
    assert engine is not None and job_folder.status(engine) in ("stopping", "stopped", "finished")
    done = ask("--next", "2", "--suggest", f"live:{folder.name}:base", "--accept-suggested")
    assert done["judged"] == 2
    said = [change.content["messages"][-1]["content"] for change in Reviews(mails).pending().values()]
    assert len(said) == 2 and "There." not in said
    assert "tuned" in ask("--next", "1", "--suggest", f"live:{folder.name}", fails=True)["error"]["next"]
