"""A merge as a job: `python -m backend.merge FOLDER`, where FOLDER/settings.json holds MergeSettings."""

from __future__ import annotations

from typing import Any

from backend.job import Job, StopRequested, run_job


def main(job: Job) -> dict[str, Any]:
    """Merges the datasets that the settings name; the fields of `finished` are those of the command's JSON."""
    from studio.datasets.browsing.index import start_if_large
    from studio.datasets.mixing.merging import merge
    from studio.datasets.versions.publishing import Stopped
    from studio.settings.base import check
    from studio.settings.merging import MergeSettings

    given = {key: value for key, value in job.settings.items() if key != "job"}
    settings = check(MergeSettings, given, "These datasets can't be merged.")

    def progress(done: int, total: int, what: str) -> None:
        job.progress(done, total, "rows", what)

    try:
        made = merge(job.workspace, settings, progress, job.should_stop)
    except Stopped:
        raise StopRequested from None
    start_if_large(job.workspace, made.name, made.version)
    return made.as_dict()


if __name__ == "__main__":
    run_job(main)
