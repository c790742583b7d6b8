"""A warm start, as a person at the page meets it: the first byte, the page that can be used, its memory; and how soon a
comparison on the model begins to answer.

Each start is a studio of its own. Where Playwright and a Chromium are, the page is opened in it, and in the last round
five pages look at every tab; else what the page is made of is fetched.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from statistics import median
from typing import Any

from backend.benchmarks import chromium, ours
from backend.benchmarks.bench import Bench
from backend.benchmarks.studio_process import StudioProcess
from studio.benchmarks import Bar, Result
from studio.errors import JobFailed, NotFound
from studio.journey import DATA

TABS = ("home", "data", "train", "runs", "compare", "evaluate", "export", "settings")
PAGES = 5
DATASET = "desk"
# What stands on Home once its script runs and the studio has answered it.
USABLE = "ft-home [data-slot=ways] h2"
OPEN = (
    "tab => [...document.querySelectorAll(`ft-${tab}`)].some(part => part.offsetParent && part.innerText.length > 40)"
)
QUESTION = "My parcel has not arrived. What can I do?"
ANSWERS = 5
Look = Callable[[StudioProcess, bool], float]


def measure(bench: Bench) -> Result:
    """Both ways to look, in turns; then the first word of both answers."""
    facts: dict[str, Any] = {"load of the machine": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None}
    bench.bring(DATA, DATASET)
    with _looks() as looks:
        found: dict[str, list[dict[str, float]]] = {name: [] for name in looks}
        for number in range(bench.settings.rounds):
            for name, look in looks.items():
                found[name].append(_start(bench, look, number == bench.settings.rounds - 1))
                bench.say(f"Round {number + 1}, {name}: {found[name][-1]['usable_seconds']:.2f} s")
    medians = {name: _medians(rounds) for name, rounds in found.items()}
    worst = {key: max(one[key] for one in medians.values()) for key in medians["fetched"]}
    bars = [
        Bar("seconds until the first byte", worst["first_byte_seconds"], 0.5, at_most=True),
        Bar("seconds until the page can be used", worst["usable_seconds"], 5, at_most=True),
        Bar("MB of memory then", worst["memory_megabytes"], 350, at_most=True),
        Bar("of torch's files in that process", worst["files_of_torch"], 0, at_most=True),
    ]
    if whole := medians.get("in Chromium", {}).get("every_tab_megabytes"):
        bars.append(Bar(f"MB after {PAGES} pages have looked at every tab", whole, 350, at_most=True))
    if bench.settings.model in bench.scratch.names("models"):
        first = _first_words(bench)
        facts["first word of each question, milliseconds"] = ", ".join(f"{1000 * one:.0f}" for one in first)
        bars.append(Bar("seconds until the first word of a comparison", median(first), 1, at_most=True))
    else:
        bench.say(f"There is no model {bench.settings.model} here, so no comparison was asked.")
    return Result([{"side": name} | one for name, one in medians.items()], bars, facts)


def _start(bench: Bench, look: Look, last: bool) -> dict[str, float]:
    with StudioProcess(bench.scratch) as studio:
        found = {"first_byte_seconds": studio.first_byte() - studio.began}
        found["usable_seconds"] = look(studio, False) - studio.began
        found |= {"memory_megabytes": studio.memory() / 1e6, "files_of_torch": float(len(studio.files_of("torch")))}
        if last and look is not _fetched:
            look(studio, True)
            found["every_tab_megabytes"] = studio.memory() / 1e6
    return found


def _medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for one in rounds for name in one)
    return {name: round(median(one[name] for one in rounds if name in one), 3) for name in names}


@contextmanager
def _looks() -> Iterator[dict[str, Look]]:
    """The ways to look at a studio there are on this machine."""
    looks: dict[str, Look] = {"fetched": _fetched}
    with ExitStack() as stack:
        with suppress(NotFound):
            window = stack.enter_context(chromium.opened())
            looks["in Chromium"] = lambda studio, thoroughly: _opened(window, studio, thoroughly)
        yield looks


def _fetched(studio: StudioProcess, thoroughly: bool) -> float:
    """Until the page, the files it names and the figures of Home are here."""
    studio.wait_until_ready()
    page = studio.get("/").decode()
    waiting = set(re.findall(r"(?:src|href)=\"(/[^\"]+\.(?:js|css|svg))\"", page))
    seen: set[str] = set()
    while waiting:
        path = waiting.pop()
        seen.add(path)
        text = studio.get(path).decode(errors="replace")
        if path.startswith("/studio/assets/"):
            folder = path.rsplit("/", 1)[0]
            waiting |= {f"{folder}/{name}" for name in re.findall(r"(?:from|import) \"\./([\w.-]+)\"", text)} - seen
    for path in ("/studio/home", "/studio/home/machine"):
        studio.get(path)
    return time.perf_counter()


def _opened(window: Any, studio: StudioProcess, thoroughly: bool) -> float:
    """Until Home stands in a Chromium that runs already; thoroughly: every tab, in several pages at once."""
    pages = [window.new_page() for _ in range(PAGES if thoroughly else 1)]
    for tab in TABS if thoroughly else TABS[:1]:
        for page in pages:
            page.goto(f"{studio.address}/?tab={tab}")
            if tab == "home":
                page.wait_for_selector(USABLE, timeout=60_000)
            else:
                page.wait_for_function(OPEN, arg=tab, timeout=60_000)
    at = time.perf_counter()
    for page in pages:
        page.close()
    return at


def _first_words(bench: Bench) -> list[float]:
    """Seconds from a question at the page to the first word of an answer, the engine warm; two updates are enough."""
    bench.say("A short training, for a comparison:")
    _, run = ours.train(bench, DATASET, max_steps=2, epochs=None)
    with StudioProcess(bench.scratch) as studio:
        studio.wait_until_ready()
        engine = f"/studio/answers/{run.name}/engine"
        state = studio.post(f"{engine}/start", {})
        try:
            while state["phase"] == "loading":
                time.sleep(0.2)
                state = studio.ask(engine)
            if state["phase"] != "ready":
                raise JobFailed("The engine did not start.", str(state.get("error") or ""), "See its output.log.")
            took = [_first_word(studio, run.name, seed) for seed in range(ANSWERS + 1)]
        finally:
            studio.post(f"{engine}/stop", {})
    return took[1:]  # the first one warms it


def _first_word(studio: StudioProcess, run: str, seed: int) -> float:
    body = {
        "messages": [{"role": "user", "content": QUESTION}],
        "options": {"max_new_tokens": 8, "seed": seed},
    }
    began = time.perf_counter()
    with studio.stream(f"/studio/answers/{run}", body) as lines:
        for line in lines:
            if b'"text"' in line:
                return time.perf_counter() - began
    raise JobFailed("No answer came.", "The engine ended before its first word.", "See its output.log.")
