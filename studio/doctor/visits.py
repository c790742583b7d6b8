"""A visit of the doctor: a job that is started, its report with what became of each finding, and its fixes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio.batches.tokenizer import ModelTokenizer, load_tokenizer
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.splitting.grouping import Watch
from studio.datasets.store import Dataset
from studio.doctor import remedies, reports
from studio.doctor.kinds import SEVERITIES
from studio.doctor.reports import Report
from studio.errors import Busy, NotFound
from studio.jobs import folder as job_folder
from studio.jobs import local
from studio.settings.base import check
from studio.settings.doctor import DoctorSettings, Mask
from studio.workspace import Workspace

LIVE = ("running", "stopping", "queued")
FIX = "fix_finding"


def create(workspace: Workspace, given: dict[str, Any]) -> Path:
    """Makes the folder of a visit; `local.start` begins it.

    Raises:
        StudioError: a setting can't be used, or there is no such dataset or model.
        Busy: the doctor is looking at this dataset already.
    """
    settings = check(DoctorSettings, given, "The doctor can't look at this.")
    dataset = Dataset.open(workspace, settings.dataset)
    settings.dataset = dataset.name
    if settings.model:
        workspace.folder("models", settings.model)
    if any(_alive(job) for job in reports.jobs_of(workspace, dataset)):
        raise Busy(
            f"The doctor is looking at “{dataset.name}” already.", "One visit at a time.", "Wait for it, or stop it."
        )
    return job_folder.create(
        workspace, reports.JOB, settings.model_dump(mode="json"), reports.hint_of(settings.dataset)
    )


def start(workspace: Workspace, given: dict[str, Any]) -> Path:
    """Makes a visit and begins it; returns its folder."""
    folder = create(workspace, given)
    local.start(folder)
    return folder


def again(workspace: Workspace, job: str, dataset: str) -> Path:
    """Begins a visit to a dataset, by the name it has now, with all settings of another one; returns its folder."""
    return start(workspace, _given(open_visit(workspace, job)) | {"dataset": dataset})


def _given(folder: Path) -> dict[str, Any]:
    """The settings of a visit."""
    return {key: value for key, value in job_folder.read_settings(folder).items() if key != "job"}


def _alive(job: Path) -> bool:
    return job_folder.status(job) in LIVE


def model_of(workspace: Workspace, settings: DoctorSettings) -> str | None:
    """The model that was chosen, else the starter or any other; None when there is none."""
    if settings.model is not None:
        return settings.model
    names = workspace.names("models")
    usable = [one for one in names if (workspace.models / one / "tokenizer.json").is_file()]
    return next(iter(sorted(usable, key=lambda one: (one != "starter", one))), None)


def tokenizer_of(workspace: Workspace, settings: DoctorSettings) -> ModelTokenizer | None:
    """The tokenizer of that model; None when there is no model."""
    name = model_of(workspace, settings)
    return load_tokenizer(workspace.folder("models", name), settings.template) if name else None


def open_visit(workspace: Workspace, job: str) -> Path:
    """The folder of a visit; NotFound when the job is none."""
    folder = workspace.folder("jobs", job)
    if job_folder.read_settings(folder).get("job") != reports.JOB:
        raise NotFound(f"{job} is no visit of the doctor.", "It is another job.", "Let the doctor look at the dataset.")
    return folder


def told(workspace: Workspace, job: str) -> dict[str, Any]:
    """A visit for the page: its status, its settings, and when it came to its end its report as it stands now.

    Each finding has `fixed`, the fix that stands, and `ignored`; `stale` says why it is to be looked at again, and
    `fixing` names the job that fixes one of them right now.
    """
    folder = open_visit(workspace, job)
    settings = job_folder.read_settings(folder)
    state, status = job_folder.look(folder)
    about = {"job": job, "status": status, "settings": settings, "error": state.error}
    if not (folder / reports.FINDINGS).exists():
        return about | {"report": None}
    report = Report.read(folder)
    dataset = Dataset.open(workspace, report.dataset)
    reviews = Reviews(dataset)
    fixed, ignored = report.fixed(reviews), reports.ignored(dataset)
    findings = [
        finding | {"fixed": fixed.get(finding["kind"]), "ignored": finding["kind"] in ignored}
        for finding in report.findings
    ]
    return about | {
        "report": {
            "dataset": report.dataset,
            "version": report.version,
            "rows": report.rows,
            "notes": report.notes,
            "stale": report.stale(dataset, reviews),
            "outdated": dataset.latest != report.version,
            "fixing": fixing(workspace, report),
            "severities": list(SEVERITIES),
            "findings": findings,
        }
    }


def start_fix(workspace: Workspace, job: str, kind: str, mask: Mask = "labels", by: str = "") -> Path:
    """Begins a job that fixes one finding of a visit, as large datasets need it; returns its folder.

    Raises:
        NotFound: nothing of this kind was found.
        Busy: another finding of the visit is being fixed.
    """
    report = Report.read(open_visit(workspace, job))
    report.finding(kind)
    if fixing(workspace, report):
        raise Busy("Another finding is being fixed.", "Fixes are made one after the other.", "Wait for it, or stop it.")
    asked = {"visit": job, "finding": kind, "mask": mask} | ({"by": by} if by else {})
    folder = job_folder.create(workspace, FIX, asked, report.dataset)
    local.start(folder)
    report.note_job(folder.name)
    return folder


def fixing(workspace: Workspace, report: Report) -> str | None:
    """The job that fixes a finding of a report right now."""
    job = report.last_job()
    return job if job and (workspace.jobs / job).is_dir() and _alive(workspace.jobs / job) else None


def fix(
    workspace: Workspace,
    job: str,
    kind: str,
    mask: Mask = "labels",
    by: str = "",
    watch: Watch = lambda *_: None,
) -> dict[str, Any]:
    """Fixes one finding of a visit; see `remedies.fix`."""
    folder = open_visit(workspace, job)
    report = Report.read(folder)
    tokenizer = tokenizer_of(workspace, check(DoctorSettings, _given(folder))) if kind == "special_tokens" else None
    return remedies.fix(Dataset.open(workspace, report.dataset), report, kind, mask, tokenizer, by, watch)
