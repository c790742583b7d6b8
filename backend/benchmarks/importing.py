"""An import from 10 thousand to a million rows of a kilobyte: seconds and memory of it and of its index, and then how
long a person waits for a page of the largest set."""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from backend.benchmarks.bench import Bench
from backend.benchmarks.measured import Measured
from studio.benchmarks import Bar, Result
from studio.datasets.browsing.index import LARGE, Index
from studio.datasets.browsing.listing import PATIENCE, Wanted
from studio.datasets.store import Dataset
from studio.jobs import folder as job_folder
from studio.jobs import follow, local
from studio.settings.importing import ImportSettings

SIZES = (10_000, 100_000, 1_000_000)
GIGABYTE = 1 << 30
Look = Callable[[], object]
LOOKS = 12
SENTENCES, SENTENCE_WORDS, ROW_SENTENCES = 20_000, 12, 14
SYLLABLES = [a + b for a in "bdfgklmnprst" for b in "aeiou"]
COMMON = ["the", "of", "and", "to", "in", "is", "that", "it", "for", "was", "on", "are", "as", "with", "they", "be"]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
TOPICS = ["billing", "shipping", "returns", "repair"]


def measure(bench: Bench) -> Result:
    """Seconds and memory at each size; milliseconds for pages, searches and neighbours in the largest."""
    return across(bench, SIZES)


def across(bench: Bench, sizes: tuple[int, ...]) -> Result:
    """The same for other sizes, the largest last."""
    sides, imports, waits = [], [], {}
    for rows in sizes:
        bench.say(f"{rows:,} rows of a kilobyte:")
        source = write_rows(bench.folder("source") / f"{rows}.jsonl", rows)
        imports.append(_worker(bench, "import_data", _settings(source, f"rows-{rows}")))
        dataset = Dataset.open(bench.scratch, f"rows-{rows}")
        side = {
            "side": f"{rows:,} rows",
            "file_megabytes": source.stat().st_size / 1e6,
            **_figures("import", imports[-1]),
        }
        if rows >= LARGE:
            index = _unindexed(bench, dataset)
            made = _worker(bench, "index_data", {"dataset": dataset.name, "version": 1})
            side |= _figures("index", made) | {"index_megabytes": index.size() / 1e6}
        sides.append(side)
        waits = _waits(dataset)
        source.unlink()
    growth = (imports[-1].seconds / sizes[-1]) / (imports[-2].seconds / sizes[-2])
    return Result(
        sides,
        _bars(sides[-1], waits, growth),
        {f"{name}, milliseconds": round(1000 * took) for name, took in waits.items()},
    )


def _bars(largest: dict[str, Any], waits: dict[str, float], growth: float) -> list[Bar]:
    peak = max(value for name, value in largest.items() if name.endswith("peak_megabytes"))
    slowest = max(waits, key=lambda name: waits[name])
    return [
        Bar(f"seconds to import {largest['side']}", largest["import_seconds"], 90, at_most=True),
        Bar("GB of memory in any process", peak * 1e6 / GIGABYTE, 1, at_most=True),
        Bar("times the seconds a row took in the size before", growth, 1.5, at_most=True),
        Bar(f"milliseconds at most for a page of it: {slowest}", 1000 * waits[slowest], 300, at_most=True),
    ]


def write_rows(path: Path, rows: int) -> Path:
    """A file of made-up questions and answers, a kilobyte each, with a tag; the same at every call."""
    draw = random.Random(7)
    words = COMMON * 40 + ["".join(draw.choices(SYLLABLES, k=draw.randint(1, 4))) for _ in range(12_000)]
    sentences = [" ".join(draw.choices(words, k=SENTENCE_WORDS)) + "." for _ in range(SENTENCES)]
    with open(path, "w", encoding="utf-8") as file:
        for number in range(rows):
            question, *answer = draw.choices(sentences, k=ROW_SENTENCES)
            row = {"question": f"Case {number}: {question}", "answer": " ".join(answer), "domain": TOPICS[number % 4]}
            file.write(json.dumps(row) + "\n")
    return path


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


def _waits(dataset: Dataset) -> dict[str, float]:
    """Seconds that a person waits, by what they ask for: the median of some looks, each for something else."""
    rows = int(dataset.version_info()["rows"])
    draw = random.Random(1)
    some = dataset.at(1, sorted(draw.sample(range(rows), LOOKS)))
    words = [str((row.messages or [])[-1]["content"]).split() for row in some]
    starts = [draw.randrange(rows) for _ in some]

    def page(start: int = 0, **wanted: Any) -> Look:
        return lambda: dataset.listing(1).page(Wanted(**wanted), start, 20, PATIENCE)

    def place(row_id: str) -> Look:
        return lambda: dataset.listing(1).place(Wanted(sort="turns"), row_id, PATIENCE)

    chosen: dict[str, Any] = {"tags": {"domain": "repair"}, "sort": "-characters"}
    looks = {
        "any page": [page(start) for start in starts],
        "sorted": [page(start, sort="-characters") for start in starts],
        "filtered and sorted": [page(start // 5, split="train", **chosen) for start in starts],
        "a word": [page(search=text[3]) for text in words],
        "three words": [page(search=" ".join(text[5:8])) for text in words],
        "a word, filtered and sorted": [page(search=text[9], **chosen) for text in words],
        "a sentence": [page(search=" ".join(text[20:32])) for text in words],
        "the commonest words, sorted": [page(search=word, sort="-characters") for word in COMMON[:LOOKS]],
        "two letters": [page(search="".join(draw.choices(LETTERS, k=2))) for _ in some],
        "a row and its neighbours": [place(row.row_id) for row in some],
    }
    return {name: median(map(_timed, each)) for name, each in looks.items()}


def _timed(look: Look) -> float:
    start = time.perf_counter()
    look()
    return time.perf_counter() - start
