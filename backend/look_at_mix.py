"""What would come of a mixture, counted as a job: `python -m backend.look_at_mix FOLDER`.

FOLDER/settings.json holds MixSettings, and the model in whose tokens to count. Small parts need no job.
"""

from __future__ import annotations

from typing import Any

from backend.job import Job, run_job


def main(job: Job) -> dict[str, Any]:
    """Counts rows and tokens of each part and side; `finished` has them, and the recipe."""
    from studio.datasets.mixing.mixture import look
    from studio.settings.base import check
    from studio.settings.mixing import MixSettings

    given = {key: value for key, value in job.settings.items() if key not in ("job", "model")}
    settings = check(MixSettings, given, "This mixture can't be made.")
    found = look(job.workspace, settings, job.settings["model"], job.watch)
    return {"found": found, "recipe": settings.model_dump(mode="json")}


if __name__ == "__main__":
    run_job(main)
