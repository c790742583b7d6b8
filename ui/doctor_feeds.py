"""What the doctor's page reads and asks for.

GET  /studio/doctor?dataset=NAME               the newest visit to a dataset, and what can be chosen for the next one
POST /studio/doctor                            {"dataset", "model", "cutoff", …}: starts a visit;
                                               {"dataset", "again": JOB} one with all settings of that one
GET  /studio/doctor/JOB                        a visit: its report as it stands now
GET  /studio/doctor/JOB/rows?finding=&start=   the rows of a finding, each with the one it belongs with
POST /studio/doctor/JOB/fix|undo|ignore|heed   {"finding", "mask", "by"}; what was done, or the job that fixes a
                                               large dataset
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Body

from studio.errors import NotFound, Refused
from studio.workspace import Workspace
from ui import row_pictures
from ui.dataset_access import large, models, reviewer
from ui.telling import plainly

PAGE = 20
ADVANCED = ("template", "similarity", "leave_out")
ASKED = ("dataset", "model", "cutoff", "goal", "country", "benchmark", *ADVANCED)
Words = dict[str, Any]


def router(workspace: Workspace) -> APIRouter:
    """The routes of one workspace. The doctor is imported when it is first asked for: that takes time."""
    api = APIRouter(prefix="/studio/doctor")

    @api.get("")
    def newest(dataset: str) -> Words:
        from studio.datasets.store import Dataset
        from studio.doctor import reports

        jobs = reports.jobs_of(workspace, Dataset.open(workspace, dataset))
        return {"visit": _told(workspace, jobs[0].name) if jobs else None, **_offered(workspace)}

    @api.post("")
    def start(body: Words = Body(...)) -> Words:  # noqa: B008
        from studio.doctor import visits

        if job := body.get("again"):
            return {"job": visits.again(workspace, str(job), str(body.get("dataset"))).name}
        return {"job": visits.start(workspace, {name: body[name] for name in ASKED if body.get(name)}).name}

    @api.get("/{job}")
    def one(job: str) -> Words:
        return {"visit": _told(workspace, job), **_offered(workspace)}

    @api.get("/{job}/rows")
    def rows(job: str, finding: str, start: int = 0) -> Words:
        return _rows(workspace, job, finding, max(0, start))

    @api.post("/{job}/{deed}")
    def act(job: str, deed: str, body: Words = Body(...)) -> Words:  # noqa: B008

        kind = str(body.get("finding", ""))
        done: Words = {}
        if deed == "fix":
            done = _fix(workspace, job, kind, body.get("mask") or "labels", reviewer(body))
        elif deed == "undo":
            done = _undo(workspace, job, kind)
        elif deed in ("ignore", "heed"):
            _ignore(workspace, job, kind, deed == "ignore")
        else:
            raise NotFound(f"The doctor can't be asked to “{deed}”.", "", "Use fix, undo, ignore or heed.")
        return {"done": done, "visit": _told(workspace, job)}

    return api


def _offered(workspace: Workspace) -> Words:
    """What the form offers: models whose tokens can be counted, chat templates, families of findings, and what the
    command's help says of the settings that few need."""
    from studio.batches.tokenizer import built_in_templates
    from studio.doctor.kinds import FAMILIES, KINDS
    from studio.settings.doctor import DoctorSettings
    from ui.form import fields

    named = {field.path: field for field in fields(DoctorSettings) if field.path in ADVANCED}
    return {
        "models": models(workspace),
        "templates": built_in_templates(),
        "families": {name: [kind.title for kind in KINDS.values() if kind.family == name] for name in FAMILIES},
        "advanced": {name: {"title": field.title, "help": field.help} for name, field in named.items()},
    }


def _told(workspace: Workspace, job: str) -> Words:
    """A visit, with boxes and buttons named where a command's advice names flags."""
    from studio.doctor import visits
    from studio.settings.doctor import DoctorSettings
    from ui.form import in_form_words

    def named(text: str) -> str:
        return in_form_words(plainly(text), DoctorSettings)

    told = visits.told(workspace, job)
    error, report = told["error"], told["report"]
    return told | {
        "error": error and error | {"next": named(error["next"])},
        "report": report and report | {"notes": list(map(named, report["notes"]))},
    }


def _fix(workspace: Workspace, job: str, kind: str, mask: Any, by: str) -> Words:
    """Fixes a finding; in a large dataset a job does, whose id is told."""
    from studio.datasets.store import Dataset
    from studio.doctor import visits
    from studio.doctor.reports import Report

    if large(Dataset.open(workspace, Report.read(visits.open_visit(workspace, job)).dataset)):
        return {"job": visits.start_fix(workspace, job, kind, mask, by).name}
    return visits.fix(workspace, job, kind, mask, by)


def _rows(workspace: Workspace, job: str, kind: str, start: int) -> Words:
    from studio.datasets.reviewing.reviews import Reviews
    from studio.datasets.store import Dataset
    from studio.doctor import visits
    from studio.doctor.reports import Report

    report = Report.read(visits.open_visit(workspace, job))
    dataset = Dataset.open(workspace, report.dataset)
    finding = report.finding(kind)
    pairs = report.row_ids(kind, start, PAGE)
    wanted = list(dict.fromkeys(one for pair in pairs for one in pair if one))
    found = dataset.find(report.version, wanted)
    changes = Reviews(dataset).pending() if dataset.latest == report.version else {}
    pictures = {row: row_pictures.picture(found[row], changes.get(row), short=True) for row in found}
    shown = [{"row": pictures[row], "other": pictures.get(other or "")} for row, other in pairs if row in pictures]
    named = {key: finding[key] for key in ("kind", "title", "words", "why")}
    return {"rows": shown, "finding": named, "total": finding["count"], "start": start, "page": PAGE}


def _undo(workspace: Workspace, job: str, kind: str) -> Words:
    """Takes a fix back, when no later change stands before it."""
    from studio.datasets.reviewing.reviews import Reviews
    from studio.datasets.store import Dataset
    from studio.doctor import visits
    from studio.doctor.reports import Report

    report = Report.read(visits.open_visit(workspace, job))
    reviews = Reviews(Dataset.open(workspace, report.dataset))
    fix = report.fixed(reviews).get(kind)
    if fix is None:
        raise Refused("There is nothing to undo.", "This fix was taken back already.", "Reload the page.")
    if not fix["last"]:
        raise Refused(
            "Other changes were made after this fix.",
            "Changes are taken back in their order, the last one first.",
            "Undo the later ones first.",
        )
    return {"rows": reviews.undo(number=fix["number"])["count"]}


def _ignore(workspace: Workspace, job: str, kind: str, on: bool) -> None:
    from studio.datasets.store import Dataset
    from studio.doctor import reports, visits

    report = reports.Report.read(visits.open_visit(workspace, job))
    reports.ignore(Dataset.open(workspace, report.dataset), kind, on)
