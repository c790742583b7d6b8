"""A finding of the doctor fixed as a job: `python -m backend.fix_finding FOLDER`.

FOLDER/settings.json names the visit, the finding, what stands for personal data and who does it (`by`). Small datasets
need no job.
"""

from __future__ import annotations

from typing import Any

from backend.job import Job, run_job


def main(job: Job) -> dict[str, Any]:
    """Fixes the finding; `finished` has its kind, the number of the change and how many rows it changed."""
    from studio.doctor import visits

    settings = job.settings
    visit, kind, by = (str(settings.get(name, "")) for name in ("visit", "finding", "by"))
    return visits.fix(job.workspace, visit, kind, settings["mask"], by, job.watch)


if __name__ == "__main__":
    run_job(main)
