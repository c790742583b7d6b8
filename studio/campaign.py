"""A training killed again and again, which must end with the very weights, losses and row losses of one left in peace.

Bit for bit holds on a CPU with fixed threads, and for the same number of processes.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import psutil

from studio import events, logs, runs
from studio.errors import JobFailed
from studio.files import read_json
from studio.jobs import folder as job_folder
from studio.jobs import follow, local, queue
from studio.preflight import preflight
from studio.settings.train import TrainSettings
from studio.workspace import Workspace

POLL_SECONDS = 0.002
END_SECONDS = 30.0
# So many runs in a row that can't be killed in time, and a campaign gives up.
SPARED = 5
# The kinds of moments: some updates later, while a resume point is written, any time in the worker's life.
STEPS, SAVING, TIME = "some steps on", "while a resume point is written", "at any time"


@dataclass
class Outcome:
    """What a campaign found.

    Attributes:
        whole, killed: the run left in peace, and those that were killed.
        moments: of which kind each kill was.
        different: what a killed run did not leave as the whole one did; empty when all is equal.
    """

    whole: str
    killed: list[str] = field(default_factory=list)
    moments: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        return len(self.moments)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"kills": self.kills, "equal": not self.different}


def campaign(
    workspace: Workspace,
    settings: TrainSettings,
    times: int,
    chance: random.Random,
    say: Callable[[str], None] = lambda text: None,
) -> Outcome:
    """Trains once in peace, then with the same settings until it was killed `times` times; each run is compared.

    A run that came to its end before so many kills is followed by another. There are fewer kills in the end when one
    was different, or when SPARED runs one after the other were over before a kill came.

    Args:
        chance: where the moments come from.
        say: told of every kill.

    Raises:
        JobFailed: a run failed by itself.
    """
    found = preflight(workspace, settings)
    found.refuse_errors()

    def begin(name: str) -> Path:
        return runs.create(workspace, found.settings.model_copy(update={"name": name}), found.steps)

    whole = begin("left in peace")
    _finish(workspace, whole)
    outcome, spared = Outcome(whole.name), 0
    while outcome.kills < times and not outcome.different and spared < SPARED:
        before, killed = outcome.kills, begin("killed")
        outcome.killed.append(killed.name)
        queue.advance(workspace)
        for moment in islice(_kills(workspace, killed, found.steps or 1, chance), times - before):
            outcome.moments.append(moment)
            step = events.last_metric(killed).get("step", 0)
            say(f"Kill {outcome.kills} of {times}: {moment}, at step {step}.")
        _finish(workspace, killed)
        outcome.different = differences(whole, killed)
        spared = 0 if outcome.kills > before else spared + 1
    return outcome


def _kills(workspace: Workspace, folder: Path, steps: int, chance: random.Random) -> Iterator[str]:
    """Kills a run and puts it back into the queue, until it is over; the kind of each moment."""
    while (moment := _kill_once(folder, steps, chance)) is not None:
        _ended(folder)
        if job_folder.status(folder) != "interrupted":
            return  # it was over already
        queue.requeue(workspace, folder)
        yield moment


def _finish(workspace: Workspace, folder: Path) -> None:
    state = follow.follow(workspace, folder, _Silent())
    follow.result(folder, state)


class _Silent(follow.Terminal):
    def say(self, text: str) -> None:
        """A campaign tells of its kills only."""

    def progress(self, text: str) -> None:
        """Nor of steps."""


def _kill_once(folder: Path, steps: int, chance: random.Random) -> str | None:
    """Waits for a moment of some kind and sends SIGKILL; None when the run ended before it came."""
    _wait(lambda: job_folder.alive(folder) or _over(folder))
    step = events.last_metric(folder).get("step", 0)
    kind, aim = chance.choice((STEPS, SAVING, TIME)), step + chance.randint(1, max(1, min(20, steps - step)))
    until = time.monotonic() + chance.uniform(0, 8)
    while not _over(folder):
        now = events.last_metric(folder).get("step", 0)
        due = {
            STEPS: now >= aim,
            SAVING: now > step and any((folder / "checkpoints").glob(".step-*")),
            TIME: time.monotonic() > until,
        }
        if due[kind]:
            return kind if _kill(folder, chance) else None
        time.sleep(POLL_SECONDS)
    return None


def _kill(folder: Path, chance: random.Random) -> bool:
    """kill -9 of the worker or of the process that trains for it; False when there was none any more."""
    starts = [line for line in logs.read(folder / events.EVENTS)[0] if line.get("type") == "starting"]
    if _over(folder) or not starts:
        return False
    try:
        keeper = psutil.Process(int(starts[-1]["pid"]))
        chance.choice([keeper, *keeper.children()]).kill()
    except psutil.NoSuchProcess:
        return False
    return True


def _over(folder: Path) -> bool:
    return (logs.last(folder / events.EVENTS) or {}).get("type") in events.TERMINAL


def _ended(folder: Path) -> None:
    """Until nobody is at the run any more."""
    _wait(lambda: not job_folder.alive(folder))
    local.reap()


def _wait(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + END_SECONDS
    while not ready():
        if time.monotonic() > deadline:
            raise JobFailed("The worker does not do what it should.", "It neither started nor ended.", "See its log.")
        time.sleep(POLL_SECONDS)


def differences(one: Path, other: Path) -> list[str]:
    """What two runs of the same settings did not leave alike: files of the result, the curve, the row losses."""
    found = [
        f"adapter/{name}"
        for name in sorted(_names(one) | _names(other))
        if _content(one, name) != _content(other, name)
    ]
    if _curve(one) != _curve(other):
        found.append("the losses")
    if _rows(one) != _rows(other):
        found.append("rows.parquet")
    for folder in (one, other):
        left = [path.name for path in [*folder.glob(".*"), *(folder / "checkpoints").glob(".*")]]
        found += [f"{folder.name}: {name} was left over" for name in left]
    return found


def _names(folder: Path) -> set[str]:
    return {path.name for path in (folder / "adapter").iterdir()}


def _content(folder: Path, name: str) -> Any:
    path = folder / "adapter" / name
    if not path.exists():
        return None
    if name == job_folder.SETTINGS:  # they are called differently
        return read_json(path) | {"name": ""}
    return path.read_bytes()


def _curve(folder: Path) -> list[tuple[Any, ...]]:
    return [(line["step"], line["loss"], line["grad_norm"]) for line in events.steps(folder)[0]]


def _rows(folder: Path) -> Any:
    import pyarrow.parquet as pq

    return pq.read_table(folder / "rows.parquet").to_pylist()
