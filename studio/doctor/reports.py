"""What an examination found, kept in its job's folder so that it can be opened again and linked.

    findings.json      the findings in words with their examples, what was looked at and when
    findings.parquet   kind, row_id, other_id: which rows each finding has
    fixes.jsonl        which findings were fixed, and the number of the batch of reviews that did it; which job did it,
                       where it took one

and in the dataset's folder

    doctor.json        which kinds its owner wants to hear no more of, and the key of the stand-ins
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from studio import logs, migrate
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.store import Dataset, connect
from studio.doctor.examination import Examination
from studio.doctor.kinds import KINDS
from studio.errors import NotFound, StudioError
from studio.files import whole_file
from studio.jobs import folder as job_folder
from studio.workspace import Workspace

FINDINGS, ROWS, FIXES = "findings.json", "findings.parquet", "fixes.jsonl"
NOTES = "doctor.json"
JOB = "doctor"


def write(folder: Path, dataset: Dataset, version: int, reviews: int, examined: Examination) -> dict[str, Any]:
    """Writes the report of an examination into its job's folder; returns the findings by kind with their counts."""
    with whole_file(folder / ROWS) as partial:
        pq.write_table(examined.table, partial, compression="zstd")
    report = {
        "dataset": dataset.name,
        "version": version,
        "reviews": reviews,
        "rows": examined.rows,
        "country": examined.country,
        "notes": examined.notes,
        "findings": [finding.as_dict() for finding in examined.findings],
    }
    migrate.save(folder / FINDINGS, "findings", report)
    return {finding.kind: finding.count for finding in examined.findings}


@dataclass
class Report:
    """A report as it was written; what became of its findings since is asked of the dataset."""

    folder: Path
    dataset: str
    version: int
    reviews: int
    rows: int
    country: str
    notes: list[str]
    findings: list[dict[str, Any]]

    @classmethod
    def read(cls, folder: Path) -> Report:
        """The report in a job's folder; NotFound while there is none."""
        try:
            return cls(folder, **migrate.load(folder / FINDINGS, "findings"))
        except FileNotFoundError:
            raise NotFound(
                "This examination has no report.", "It did not come to its end.", "Let the doctor look again."
            ) from None

    def finding(self, kind: str) -> dict[str, Any]:
        found = next((finding for finding in self.findings if finding["kind"] == kind), None)
        if found is None:
            raise NotFound(
                f"Nothing of the kind “{kind}” was found.",
                f"Found were: {', '.join(finding['kind'] for finding in self.findings) or 'nothing'}.",
                "Choose one of these.",
                field="finding",
            )
        return found

    def row_ids(self, kind: str, start: int = 0, limit: int | None = None) -> list[tuple[str, str | None]]:
        """(row id, id of the row it belongs with) of a finding, in the version's order."""
        with connect() as connection:
            page = "" if limit is None else f"LIMIT {int(limit)} OFFSET {int(start)}"
            sql = f"SELECT row_id, other_id FROM read_parquet(?) WHERE kind = ? {page}"
            return [(row, other) for row, other in connection.execute(sql, [str(self.folder / ROWS), kind]).fetchall()]

    # ---- What became of it ----

    def fixes(self) -> list[dict[str, Any]]:
        """Every fix that was made from this report, also those that were taken back."""
        return [line for line in logs.read(self.folder / FIXES)[0] if line["type"] == "fix"]

    def note_job(self, job: str) -> None:
        """Keeps which job fixes one of the findings."""
        with logs.Log(self.folder / FIXES) as log:
            log.append("job", job=job)

    def last_job(self) -> str | None:
        """The job that was the last to fix one of the findings."""
        jobs = [str(line["job"]) for line in logs.read(self.folder / FIXES)[0] if line["type"] == "job"]
        return jobs[-1] if jobs else None

    def fixed(self, reviews: Reviews) -> dict[str, dict[str, Any]]:
        """Of each kind the last fix that stands; `last` says whether the next undo would take it back, `frozen` whether
        it is in a version by now."""
        standing = reviews.log().standing
        newest = max((number for number, deeds in standing.items() if deeds), default=0)
        frozen = int(reviews.dataset.version_info().get("reviews", 0))
        return {
            fix["kind"]: fix | {"last": fix["number"] == newest > frozen, "frozen": fix["number"] <= frozen}
            for fix in self.fixes()
            if standing.get(fix["number"])
        }

    def own(self) -> set[int]:
        """The numbers of the batches that fixes of this report wrote."""
        return {int(fix["number"]) for fix in self.fixes()}

    def stale(self, dataset: Dataset, reviews: Reviews) -> str:
        """Why the report no longer tells how the rows are; "" while it does."""
        if dataset.latest != self.version:
            return f"There is a version {dataset.latest} since; this was found in version {self.version}."
        others = [number for number, deeds in reviews.log().standing.items() if deeds and number > self.reviews]
        if set(others) - self.own():
            return "Rows were changed since."
        if reviews.taken_back_since(self.reviews):
            return "Changes that the doctor saw were taken back since."
        return ""

    def note_fix(self, kind: str, number: int, rows: int, **fields: Any) -> None:
        with logs.Log(self.folder / FIXES) as log:
            log.append("fix", kind=kind, number=number, rows=rows, **fields)


# ---- What is kept with the dataset ----


def _notes(dataset: Dataset) -> dict[str, Any]:
    try:
        return migrate.load(dataset.folder / NOTES, "doctor")
    except FileNotFoundError:
        return {"ignored": [], "key": ""}


def ignored(dataset: Dataset) -> list[str]:
    """The kinds that the owner of a dataset wants to hear no more of."""
    return list(_notes(dataset)["ignored"])


def ignore(dataset: Dataset, kind: str, on: bool) -> None:
    """Puts a kind of finding aside for this dataset, or takes it up again."""
    if kind not in KINDS:
        raise NotFound(f"There is no finding “{kind}”.", "", "Reload the page.")
    notes = _notes(dataset)
    kinds = [name for name in notes["ignored"] if name != kind]
    migrate.save(dataset.folder / NOTES, "doctor", notes | {"ignored": [*kinds, kind] if on else kinds})


def key_of(dataset: Dataset) -> bytes:
    """The secret from which stand-ins are made, drawn when it is first wanted."""
    notes = _notes(dataset)
    if not notes["key"]:
        notes["key"] = secrets.token_hex(32)
        migrate.save(dataset.folder / NOTES, "doctor", notes)
    return bytes.fromhex(notes["key"])


# ---- Which jobs there are ----


def jobs_of(workspace: Workspace, dataset: Dataset) -> list[Path]:
    """The doctor's jobs on a dataset, also those under an earlier name of it; the newest first."""
    names = {dataset.name, *dataset.info.get("formerly", [])}
    hints = {f"-{hint_of(name)}-" for name in names}
    found = []
    for job in reversed(workspace.names("jobs")):
        if any(hint in job for hint in hints):
            settings = job_folder.read_settings(workspace.jobs / job)
            if settings.get("job") == JOB and settings.get("dataset") in names:
                found.append(workspace.jobs / job)
    return found


def finished(workspace: Workspace, dataset: Dataset) -> Iterator[Report]:
    """The reports on a dataset, the newest first; visits that came to no end are passed over."""
    for folder in jobs_of(workspace, dataset):
        try:
            yield Report.read(folder)
        except (StudioError, OSError):
            continue


def newest(workspace: Workspace, dataset: Dataset, version: int | None = None) -> Report:
    """The newest report on a dataset, or on one version of it.

    Raises:
        NotFound: the doctor did not look at it.
    """
    reports = finished(workspace, dataset)
    found = next((report for report in reports if version is None or report.version == version), None)
    if found is None:
        named = f"“{dataset.name}”" if version is None else f"version {version} of “{dataset.name}”"
        raise NotFound(
            f"The doctor has not looked at {named}.", "There is no report.", f"Run: launch.py doctor {dataset.name}"
        )
    return found


def hint_of(dataset: str) -> str:
    """What the ids of the doctor's jobs on a dataset have in them."""
    return f"{JOB}-{dataset}"[:32]
