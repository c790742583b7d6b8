"""A run before it is started: checked as a whole, as a command, as a file, and then as a run."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from studio import commands, events, headroom, logs, measurement, proposal, runs
from studio.commands import train
from studio.commands.frame import parser_for
from studio.commands.run_settings import settings_from
from studio.datasets.importing.steps import import_file
from studio.errors import BadInput, NoMemory, NotFound, Refused, StudioError
from studio.jobs import folder as job_folder
from studio.jobs import queue
from studio.logs import Log
from studio.machine import machine
from studio.preflight import preflight
from studio.settings.importing import ImportSettings
from studio.settings.train import TrainSettings
from studio.workspace import Workspace

GIVEN: dict[str, Any] = {"dataset": "questions", "model": "tiny", "method": {"name": "dora", "rank": 4}, "epochs": 2}


@pytest.fixture
def ready(workspace: Workspace, tiny: Path) -> Workspace:
    shutil.copytree(tiny, workspace.models / "tiny")
    source = workspace.root.parent / "questions.jsonl"
    rows = [{"prompt": f"Is {number} a number?", "completion": f"yes {number}"} for number in range(100)]
    source.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    import_file(workspace, ImportSettings(source=str(source), name="questions"))
    return workspace


def fields(found: dict[str, Any]) -> list[str]:
    return [problem["field"] for problem in found["problems"]]


def test_a_good_proposal_has_everything_for_the_page(ready):
    found = proposal.look(ready, GIVEN)
    assert fields(found) == [] and found["steps"] == found["facts"]["steps"]
    assert found["settings"]["batch_size"] and found["reasons"]["batch_size"]
    assert (
        found["command"] == "python3 launch.py train --dataset questions --model tiny --method dora --rank 4 --epochs 2"
    )
    assert json.loads(found["file"])["method"]["rank"] == 4 and "batch_size" not in json.loads(found["file"])


def test_the_command_and_the_file_give_the_same_settings_again(ready, tmp_path):
    settings, _ = proposal.read({**GIVEN, "name": "it's “mine”", "keep_best": False})
    words = shlex.split(proposal.as_command(ready, settings))
    parsed = parser_for("train", train).parse_args(words[3:])
    assert settings_from(parsed) == settings
    (tmp_path / "s.json").write_text(proposal.as_file(settings), encoding="utf-8")
    assert TrainSettings.model_validate(proposal.of_file(tmp_path / "s.json")) == settings
    assert proposal.as_command(ready, settings, default=False).endswith(f"--workspace {shlex.quote(str(ready.root))}")


def test_every_wrong_value_is_said_at_once_and_the_rest_is_looked_at(ready):
    wrong = {**GIVEN, "name": "n" * 5000, "learning_rate": "abc", "method": {"name": "dora", "rank": 0}, "cutoff": 9999}
    found = proposal.look(ready, wrong)
    assert sorted(fields(found)) == ["cutoff", "learning_rate", "method.rank", "name"]
    text = json.dumps(found["problems"], ensure_ascii=False)
    assert "5,000 characters; at most 120" in text and "“abc” is not a number" in text and "0 is not at least 1" in text
    assert "n" * 100 not in text and "command" not in found and found["facts"]["rows"] == 80


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "dataset"),
        ({"dataset": "../up"}, "dataset"),
        ({"dataset": "questions", "model": "a b"}, "model"),
        ({"dataset": "questions", "method": {"name": "full", "rank": 3}}, "method.rank"),
        ({"dataset": "questions", "method": {"name": "magic"}}, "method.name"),
        ({"dataset": "questions", "epochs": 2, "max_steps": 5}, "max_steps"),
        ({"dataset": "questions", "wings": 2}, "wings"),
    ],
)
def test_each_problem_belongs_to_a_setting(workspace, given, field):
    settings, wrong = proposal.read(given)
    assert settings is None and [problem.field for problem in wrong] == [field]
    assert wrong[0].what and wrong[0].next and wrong[0].level == "error"
    with pytest.raises(Refused):
        proposal.start(workspace, given)
    assert workspace.names("runs") == []


def test_start_makes_a_run_and_asks_for_the_device(ready, monkeypatch):
    asked: list[Workspace] = []
    monkeypatch.setattr(queue, "advance", asked.append)
    run = proposal.start(ready, GIVEN)
    assert asked == [ready] and job_folder.status(ready.runs / run) == "queued"
    settings = runs.settings_of(ready.runs / run)
    assert settings.method.rank == 4 and settings.batch_size and settings.version == 1
    again = proposal.of_run(ready, run)
    assert again["method"]["rank"] == 4 and None not in again.values()
    assert fields(proposal.look(ready, again)) == []


def test_start_takes_what_was_measured_and_says_why(ready, monkeypatch):
    """What the form left open is as it was measured; the rest, and the reasons for what is the same, as ever."""
    monkeypatch.setattr(queue, "advance", lambda _: None)
    now = proposal.look(ready, GIVEN)
    then = now["settings"] | {"recompute": not now["settings"]["recompute"], "tokens_per_pass": 77}
    folder = job_folder.create(ready, "fit", {"settings": then})
    with Log(folder / events.EVENTS) as log:
        log.append("finished", settings=then, why="Measured: both ways.", steps=now["steps"])
    run = ready.runs / proposal.start(ready, GIVEN, folder.name)
    assert runs.settings_of(run).plain() == then
    created = logs.read(run / events.EVENTS)[0][0]
    assert created["reasons"]["recompute"] == "Measured: both ways." and "tokens_per_pass" not in created["reasons"]
    assert created["reasons"]["batch_size"] == now["reasons"]["batch_size"] and created["total_steps"] == now["steps"]
    chosen = runs.settings_of(ready.runs / proposal.start(ready, GIVEN | {"recompute": True}, folder.name))
    assert chosen.recompute is True


def test_what_is_chosen_by_memory_that_is_held_now_is_left_to_the_start_of_the_run(ready, monkeypatch):
    """What was given, or measured, stays; and a look shows the plan."""
    monkeypatch.setattr(queue, "advance", lambda _: None)
    monkeypatch.setattr(headroom, "at_turn", lambda workspace: (machine(workspace.root), True))
    planned = proposal.look(ready, GIVEN)["settings"]
    assert planned["tokens_per_pass"] and planned["recompute"] is not None

    def made(given, measured=""):
        return runs.settings_of(ready.runs / proposal.start(ready, given, measured))

    left = made(GIVEN)
    assert left.tokens_per_pass is None and left.recompute is None and left.batch_size == planned["batch_size"]
    assert made(GIVEN | {"tokens_per_pass": 333}).tokens_per_pass == 333
    folder = proposal.measure(ready, GIVEN)
    asked = job_folder.read_settings(folder)["settings"]
    assert asked["tokens_per_pass"] is None and asked["recompute"] is None
    with Log(folder / events.EVENTS) as log:
        log.append("finished", settings=planned, why="", steps=9)
    assert made(GIVEN, folder.name).plain() == planned


@pytest.mark.parametrize("job", ["nothing", "../runs"])
def test_what_measured_nothing_starts_nothing(ready, job):
    with pytest.raises(StudioError):
        proposal.start(ready, GIVEN, job)
    assert ready.names("runs") == []


def test_an_error_of_preflight_blocks_start(ready):
    with pytest.raises(Refused) as refused:
        proposal.start(ready, {**GIVEN, "cutoff": 9999})
    assert refused.value.field == "cutoff" and ready.names("runs") == []


def test_what_is_no_settings_file_is_refused(ready, tmp_path):
    path = tmp_path / "s.json"
    for text in ("", "[]", "hello", '{"format": 99}', '{"rank": 8}', '{"epochs": "many"}', '{"job": "import_data"}'):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(Exception) as refused:
            proposal.of_file(path)
        assert getattr(refused.value, "next", ""), text
    path.write_text('{"epochs": "many"}', encoding="utf-8")
    with pytest.raises(BadInput, match="Passes"):
        proposal.of_file(path)
    with pytest.raises(NotFound):
        proposal.of_run(ready, "nothing")


def out_of_memory(workspace: Workspace, had: dict[str, Any] | None = None) -> Path:
    """A run that has ended so, whose ladder is not empty."""
    given = GIVEN | {"method": {"name": "full"}, "batch_size": 16, "tokens_per_pass": 800}
    settings = preflight(workspace, TrainSettings.model_validate(given)).settings
    folder = runs.create(workspace, settings, 4)
    end_for_memory(folder, had)
    return folder


def end_for_memory(folder: Path, had: dict[str, Any] | None) -> None:
    words = NoMemory("The memory ran out.", "Too much.", "Take less.").as_dict()
    with Log(folder / events.EVENTS) as log:
        log.append("starting", pid=1)
        log.append("failed", **words | ({"had": had} if had else {}))


def test_the_ladder_of_a_run_that_ran_out_is_judged_from_what_it_had(ready):
    """Not from the estimate that has just been proved wrong."""
    folder = out_of_memory(ready)
    estimated = {rung.name: rung for rung in proposal.rungs(ready, folder.name)}
    assert estimated["passes"].fits, "by the estimate anything is enough"
    for had in ({"device": "cpu", "gb": 4000.0}, {"device": "tpu", "gb": 4000.0}):
        end_for_memory(folder, had)
        found = {rung.name: rung for rung in proposal.rungs(ready, folder.name)}
        assert found["passes"].fits == (had["device"] != "cpu")
    assert found["passes"].memory_gb == estimated["passes"].memory_gb, "what another device had says nothing"


def test_the_commands_offer_the_ladder_and_take_a_rung(ready, monkeypatch, capsys):
    monkeypatch.setattr(queue, "advance", lambda *_, **__: None)
    folder = out_of_memory(ready)
    at = ["--workspace", str(ready.root)]
    assert commands.run("runs", [folder.name, *at]) == 0
    shown = capsys.readouterr().out
    assert "The memory ran out." in shown and f"launch.py resume {folder.name} --take passes" in shown
    assert "train … --optimizer adamw_8bit" in shown, "what changes the result is for a new run"
    for wrong, words in (("no-such", "Choose one of these: passes, "), ("optimizer", "--optimizer adamw_8bit")):
        assert commands.run("resume", [folder.name, "--take", wrong, *at]) == 1
        assert words in capsys.readouterr().err
    assert commands.run("resume", [folder.name, "--take", "passes", *at]) == 0
    assert runs.settings_of(folder).tokens_per_pass < 800 and job_folder.status(folder) == "queued"


def test_resuming_a_run_that_ran_out_as_it_is_tells_the_ladder(ready, monkeypatch, capsys):
    monkeypatch.setattr(queue, "advance", lambda *_, **__: None)
    folder = out_of_memory(ready, {"device": "cpu", "gb": 4000.0})
    assert commands.run("resume", [folder.name, "--workspace", str(ready.root)]) == 0
    told = capsys.readouterr().err
    assert "--take passes" in told and "not enough alone" in told
    assert runs.settings_of(folder).tokens_per_pass == 800 and job_folder.status(folder) == "queued"


@pytest.mark.parametrize("taken", [True, False])
def test_a_doubtful_run_is_measured_or_says_that_it_is_not(taken, ready, monkeypatch, capsys):
    """While another job has the device what is free tells nothing."""
    measured = []
    monkeypatch.setattr(queue, "advance", lambda *_, **__: None)
    monkeypatch.setattr(queue, "holder", lambda _: ready.jobs / "other" if taken else None)
    monkeypatch.setattr(measurement, "near", lambda *_: True)
    monkeypatch.setattr(train, "refuse_too_big", lambda _, found: measured.append(found) or (found, ""))
    given = ["--dataset", "questions", "--model", "tiny", "--workspace", str(ready.root)]
    assert commands.run("train", given) == 0
    assert ("it may end for want of memory" in capsys.readouterr().err, len(measured)) == (taken, 1 - taken)
