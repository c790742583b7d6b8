"""A benchmark as a job: `python -m backend.benchmark FOLDER`, where FOLDER/settings.json holds BenchmarkSettings."""

from __future__ import annotations

import os
import time
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any

from backend.job import Job, run_job

PACKAGES = ("torch", "transformers", "peft")
os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "TOKENIZERS_PARALLELISM": "false"}
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def main(job: Job) -> dict[str, Any]:
    """Measures; the fields of `finished` are those of the command's JSON, which `studio/benchmarks.py` describes."""
    from backend.benchmarks.bench import USUAL, bench
    from studio import __version__
    from studio.benchmarks import module
    from studio.machine import machine
    from studio.migrate import FORMATS
    from studio.settings.base import check
    from studio.settings.benchmark import BenchmarkSettings

    given = {key: value for key, value in job.settings.items() if key != "job"}
    settings = check(BenchmarkSettings, given, "This can't be measured.")
    with bench(job, settings) as found:
        result = import_module(module(settings.name)).measure(found)
    return {
        "format": FORMATS["benchmark"],
        "name": settings.name,
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(job.folder).lasting(),
        "versions": {"FlexTune Studio": __version__, "Python": python_version()}
        | {name: version(name) for name in PACKAGES}
        | result.versions,
        # The name of the data is enough: where it lies is nobody's business.
        "settings": settings.model_dump(mode="json", exclude={"name"}) | {"data": Path(settings.data or USUAL).name},
        **result.as_dict(),
    }


if __name__ == "__main__":
    run_job(main)
