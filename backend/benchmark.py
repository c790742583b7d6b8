"""A benchmark as a job: `python -m backend.benchmark FOLDER`, where FOLDER/settings.json holds BenchmarkSettings."""

from __future__ import annotations

import os
import time
from importlib import import_module
from typing import Any

from backend.job import Job, run_job

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "TOKENIZERS_PARALLELISM": "false"}
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def main(job: Job) -> dict[str, Any]:
    """Measures; the fields of `finished` are those of the command's JSON."""
    from backend.benchmarks.bench import bench
    from studio.benchmarks import module
    from studio.machine import machine
    from studio.settings.base import check
    from studio.settings.benchmark import BenchmarkSettings

    given = {key: value for key, value in job.settings.items() if key != "job"}
    settings = check(BenchmarkSettings, given, "This can't be measured.")
    with bench(job, settings) as found:
        result = import_module(module(settings.name)).measure(found)
    about = {"name": settings.name, "date": time.strftime("%Y-%m-%d"), "machine": machine(job.folder).summary()}
    return {**about, "settings": settings.model_dump(mode="json"), **result.as_dict()}


if __name__ == "__main__":
    run_job(main)
