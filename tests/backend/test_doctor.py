"""The doctor as a job and as a command: a real worker, its report, its stop, its fixes."""

from __future__ import annotations

import json

import pytest

from studio import commands
from studio.commands import doctor
from studio.commands import rows as rows_command
from studio.datasets.importing.steps import import_file
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.store import Dataset
from studio.doctor import reports, visits
from studio.errors import Busy, NotFound
from studio.jobs import folder as job_folder
from studio.jobs import follow, local
from studio.settings.importing import ImportSettings


@pytest.fixture
def mails(workspace):
    source = workspace.root.parent / "mails.csv"
    lines = [f"Question {n}?,Answer {n} to ann{n}@firma.de." for n in range(4)] + [
        "Question 0?,Answer 0 to ann0@firma.de."
    ]
    source.write_text("\n".join(["question,answer", *lines]), encoding="utf-8")
    import_file(workspace, ImportSettings(source=str(source), name="mails", split="train=1"))
    return Dataset.open(workspace, "mails")


def command(workspace, capsys, *argv: str) -> dict:
    code = commands.run("doctor", [*argv, "--workspace", str(workspace.root), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (code == 0) == ("error" not in told)
    return told


def test_the_command_finds_and_fixes_what_is_named(workspace, mails, capsys):
    told = command(workspace, capsys, "mails", "--fix", "emails", "--fix", "duplicates", "--fix", "ibans")
    assert {finding["kind"]: finding["count"] for finding in told["findings"]} == {
        "emails": 5,
        "duplicates": 1,
        "alike": 2,
        "too_few": 0,
    }
    assert [(fix["kind"], fix["rows"]) for fix in told["fixes"]] == [("emails", 5), ("duplicates", 1)]
    assert Reviews(mails).pending()
    report = visits.told(workspace, told["id"])["report"]
    assert [finding["kind"] for finding in report["findings"] if finding["fixed"]] == ["emails", "duplicates"]
    assert not report["stale"]
    assert reports.jobs_of(workspace, mails) == [workspace.jobs / told["id"]]


def test_nothing_is_changed_unless_it_is_asked_for(workspace, mails, capsys):
    told = command(workspace, capsys, "mails")
    assert told["fixes"] == [] and not (mails.folder / "reviews.jsonl").exists()


def test_what_was_found_is_shown_listed_and_put_aside(workspace, mails, capsys):
    def rows(*argv: str, fails: bool = False) -> dict:
        assert bool(commands.run("rows", ["mails", *argv, "--workspace", str(workspace.root), "--json"])) == fails
        return json.loads(capsys.readouterr().out)

    assert "has not looked" in rows("--finding", "emails", fails=True)["error"]["what"]
    told = command(workspace, capsys, "mails", "--ignore", "alike")
    found = {finding["kind"]: finding for finding in told["findings"]}
    ids = [row.row_id for row in mails.rows()]
    assert [example["row"] for example in found["emails"]["examples"]] == ids
    assert found["duplicates"]["examples"][0]["other"] == ids[0]
    assert [kind for kind in found if found[kind]["ignored"]] == ["alike"] == reports.ignored(mails)
    said = doctor.show(told)
    assert f"{ids[1]}  Answer: Answer 1 to ann1@firma.de.\n" in said and f"(beside {ids[0]})" in said
    assert "Ignored: alike." in said and "(alike)" not in said

    listed = rows("--finding", "emails", "--from", "2", "--limit", "3")
    assert [row["id"] for row in listed["rows"]] == ids[1:4] and (listed["total"], listed["stale"]) == (5, "")
    assert rows("--finding", "duplicates")["rows"][0]["beside"] == ids[0]
    assert "emails" in rows("--finding", "ibans", fails=True)["error"]["why"]
    assert "Rows were changed since." not in rows_command.show(listed)
    Reviews(mails).exclude(ids[0])
    assert "Rows were changed since." in rows_command.show(rows("--finding", "emails"))
    command(workspace, capsys, "mails", "--heed", "alike")
    assert reports.ignored(mails) == []


@pytest.mark.parametrize(
    "argv, words",
    [
        (["nobody"], "There is no dataset “nobody”."),
        (["mails", "--fix", "nonsense"], "“nonsense” is not one of"),
        (["mails", "--ignore", "nonsense"], "“nonsense” is not one of"),
        (["mails", "--model", "nobody"], "There is no model “nobody”."),
        (["mails", "--benchmark", "/none.jsonl"], "There is no file /none.jsonl."),
        (["mails", "--leave-out", "nonsense"], "“nonsense” is not one of"),
    ],
)
def test_what_can_t_be_done_says_why(workspace, mails, capsys, argv, words):
    error = command(workspace, capsys, *argv)["error"]
    assert words in f"{error['what']} {error['why']}" and error["next"]


def test_it_can_be_stopped_and_looks_at_a_dataset_once_at_a_time(workspace, mails):
    folder = visits.create(workspace, {"dataset": "mails"})
    with pytest.raises(Busy):
        visits.create(workspace, {"dataset": "mails"})
    (folder / job_folder.STOP).touch()
    local.start(folder)
    assert follow.follow(workspace, folder).phase == "stopped"
    assert visits.told(workspace, folder.name)["report"] is None
    visits.create(workspace, {"dataset": "mails"})


def test_another_job_is_no_visit(workspace, mails):
    other = job_folder.create(workspace, "import_data", {})
    with pytest.raises(NotFound):
        visits.open_visit(workspace, other.name)
