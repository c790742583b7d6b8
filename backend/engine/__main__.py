"""Serves base and tuned of a run over loopback: `python -m backend.engine FOLDER`; see server.py."""

from __future__ import annotations

from typing import Any

from backend.job import Job, run_job
from studio.libraries import heavy_imports


def main(job: Job) -> dict[str, Any]:
    with heavy_imports():
        from backend.engine import server  # imports torch, which may take seconds: after the job's first event

    return server.main(job)


if __name__ == "__main__":
    run_job(main)
