"""A split as a job: `python -m backend.split FOLDER`, where FOLDER/settings.json holds SplitSettings.

It plans, or checks; the plan lies in the folder (plan.json, moves.jsonl) until somebody applies it.
"""

from __future__ import annotations

from typing import Any

from backend.job import Job, run_job


def main(job: Job) -> dict[str, Any]:
    """Plans the split that the settings ask for; `finished` has its counts, and whether it is clean."""
    from studio.datasets.splitting import leaks, plans
    from studio.datasets.store import Dataset

    settings = plans.settings_of(job.folder)
    dataset = Dataset.open(job.workspace, settings.dataset)
    settings = plans.as_last_split(dataset, settings)
    found = plans.plan(dataset, settings, job.watch)
    plans.save(found, job.folder)
    about = found.about
    if settings.check:
        leaks.remember(dataset, about["reviews"], about["leaks"], plans.rules(settings))
    return {
        "dataset": dataset.name,
        "version": about["version"],
        "counts": about["planned"],
        "moved": about["moved"],
        "clean": about["leaks"]["clean"],
        "crossing": about["leaks"]["crossing"],
    }


if __name__ == "__main__":
    run_job(main)
