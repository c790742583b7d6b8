"""A mixture as a job: `python -m backend.mix FOLDER`, where FOLDER/settings.json holds MixSettings."""

from __future__ import annotations

from typing import Any

from backend.job import Job, StopRequested, run_job


def main(job: Job) -> dict[str, Any]:
    """Makes the mixture; `finished` has its name, version, rows and parts."""
    from studio.datasets.mixing.making import mix
    from studio.datasets.versions.publishing import Stopped
    from studio.settings.base import check
    from studio.settings.mixing import MixSettings

    given = {key: value for key, value in job.settings.items() if key != "job"}
    settings = check(MixSettings, given, "This mixture can't be made.")

    def progress(done: int, total: int, what: str) -> None:
        job.progress(done, total or None, "rows", what)

    try:
        entry = mix(job.workspace, settings, progress, job.should_stop)
    except Stopped:
        raise StopRequested from None
    return {"name": settings.name, **{key: entry[key] for key in ("version", "rows", "counts", "parts")}}


if __name__ == "__main__":
    run_job(main)
