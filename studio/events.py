"""What a job's logs say, folded: status is never stored.

events.jsonl tells a job's life in some dozens of lines:

    created      the folder was made and waits for its turn
    queued       it waits again (after Resume)
    starting     a worker took it up; written before any heavy import
    chosen       what was open in the settings until the start: `reasons`, by their names
    loading      what is being loaded
    preflight    rows, tokens, steps, warnings
    resumed      goes on from the checkpoint of `from_step`; `metrics` bytes of metrics.jsonl are of the lives before
    training     the loop begins; `total_steps`
    eval         validation loss at `step`
    sample       sample answers were written, at `step`
    checkpoint   a resume point was saved, at `step`
    serving      an engine answers on a loopback port
    began        a job of jobs came to its next part: `part`, and `kind` and `id` of that part's job
    message      something a person should know, in plain words
    diverged     the loss is no longer a number, at `step`
    stopping     the worker saw the stop file
    finished, stopped, failed    the end; `failed` carries what, why, next

metrics.jsonl has the lines `step` (one an update) and `progress` (done, total, unit).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from studio import logs
from studio.logs import Line

Status = Literal["queued", "running", "stopping", "finished", "stopped", "interrupted", "failed", "broken"]
TERMINAL = ("finished", "stopped", "failed")
WAITING = ("created", "queued")
EVENTS = "events.jsonl"
METRICS = "metrics.jsonl"


@dataclass
class State:
    """A job's events folded; `phase` is what the log alone can tell: waiting, working or one of TERMINAL.

    `worked` is the seconds of all lives of its worker that are over, pauses between them left out; `resumed` is the
    event that tells where the present life goes on from. `saved` is the step of the newest resume point, 0 before the
    first one and None where nothing was trained yet; `resuming` is the one that a new life waits or starts to go on
    from, until it says so itself.
    """

    phase: str = "waiting"
    created: float = 0.0
    started: float | None = None
    ended: float | None = None
    worked: float = 0.0
    total_steps: int | None = None
    resumed: Line | None = None
    saved: int | None = None
    resuming: int | None = None
    result: Line = field(default_factory=dict)
    error: dict[str, Any] | None = None
    messages: list[Line] = field(default_factory=list)
    evals: dict[int, float | None] = field(default_factory=dict)
    last_event: Line | None = None

    def take(self, line: Line) -> State:
        """Adds one event."""
        kind = line.get("type")
        when = float(line.get("time") or 0.0)
        if self.phase == "working" and kind in (*WAITING, "starting"):  # the life before had no end of its own
            self._worked_until(float((self.last_event or {}).get("time") or 0.0))
        if kind in WAITING:
            self.created = self.created or when
            self.total_steps = line.get("total_steps") or self.total_steps
            self.phase, self.ended, self.result, self.error = "waiting", None, {}, None
            self.resuming = self.saved
        elif kind == "starting":
            self.phase, self.ended, self.result, self.error = "working", None, {}, None
            self.started, self.resumed, self.resuming = when, None, self.saved
        elif kind == "resumed":
            self.resumed, self.saved, self.resuming = line, line.get("from_step"), None
        elif kind == "checkpoint":
            self.saved = line.get("step")
        elif kind in TERMINAL:
            if self.phase == "working":
                self._worked_until(when)
            self.phase, self.ended, self.result, self.resuming = str(kind), when, line, None
            if kind == "failed":
                self.error = {name: str(line.get(name) or "") for name in ("what", "why", "next")}
                self.error |= {name: line[name] for name in ("cause", "had") if name in line}
        elif kind == "training":
            self.total_steps, self.saved, self.resuming = line.get("total_steps"), self.saved or 0, None
        elif kind == "eval" and isinstance(line.get("step"), int):
            self.evals[line["step"]] = line.get("loss")  # logged again after a resume: the later one holds
        elif kind in ("message", "diverged"):
            self.messages.append(line)
        self.last_event = line
        return self

    def _worked_until(self, when: float) -> None:
        self.worked += max(0.0, when - (self.started or when))


def fold(lines: list[Line]) -> State:
    """The state after these events."""
    state = State()
    for line in lines:
        state.take(line)
    return state


def read_state(folder: Path) -> State:
    """The folded events of a job's folder."""
    return fold(logs.read(folder / EVENTS)[0])


def last_metric(folder: Path) -> Line:
    """The last line of metrics.jsonl, {} when there is none; its cost does not grow with the log."""
    return logs.last(folder / METRICS) or {}


def steps(folder: Path, offset: int = 0) -> tuple[list[Line], int]:
    """The logged steps from byte `offset` on, in order, and the offset to go on from.

    A step logged again after a resume takes back what the life before had logged from there on.
    """
    lines, end = logs.read(folder / METRICS, offset)
    kept: list[Line] = []
    for line in lines:
        if line.get("type") != "step" or not isinstance(line.get("step"), int):
            continue
        while kept and kept[-1]["step"] >= line["step"]:
            kept.pop()
        kept.append(line)
    return kept, end
