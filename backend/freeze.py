"""Freezing a version as a job: `python -m backend.freeze FOLDER`, where FOLDER/settings.json names the dataset."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from backend.job import Job, StopRequested, run_job


def main(job: Job) -> dict[str, Any]:
    """Makes the next version of `settings["dataset"]`; `finished` says its number and what is new in it."""
    from studio.datasets.browsing.index import start_if_large
    from studio.datasets.store import Dataset
    from studio.datasets.versions.freezing import Frozen, freeze
    from studio.datasets.versions.publishing import Stopped

    def progress(done: int, total: int, what: str) -> None:
        job.progress(done, total, "rows", what)

    try:
        version = freeze(job.workspace, str(job.settings["dataset"]), progress, job.should_stop)
    except Stopped:
        raise StopRequested from None
    dataset = Dataset.open(job.workspace, str(job.settings["dataset"]))
    start_if_large(job.workspace, dataset.name, version)
    entry = dataset.version_info(version)
    return {"name": dataset.name, "version": version} | {each.name: entry[each.name] for each in fields(Frozen)}


if __name__ == "__main__":
    run_job(main)
