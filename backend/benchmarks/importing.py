"""An import from 10 thousand to a million rows of a kilobyte: seconds and memory of it and of its index, when its first
rows show, and how long a person then waits for any page or search, and for a deed on all rows."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from backend.benchmarks import cases, waits
from backend.benchmarks.bench import Bench
from backend.benchmarks.measured import Measured
from studio.benchmarks import Bar, Result
from studio.datasets.browsing.index import LARGE, Index
from studio.datasets.store import Dataset
from studio.jobs import folder as job_folder
from studio.jobs import follow, local
from studio.settings.importing import ImportSettings

SIZES = (10_000, 100_000, 1_000_000)
# What each kind of look is called at its bar.
LOOKS = {
    "page": "a page in the file's order",
    "sorted_page": "a sorted page",
    "filtered_page": "a filtered page",
    "filtered_and_sorted_page": "a page filtered and sorted",
    "search": "the first page of a search",
    "sorted_search": "the first page of a search, sorted",
    "filtered_and_sorted_search": "the first page of a search, filtered and sorted",
    "page_after_a_deed": "a page after a deed on all rows",
}


def measure(bench: Bench) -> Result:
    """Seconds and memory, and milliseconds for pages and searches, at each size."""
    return across(bench, SIZES)


def across(bench: Bench, sizes: tuple[int, ...]) -> Result:
    """The same for other sizes, the largest last."""
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    sides: list[dict[str, Any]] = []
    for rows in sizes:
        bench.say(f"{rows:,} rows of a kilobyte:")
        side, looks = _size(bench, rows)
        sides.append(side)
        bench.say(f"imported in {side['import_seconds']} s; slowest: {waits.slowest(looks)}")
    growth = (sides[-1]["import_seconds"] / sizes[-1]) / (sides[-2]["import_seconds"] / sizes[-2])
    facts = {"load of the machine before": load, "slowest look at the largest": waits.slowest(looks)}
    return Result(sides, _bars(sides, growth), facts)


def _size(bench: Bench, rows: int) -> tuple[dict[str, Any], waits.Waits]:
    source = cases.write(bench.folder("source") / f"{rows}.jsonl", rows)
    side: dict[str, Any] = {"side": f"{rows:,} rows", "file_megabytes": round(source.stat().st_size / 1e6, 1)}
    side |= _figures("import", _worker(bench, "import_data", _settings(source, f"rows-{rows}")))
    dataset = Dataset.open(bench.scratch, f"rows-{rows}")
    side |= waits.first_rows(bench, source, dataset)  # while the index is being made, as it is for everybody
    source.unlink()
    if rows >= LARGE:
        index = _unindexed(bench, dataset)
        made = _worker(bench, "index_data", {"dataset": dataset.name, "version": 1})
        side |= _figures("index", made) | {"index_megabytes": round(index.size() / 1e6, 1)}
    looks, deeds, peak = waits.at_the_page(bench, dataset)
    return side | {"page_peak_megabytes": round(peak / 1e6, 1)} | waits.figures(looks | deeds), looks


def _bars(sides: list[dict[str, Any]], growth: float) -> list[Bar]:
    def worst(*names: str) -> float:
        return max(float(side.get(name, 0)) for side in sides for name in names)

    peak = worst("import_peak_megabytes", "index_peak_megabytes", "page_peak_megabytes")
    looks = {words: worst(f"{kind}_worst_milliseconds") for kind, words in LOOKS.items()}
    return [
        Bar(f"seconds to import {sides[-1]['side']}", sides[-1]["import_seconds"], 90, at_most=True),
        Bar("times the seconds a row took in the size before", growth, 1.5, at_most=True),
        Bar("GB of memory in any process", peak / 1000, 1, at_most=True),
        Bar("seconds until the first rows of the file show", worst("first_rows_of_the_file_seconds"), 2, at_most=True),
        Bar("seconds until those of the dataset show", worst("first_rows_of_the_dataset_seconds"), 2, at_most=True),
        *(Bar(f"milliseconds for {words}, the slowest one", took, 300, at_most=True) for words, took in looks.items()),
    ]


def _settings(source: Path, name: str) -> dict[str, object]:
    return ImportSettings(source=[str(source)], name=name).model_dump(mode="json")


def _worker(bench: Bench, job: str, settings: dict[str, object]) -> Measured:
    folder = job_folder.create(bench.scratch, job, settings, job)
    command = [sys.executable, "-m", f"backend.{job}", str(folder)]
    return bench.run(command, folder / job_folder.OUTPUT, cwd=local.ROOT, env=dict(os.environ))


def _unindexed(bench: Bench, dataset: Dataset) -> Index:
    """The import has begun the index by itself; here it is measured alone."""
    index = Index(dataset, 1)
    if job := index.state(bench.scratch).job:
        local.stop(bench.scratch.jobs / job)
        follow.follow(bench.scratch, bench.scratch.jobs / job)
    shutil.rmtree(index.folder, ignore_errors=True)
    return index


def _figures(what: str, one: Measured) -> dict[str, float]:
    return {
        f"{what}_seconds": round(one.seconds, 1),
        f"{what}_processor_seconds": round(one.processor, 1),
        f"{what}_peak_megabytes": one.peak / 1e6,
    }
