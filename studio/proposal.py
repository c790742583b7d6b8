"""A run that somebody is still thinking about: its settings checked, every problem at once, as a command and a file.

The form of the Train page asks at every change; Start makes a run of it.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from studio import events, measurement, migrate, runs
from studio.errors import BadInput, NotFound, Refused, StudioError
from studio.jobs import queue
from studio.ladder import Rung, changed
from studio.preflight import preflight
from studio.prospect import Preflight, Problem
from studio.settings.base import check, problems
from studio.settings.files import read_config
from studio.settings.flags import command, flags, merge
from studio.settings.train import TrainSettings
from studio.workspace import Workspace

AGAIN = "Correct it, or empty the field to have a value chosen."


def read(given: dict[str, Any]) -> tuple[TrainSettings | None, list[Problem]]:
    """What was filled in as settings, or every reason why it is none, each with the name of its setting."""
    try:
        return TrainSettings.model_validate(merge(TrainSettings, given)), []
    except ValidationError as error:
        return None, [_problem(name, message, given) for name, message in problems(error)]
    except StudioError as error:
        return None, [Problem("error", error.what, error.why, error.next, error.field)]


def _problem(name: str, message: str, given: dict[str, Any]) -> Problem:
    if name == "dataset" and not given.get("dataset"):
        return Problem(
            "error", "No dataset is chosen.", "A run learns from one.", "Choose one, or import a file.", name
        )
    if not name:  # said of several settings together
        return Problem("error", f"{message[:1].upper()}{message[1:]}.", "", "Empty one of the two fields.", "max_steps")
    keys = name.split(".")
    paths = {flag.path: flag.field.title or flag.name for flag in flags(TrainSettings)}
    path = next((path for path in ((keys[0], keys[-1]), (keys[0], "name"), (keys[0],)) if path in paths), (name,))
    what = f"{paths.get(path, name)} can't be used as it is."
    return Problem("error", what, f"{message[:1].upper()}{message[1:]}.", AGAIN, ".".join(path))


def look(workspace: Workspace, given: dict[str, Any], default: bool = True) -> dict[str, Any]:
    """Everything the page says about a run before it is started.

    Args:
        given: settings that were filled in, as in settings.json; nothing for those that are left to be chosen.
        default: whether this is the workspace that commands use when none is named.

    Returns:
        `problems`, `facts`, `settings` (no choice open), `reasons`, `steps`, `ladder`, and, only where every
        setting can be used, `command`, `file` and `busy` (whether the device is taken, so that a measurement waits).
    """
    settings, wrong = read(given)
    if settings is None:
        # The rest is looked at as if the wrong fields were empty, so that everything is said at once.
        settings, _ = read(without(given, [problem.field or "" for problem in wrong]))
        blank: dict[str, Any] = {"problems": [], "facts": {}, "settings": None, "reasons": {}, "steps": None}
        found = preflight(workspace, settings).as_dict() if settings else blank
        return found | {"problems": [asdict(one) for one in wrong] + found["problems"]}
    return preflight(workspace, settings).as_dict() | {
        "busy": queue.holder(workspace) is not None,
        "command": as_command(workspace, settings, default),
        "file": as_file(settings),
    }


def without(given: dict[str, Any], fields: list[str]) -> dict[str, Any]:
    """Settings without those named, as `method.rank`."""
    kept = {key: dict(value) if isinstance(value, dict) else value for key, value in given.items()}
    for field in fields:
        first, _, second = field.partition(".")
        place = kept.get(first)
        if second and second != "name" and isinstance(place, dict):
            place.pop(second, None)
        else:
            kept.pop(first, None)
    return kept


def as_command(workspace: Workspace, settings: TrainSettings, default: bool = True) -> str:
    """The command that starts the same run."""
    words = f"python3 launch.py train {command(TrainSettings, settings.plain())}"
    return words if default else f"{words} --workspace {shlex.quote(str(workspace.root))}"


def as_file(settings: TrainSettings) -> str:
    """A settings file that `train --config` and the page read; what was left to be chosen stays open."""
    plain = {key: value for key, value in settings.plain().items() if value is not None}
    return json.dumps({"format": migrate.FORMATS["settings"], "job": "train", **plain}, ensure_ascii=False, indent=2)


def of_run(workspace: Workspace, run: str, rung: str = "") -> dict[str, Any]:
    """The settings of an old run, to start another one from.

    Args:
        rung: one of its ladder, laid over them.

    Raises:
        StudioError: there is no such run or rung, or its settings can't be read.
    """
    settings = runs.settings_of(runs.open_run(workspace, run))
    if rung:
        settings = changed(settings, rung_of(workspace, run, rung).changes)
    plain = settings.plain()
    return {key: value for key, value in plain.items() if value is not None}


def rungs(workspace: Workspace, run: str) -> list[Rung]:
    """The ways in which an old run would need less memory; of one that ran out, less than it had then."""
    folder = runs.open_run(workspace, run)
    error, had = events.read_state(folder).error, None
    if measurement.ran_out(error):
        reached = events.last_metric(folder).get("memory_gb")
        had = (error or {}).get("had") or (reached and {"device": "cpu", "gb": reached})
    return preflight(workspace, runs.settings_of(folder), had=had).ladder


def rung_of(workspace: Workspace, run: str, name: str) -> Rung:
    """The rung of that name.

    Raises:
        NotFound: the run's ladder has none.
    """
    there = {rung.name: rung for rung in rungs(workspace, run)}
    if name not in there:
        raise NotFound(
            f"“{name}” is no way in which this run would need less memory.",
            "There is none of that name, or it has been taken already.",
            f"Choose one of these: {', '.join(there)}." if there else "Close other programs, or take a smaller model.",
        )
    return there[name]


def go_on_with(workspace: Workspace, run: str, name: str) -> str:
    """Takes a rung that changes nothing of what is learned, and goes on with the run from its last resume point.

    Raises:
        Refused: with this rung it would be another run, or it can't be resumed.
    """
    folder = runs.open_run(workspace, run)
    settings = runs.settings_of(folder)
    rung = rung_of(workspace, run, name)
    if not rung.same:
        raise Refused(
            "This run can't go on with that.",
            f"“{rung.title}” changes what is learned.",
            f"Start a new run with it: launch.py train with the flags {rung.flags}.",
        )
    why = "It was chosen when the run was taken up again, to need less memory."
    queue.requeue(workspace, folder, changed(settings, rung.changes).plain(), dict.fromkeys(rung.changes, why))
    return folder.name


def of_file(path: Path) -> dict[str, Any]:
    """The settings in a file that a person gave, checked as far as they go.

    Raises:
        BadInput: it is no settings file, or holds values that can't be used.
    """
    given = read_config(path)
    _, wrong = read({"dataset": "any", **given})
    if wrong:
        why = " ".join(f"{problem.what} {problem.why}" for problem in wrong)
        raise BadInput("This file can't be used as settings.", why, "Correct it and load it again.")
    return given


def measure(workspace: Workspace, given: dict[str, Any]) -> Path:
    """Starts a measurement of it as soon as the device is free; the job's folder.

    Raises:
        Refused: something stands in its way; all of it is said.
    """
    return measurement.start(workspace, _sound(workspace, given).to_measure)


def _sound(workspace: Workspace, given: dict[str, Any]) -> Preflight:
    settings, wrong = read(given)
    found = Preflight(TrainSettings(dataset="none"), wrong) if settings is None else preflight(workspace, settings)
    found.refuse_errors()
    return found


def start(workspace: Workspace, given: dict[str, Any], measured: str = "") -> str:
    """Makes a run of it and starts it as soon as the device is free; returns its id.

    Args:
        measured: the job that measured it; what is left to be chosen is then as it was there.

    Raises:
        Refused: something stands in its way; all of it is said.
    """
    found = _sound(workspace, given)
    if measured:
        _take_measured(workspace, found, given, measured)
    folder = runs.create(workspace, found.to_start, found.steps, found.reasons)
    queue.advance(workspace)
    return folder.name


def _take_measured(workspace: Workspace, found: Preflight, given: dict[str, Any], job: str) -> None:
    result = events.read_state(workspace.folder("jobs", job)).result
    then = check(TrainSettings, result.get("settings") or {}, f"{job} measured no run.")
    settings, _ = read(given)
    left = [name for name in TrainSettings.model_fields if getattr(settings, name) is None]
    found.take(found.settings.model_copy(update={name: getattr(then, name) for name in left}), result["why"])
    found.steps = result["steps"]
