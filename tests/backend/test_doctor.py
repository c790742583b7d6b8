"""The doctor as a job and as a command: a real worker, its report, its stop, its fixes."""

from __future__ import annotations

import json

import pytest

from studio import commands
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


@pytest.mark.parametrize(
    "argv, words",
    [
        (["nobody"], "There is no dataset “nobody”."),
        (["mails", "--fix", "nonsense"], "“nonsense” is not one of"),
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
