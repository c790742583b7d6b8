"""Tags by rule as a job: `python -m backend.tag_rows FOLDER`, where FOLDER/settings.json holds TagSettings.

`apply` there says whether the rows are tagged, or only looked for; `by` who does it. Small datasets need no job.
"""

from __future__ import annotations

from typing import Any

from backend.job import Job, run_job


def main(job: Job) -> dict[str, Any]:
    """Looks for the rows, and tags them if asked; `finished` has the rule and what it found, or the change it made."""
    from studio.datasets.reviewing import tagging
    from studio.datasets.store import Dataset
    from studio.settings.base import check
    from studio.settings.tagging import TagSettings

    given = {key: value for key, value in job.settings.items() if key not in ("job", "apply", "by")}
    settings = check(TagSettings, given, "These tags can't be given.")
    dataset = Dataset.open(job.workspace, settings.dataset)
    hits = tagging.look(dataset, settings, job.watch)
    if not job.settings["apply"]:
        return {"rule": settings.model_dump(mode="json"), "found": hits.as_dict()}
    job.stop_if_asked()
    number = tagging.apply(dataset, settings.tag, dict(hits.tags), str(job.settings.get("by", "")))
    return {"tagged": len(hits.tags), "number": number}


if __name__ == "__main__":
    run_job(main)
