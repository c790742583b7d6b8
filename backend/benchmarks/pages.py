"""Open pages: what five of them cost beside a training, how soon a step is drawn, and how soon a long run opens.

The training is a real one of the model, on all cores, started by the studio; the pages are in a Chromium. A step counts
from the moment that its line was written by the worker until the curve of a page holds it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from backend.benchmarks import chromium
from backend.benchmarks.bench import Bench
from backend.benchmarks.ours import WORK
from backend.benchmarks.studio_process import StudioProcess
from studio import events, runs
from studio.benchmarks import Bar, Result
from studio.errors import JobFailed
from studio.jobs import follow, queue
from studio.journey import DATA
from studio.logs import Log
from studio.settings.base import check
from studio.settings.train import TrainSettings

PAGES = 5
WATCHED_SECONDS = 30
LONG = 20_000  # steps
DATASET = "desk"
PATIENCE_MS = 120_000
# The steps that a page's curve holds, newest last.
DRAWN = "(document.querySelector('[data-chart=loss]')?.data?.find((one) => one.name === 'Training')?.x ?? [])"
# Notes for each step when the page first had it, by the clock that the worker writes down, too.
NOTE = f"""() => {{
  window.drawnAt = new Map();
  const note = (step) => drawnAt.has(step) || drawnAt.set(step, Date.now() / 1000);
  setInterval(() => {DRAWN}.forEach(note), 25);
}}"""


def measure(bench: Bench) -> Result:
    """Seconds, shares of a core and bytes."""
    bench.bring(DATA, DATASET)
    with chromium.opened() as browser, StudioProcess(bench.scratch) as studio:
        studio.wait_until_ready()
        folder = _train(bench)
        watched = _watch(bench, browser, studio, folder)
        queue.stop(bench.scratch, folder)
        follow.follow(bench.scratch, folder)
        opened = _open(bench, browser, studio)
    share = median(one["share_of_a_core"] for one in watched)
    late = sorted(wait for one in watched for wait in one["waits"])
    bars = [
        Bar(f"% of a core for the page's process, {PAGES} pages open beside a training", 100 * share, 10, at_most=True),
        Bar("seconds until a step is drawn, the median", median(late), 1.5, at_most=True),
        Bar("seconds until a step is drawn, the latest of them", late[-1], 1.5, at_most=True),
        Bar(f"seconds until a run of {LONG:,} steps is drawn, from its link", median(opened["link"]), 2, at_most=True),
        Bar("the same in a new page, from its address", median(opened["address"]), 2, at_most=True),
    ]
    facts = {
        "steps seen": len(late) // PAGES,
        "bytes of an answer with the newest steps, of the short run": median(watched[-1]["bytes"]),
        "of the long run": opened["bytes"],
        "seconds until the long run is drawn in a browser that has never seen the studio": median(opened["first"]),
    }
    sides = [
        {
            "side": f"round {number}",
            "percent_of_a_core": round(100 * one["share_of_a_core"], 2),
            "median_seconds_until_a_step_is_drawn": round(median(one["waits"]), 3),
            "latest": round(max(one["waits"]), 3),
        }
        for number, one in enumerate(watched, 1)
    ]
    return Result(sides, bars, facts)


def _train(bench: Bench) -> Path:
    """A run in the queue, longer than anybody watches; an open page has the studio start it."""
    given = {**WORK, "dataset": DATASET, "model": bench.settings.model, "epochs": None, "max_steps": 100_000}
    return runs.create(bench.scratch, check(TrainSettings, given), total_steps=100_000)


def _watch(bench: Bench, browser: Any, studio: StudioProcess, folder: Path) -> list[dict[str, Any]]:
    """Several pages at the run, for some time each round."""
    pages = [browser.new_page() for _ in range(PAGES)]
    answers: list[Any] = []
    pages[0].on("response", lambda answer: answers.append(answer) if "/news?" in answer.url else None)
    for page in pages:
        page.goto(f"{studio.address}/?tab=runs&run={folder.name}")
    for page in pages:
        page.wait_for_function(f"{DRAWN}.length > 0", timeout=PATIENCE_MS)
        page.evaluate(NOTE)
    found = []
    for number in range(1, bench.settings.rounds + 1):
        from_step, answers[:] = _newest(folder), []
        cost, began = _seconds_of_work(studio), time.perf_counter()
        pages[0].wait_for_timeout(1000 * WATCHED_SECONDS)
        share = (_seconds_of_work(studio) - cost) / (time.perf_counter() - began)
        waits = [wait for page in pages for wait in _waits(page, folder, from_step)]
        if not waits:
            raise JobFailed("No step was drawn.", "The training stands still.", "See its output.log.")
        sizes = [len(answer.body()) for answer in answers]
        found.append({"share_of_a_core": share, "waits": waits, "bytes": sizes})
        bench.say(f"Round {number}: {100 * share:.1f} % of a core; a step is drawn after {median(waits):.2f} s.")
    for page in pages:
        page.close()
    return found


def _seconds_of_work(studio: StudioProcess) -> float:
    times = studio.process.cpu_times()
    return float(times.user + times.system)


def _newest(folder: Path) -> int:
    return int(events.last_metric(folder).get("step", 0))


def _waits(page: Any, folder: Path, after: int) -> list[float]:
    """Seconds from a step's line in the log until the page's curve held it, of the steps after this one."""
    drawn = dict(page.evaluate("[...drawnAt]"))
    lines, _ = events.steps(folder)
    return [drawn[line["step"]] - line["time"] for line in lines if line["step"] > after and line["step"] in drawn]


def _open(bench: Bench, browser: Any, studio: StudioProcess) -> dict[str, Any]:
    """A run of many steps, by its link in the list and by its address; and what one more step sends then."""
    folder = _long_run(bench)
    address = f"{studio.address}/?tab=runs&run={folder.name}"
    found: dict[str, Any] = {"first": [], "address": [], "link": []}
    for _ in range(bench.settings.rounds):
        context = browser.new_context()
        for name in ("first", "address"):
            page = context.new_page()
            found[name].append(_drawn(page, partial(page.goto, address)))
        page = context.new_page()
        page.goto(f"{studio.address}/?tab=runs")
        link = page.locator(f"table.runs a[href*='{folder.name}']").first
        link.wait_for()
        found["link"].append(_drawn(page, link.click))
        context.close()
        took = ", ".join(f"{name} {times[-1]:.2f} s" for name, times in found.items())
        bench.say(f"{LONG:,} steps: {took}.")
    start = events.steps(folder)[1]
    with Log(folder / events.METRICS) as log:
        log.append("step", step=LONG + 1, loss=2.0, tokens=100, seconds=0.5)
    found["bytes"] = len(studio.get(f"/studio/runs/{folder.name}/news?events={_size(folder)}&steps={start}"))
    return found


def _drawn(page: Any, open_it: Callable[[], object]) -> float:
    """Seconds until the page, opened in this way, has the whole curve; closes it."""
    began = time.perf_counter()
    open_it()
    page.wait_for_function(f"{DRAWN}.at(-1) >= {LONG}", timeout=PATIENCE_MS)
    took = time.perf_counter() - began
    page.close()
    return took


def _size(folder: Path) -> int:
    return (folder / events.EVENTS).stat().st_size


def _long_run(bench: Bench) -> Path:
    """A finished run with the log of a long one."""
    settings = check(TrainSettings, {"dataset": DATASET, "model": bench.settings.model, "name": "long"})
    folder = runs.create(bench.scratch, settings, total_steps=LONG)
    with Log(folder / events.EVENTS) as log:
        log.append("starting", pid=1)
        log.append("training", total_steps=LONG)
        log.append("finished", step=LONG)
    line = '{"type": "step", "time": 1700000000.1, "step": %d, "loss": %.4f, "tokens": 100, "seconds": 0.5}\n'
    text = "".join(line % (step, 3 - step / LONG) for step in range(1, LONG + 1))
    (folder / events.METRICS).write_text(text, encoding="utf-8")
    return folder
