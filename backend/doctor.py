"""The data doctor as a job: `python -m backend.doctor FOLDER`, where FOLDER/settings.json holds DoctorSettings.

Writes findings.json and findings.parquet beside them, and keeps how long rows are in tokens; no row is changed.
"""

from __future__ import annotations

from typing import Any

from backend.job import Job, StopRequested, run_job


def main(job: Job) -> dict[str, Any]:
    """Looks through the dataset that the settings name; `finished` has the rows and the findings with their counts."""
    from studio.datasets.browsing.lengths import keep
    from studio.datasets.reviewing.reviews import Reviews
    from studio.datasets.store import Dataset
    from studio.doctor import reports, visits
    from studio.doctor.examination import Round, Stopped
    from studio.settings.base import check
    from studio.settings.doctor import DoctorSettings

    given = {key: value for key, value in job.settings.items() if key != "job"}
    settings = check(DoctorSettings, given, "The doctor can't look at this.")
    dataset = Dataset.open(job.workspace, settings.dataset)
    version, reviews = dataset.latest, Reviews(dataset).last()

    def progress(done: int, total: int, what: str) -> None:
        job.progress(done, total, "rows", what)

    tokenizer = visits.tokenizer_of(job.workspace, settings)
    try:
        examined = Round(dataset, settings, tokenizer, progress, job.should_stop).examine()
    except Stopped:
        raise StopRequested from None
    for note in examined.notes:
        job.message(note)
    counts = reports.write(job.folder, dataset, version, reviews, examined)
    model = visits.model_of(job.workspace, settings)
    if model and examined.counts is not None and not settings.template:
        try:
            keep(dataset, version, model, examined.counts)
        except OSError as error:  # only an order of the list needs them
            job.message(f"The rows' tokens were counted, but can't be kept: {error.strerror or error}.")
    return {"dataset": dataset.name, "version": version, "rows": examined.rows, "findings": counts}


if __name__ == "__main__":
    run_job(main)
