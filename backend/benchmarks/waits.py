"""How long a person at the page waits for rows of a dataset: a studio of one's own is asked over HTTP, and the clock
says when the answer is whole. Nothing is asked for twice, so nothing that was kept makes an answer quick."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

from backend.benchmarks import cases
from backend.benchmarks.bench import Bench
from backend.benchmarks.studio_process import StudioProcess
from studio.datasets.store import Dataset
from studio.errors import JobFailed

LOOKS = 12
LONGEST = "-characters"
SORTS = (LONGEST, "characters", "tag:domain", "turns")
CHOSEN = {"side": "train", "tags": f"domain={cases.TOPICS[0]}"}
DEEDS = {"tagging": {"type": "tag", "tag": "seen", "value": "yes"}, "leaving out": {"type": "exclude"}}
AFTER = {"all": {}, "changed": {"side": "changed"}, "longest": {"sorted": LONGEST}, "tagged": {"tags": "seen=yes"}}
Waits = dict[str, dict[str, float]]  # milliseconds by what was asked, of every kind


def first_rows(bench: Bench, source: Path, dataset: Dataset) -> dict[str, float]:
    """Seconds until the first rows show of the file, at the import form, and of the dataset just made of it, in a
    studio that was asked for neither before."""
    with StudioProcess(bench.scratch) as studio:
        studio.wait_until_ready()
        file = _took(lambda: _preview(studio, source))
        rows = Reader(studio, dataset).page(0, {})
    return {"first_rows_of_the_file_seconds": file / 1000, "first_rows_of_the_dataset_seconds": rows / 1000}


def at_the_page(bench: Bench, dataset: Dataset) -> tuple[Waits, Waits, int]:
    """Pages, rows and thirty searches of a dataset whose index is made, and pages after deeds on all its rows; those
    deeds; and the most memory of the page's process."""
    with StudioProcess(bench.scratch) as studio:
        studio.wait_until_ready()
        reader = Reader(studio, dataset)
        looks = _pages(reader) | _searches(reader)
        deeds, after = _deeds(reader)
        return looks | after, deeds, studio.peak()


def figures(waits: Waits) -> dict[str, float]:
    """The median and the worst of each kind."""
    return {
        f"{kind}_{name}_milliseconds": round(of(took.values()), 1)
        for kind, took in waits.items()
        for name, of in (("median", median), ("worst", max))
    }


def slowest(waits: Waits) -> str:
    """Which of all it was."""
    took, kind, asked = max((took, kind, asked) for kind, all_ in waits.items() for asked, took in all_.items())
    return f"{kind.replace('_', ' ')} “{asked}”, {took:.0f} ms"


class Reader:
    """Somebody who looks at the rows of a dataset; what a look takes is told in milliseconds."""

    def __init__(self, studio: StudioProcess, dataset: Dataset) -> None:
        self.studio = studio
        self.dataset = dataset
        self.address = f"/studio/datasets/{dataset.name}/rows"

    def page(self, start: int, asked: Mapping[str, str]) -> float:
        return _took(lambda: self.studio.get(f"{self.address}?{urlencode({'start': start, **asked})}"))

    def do(self, deed: Mapping[str, str]) -> float:
        """One deed on all rows."""
        return _took(lambda: self.studio.post(f"/studio/datasets-tags/{self.dataset.name}/bulk", dict(deed)))

    def row(self, row_id: str) -> float:
        """One row whole, with what stands before and after it in the order by length."""
        return _took(lambda: self.studio.get(f"{self.address}/{row_id}?sorted={LONGEST}"))


def _took(look: Callable[[], object]) -> float:
    start = time.perf_counter()
    look()
    return 1000 * (time.perf_counter() - start)


def _preview(studio: StudioProcess, source: Path) -> None:
    found = studio.post("/studio/imports/preview", {"path": str(source)})
    if error := found.get("error"):
        raise JobFailed("The import form showed no rows.", str(error["what"]), "See the benchmark's output.log.")


def _pages(reader: Reader) -> Waits:
    rows = int(reader.dataset.version_info()["rows"])
    draw = random.Random(1)
    starts = [draw.randrange(rows) for _ in range(LOOKS)]
    few = [start // 8 for start in starts]  # one topic of four, without what is held out
    sorts = [SORTS[number % len(SORTS)] for number in range(LOOKS)]
    ids = reader.dataset.ids(1, [draw.randrange(rows) for _ in range(LOOKS)])
    return {
        "page": {f"from {start}": reader.page(start, {}) for start in starts},
        "sorted_page": {
            f"from {start} by {sort}": reader.page(start, {"sorted": sort})
            for start, sort in zip(starts, sorts, strict=True)
        },
        "filtered_page": {f"from {start}": reader.page(start, CHOSEN) for start in few},
        "filtered_and_sorted_page": {
            f"from {start} by {sort}": reader.page(start, {"sorted": sort, **CHOSEN})
            for start, sort in zip(few, sorts, strict=True)
        },
        "row_and_its_neighbours": {row_id: reader.row(row_id) for row_id in ids},
    }


def _searches(reader: Reader) -> Waits:
    """All thirty in one order before the next: of fewer the studio keeps the places."""
    words = cases.searches(reader.dataset)
    orders: dict[str, dict[str, str]] = {
        "search": {},
        "sorted_search": {"sorted": LONGEST},
        "filtered_and_sorted_search": {"sorted": LONGEST, **CHOSEN},
    }
    return {kind: {find: reader.page(0, {"find": find, **order}) for find in words} for kind, order in orders.items()}


def _deeds(reader: Reader) -> tuple[Waits, Waits]:
    """What is done to all rows at once, and the pages after each deed."""
    deeds: dict[str, float] = {}
    pages: dict[str, float] = {}
    for name, deed in DEEDS.items():
        deeds[name] = reader.do(deed)
        pages |= {f"{look} after {name}": reader.page(0, asked) for look, asked in AFTER.items()}
    return {"deed_on_all_rows": deeds}, {"page_after_a_deed": pages}
