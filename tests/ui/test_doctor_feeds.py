"""What the doctor's page is fed with."""

from __future__ import annotations

import json

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.responses import JSONResponse

from studio.datasets.browsing import index
from studio.datasets.importing.steps import import_file
from studio.datasets.names import rename
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.store import Dataset
from studio.doctor import visits
from studio.doctor.kinds import FAMILIES
from studio.doctor.reports import Report
from studio.errors import StudioError
from studio.jobs import folder as job_folder
from studio.jobs import follow, local
from studio.logs import Log
from studio.settings.doctor import DoctorSettings
from studio.settings.importing import ImportSettings
from tests.tiny import tiny_tokenizer
from ui import doctor_feeds
from ui.telling import words


@pytest.fixture
def page(workspace):
    app = FastAPI()
    app.include_router(doctor_feeds.router(workspace))
    app.add_exception_handler(StudioError, lambda _, error: JSONResponse({"error": words(error)}, status_code=409))
    yield TestClient(app)
    for child in local._children:
        child.wait(60)
    local.reap()


@pytest.fixture
def mails(workspace, tmp_path):
    source = tmp_path / "mails.jsonl"
    rows = [{"question": f"Who is {n}?", "answer": f"ann{n}@firma.de", "split": "train"} for n in range(25)]
    source.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    import_file(workspace, ImportSettings(source=str(source), name="mails"))
    return Dataset.open(workspace, "mails")


@pytest.fixture
def job(page, workspace, mails):
    made = page.post("/studio/doctor", json={"dataset": "mails", "goal": "task"}).json()["job"]
    assert follow.follow(workspace, workspace.jobs / made).phase == "finished"
    return made


def test_a_dataset_that_nobody_looked_at(page, mails):
    told = page.get("/studio/doctor", params={"dataset": "mails"}).json()
    assert told["visit"] is None and told["models"] == [] and "chatml" in told["templates"]
    assert "Duplicates" in told["families"]["copies"] and set(told["families"]) == set(FAMILIES)
    assert page.get("/studio/doctor", params={"dataset": "nobody"}).status_code == 409


def test_a_visit_is_made_again_with_all_its_settings(page, workspace, mails):
    given = {"dataset": "mails", "country": "DE", "similarity": 0.7, "goal": "task", "leave_out": ["copies", "probes"]}
    first = visits.start(workspace, given)
    assert follow.follow(workspace, first).phase == "finished"
    second = workspace.jobs / page.post("/studio/doctor", json={"dataset": "mails", "again": first.name}).json()["job"]
    assert second != first and job_folder.read_settings(second) == job_folder.read_settings(first)
    assert follow.follow(workspace, second).phase == "finished"


def test_rows_of_a_model_without_a_chat_template_are_measured_in_a_named_one(page, mails, workspace):
    tiny_tokenizer(workspace.models / "bare", template=None)

    def notes(**given):
        asked = {"dataset": "mails", "leave_out": ["copies", "languages", "probes"], **given}
        job = page.post("/studio/doctor", json=asked).json()["job"]
        assert follow.follow(workspace, workspace.jobs / job).phase == "finished"
        return page.get(f"/studio/doctor/{job}").json()["visit"]["report"]["notes"]

    (told,) = notes()
    assert "no chat template" in told and "“Chat template” chatml" in told and "--" not in told
    assert notes(template="chatml") == []


def test_every_setting_of_the_command_can_be_given(page, mails, workspace, monkeypatch):
    monkeypatch.setattr(local, "start", lambda folder: None)
    assert set(DoctorSettings.model_fields) == set(doctor_feeds.ASKED)
    given = {"template": "chatml", "similarity": 0.7, "leave_out": ["copies", "letters"], "country": "DE"}
    made = page.post("/studio/doctor", json={"dataset": "mails", **given}).json()["job"]
    settings = job_folder.read_settings(workspace.jobs / made)
    assert {name: settings[name] for name in given} == given


def test_the_report_its_rows_and_their_pages(page, job):
    visit = page.get("/studio/doctor", params={"dataset": "mails"}).json()["visit"]
    assert visit["job"] == job and visit["error"] is None and visit["settings"]["goal"] == "task"
    assert [finding["kind"] for finding in visit["report"]["findings"]] == ["emails", "too_few"]
    first = page.get(f"/studio/doctor/{job}/rows", params={"finding": "emails"}).json()
    rest = page.get(f"/studio/doctor/{job}/rows", params={"finding": "emails", "start": 20}).json()
    assert (len(first["rows"]), len(rest["rows"]), first["total"]) == (20, 5, 25)
    assert page.get(f"/studio/doctor/{job}/rows", params={"finding": "ibans"}).status_code == 409


def test_fix_undo_ignore_and_what_is_no_deed(page, job, mails):
    def tell(deed, **body):
        return page.post(f"/studio/doctor/{job}/{deed}", json={"finding": "emails", **body})

    fixed = tell("fix", mask="stand-ins").json()
    assert fixed["done"]["rows"] == 25 and fixed["visit"]["report"]["findings"][0]["fixed"]["last"]
    assert "@example.org" in str(Reviews(mails).pending())
    assert tell("undo").json()["visit"]["report"]["findings"][0]["fixed"] is None
    assert Reviews(mails).pending() == {}
    assert tell("undo").status_code == 409
    tell("fix", by="Ann")
    assert {deed["by"] for deed in Reviews(mails).log().standing[Reviews(mails).last()]} == {"Ann"}
    Reviews(mails).exclude(next(row.row_id for row in mails.rows()))
    assert "after this fix" in tell("undo").json()["error"]["why"] + tell("undo").json()["error"]["what"]
    assert tell("ignore").json()["visit"]["report"]["findings"][0]["ignored"]
    assert not tell("heed").json()["visit"]["report"]["findings"][0]["ignored"]
    assert tell("sing").status_code == 409


def test_a_finding_of_a_large_dataset_is_fixed_by_a_job(page, job, mails, workspace, monkeypatch):
    monkeypatch.setattr(index, "LARGE", 25)
    started = page.post(f"/studio/doctor/{job}/fix", json={"finding": "emails", "by": "Ann"}).json()
    fixing = started["done"]["job"]
    assert follow.follow(workspace, workspace.jobs / fixing).result["rows"] == 25
    visit = page.get(f"/studio/doctor/{job}").json()["visit"]
    assert visit["report"]["findings"][0]["fixed"]["rows"] == 25 and visit["report"]["fixing"] is None
    assert len(Reviews(mails).pending()) == 25
    assert {deed["by"] for deed in Reviews(mails).log().standing[1]} == {"Ann"}


def test_while_a_job_fixes_one_finding_it_is_shown_and_no_other_is_started(page, job, workspace, monkeypatch):
    monkeypatch.setattr(index, "LARGE", 25)
    monkeypatch.setattr(local, "start", lambda folder: None)  # it waits, as for a worker that is slow to start
    fixing = page.post(f"/studio/doctor/{job}/fix", json={"finding": "emails"}).json()["done"]["job"]
    assert page.get(f"/studio/doctor/{job}").json()["visit"]["report"]["fixing"] == fixing
    again = page.post(f"/studio/doctor/{job}/fix", json={"finding": "emails"}).json()["error"]
    assert again["what"] == "Another finding is being fixed." and fixing not in str(again)
    with Log(workspace.jobs / fixing / "events.jsonl") as log:
        log.append("stopped")
    assert page.get(f"/studio/doctor/{job}").json()["visit"]["report"]["fixing"] is None


def test_an_undo_takes_back_the_fix_and_not_what_came_a_moment_later(page, job, mails, monkeypatch):
    page.post(f"/studio/doctor/{job}/fix", json={"finding": "emails"})
    log, row, looked = Reviews(mails), next(row.row_id for row in mails.rows()), Report.fixed

    def fixed(report, reviews):
        found = looked(report, reviews)
        if log.last() == 1:  # somebody else, between the look and the undo
            log.apply([{"type": "tag", "row": row, "tags": {"tone": "warm"}}])
        return found

    monkeypatch.setattr(Report, "fixed", fixed)
    assert page.post(f"/studio/doctor/{job}/undo", json={"finding": "emails"}).json()["done"] == {"rows": 25}
    assert {each: change.tags for each, change in log.pending().items()} == {row: {"tone": "warm"}}


def test_a_renamed_dataset_keeps_its_reports(page, job, workspace):
    rename(workspace, "mails", "letters")
    assert page.get("/studio/doctor", params={"dataset": "letters"}).json()["visit"]["job"] == job


def test_why_a_visit_failed_stands_in_it(page, workspace, mails):
    made = page.post("/studio/doctor", json={"dataset": "mails", "benchmark": ["/none.jsonl"]}).json()["job"]
    assert follow.follow(workspace, workspace.jobs / made).phase == "failed"
    visit = page.get(f"/studio/doctor/{made}").json()["visit"]
    assert visit["report"] is None and "/none.jsonl" in visit["error"]["what"]
