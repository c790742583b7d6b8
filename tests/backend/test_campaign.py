"""The campaign: a training killed again and again ends as one left in peace. It sees what is not equal."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import studio.campaign
from studio.campaign import campaign, differences
from studio.commands import campaign as command_module
from studio.commands import frame
from studio.settings.train import TrainSettings
from tests.worlds import SHORT, World, train, world

__all__ = ["train", "world"]

ROOT = Path(__file__).resolve().parents[2]
LONG = {"max_steps": 300, "save_steps": 5, "eval_steps": 25}


@pytest.mark.full
@pytest.mark.timeout(900)
def test_the_command_kills_and_compares(world: World) -> None:
    """As often as asked: one run is too short for so many kills."""
    flags = ["--dataset", "places", "--model", "tiny", "--max-steps", "12", "--save-steps", "4", "--eval-steps", "6"]
    command = [sys.executable, "launch.py", "campaign", *flags, "--threads", "1", "--dropout", "0.3", "--samples", "0"]
    given = [*command, "--times", "5", "--moments", "3", "--workspace", str(world.workspace.root), "--json"]
    done = subprocess.run(given, cwd=ROOT, capture_output=True, text=True)
    found = json.loads(done.stdout)
    assert done.returncode == 0 and found["equal"] and found["kills"] == len(found["moments"]) == 5, done.stderr
    assert found["killed"] and found["whole"] not in found["killed"]


@dataclass
class Lives:
    """Runs that need no training: how often each can be killed before it is over, and what is not equal in it."""

    kills: list[int]
    different: dict[int, list[str]] = field(default_factory=dict)
    begun: int = 0

    def of(self, *_: Any) -> Iterator[str]:
        self.begun += 1
        return iter(["at any time"] * self.kills[min(self.begun, len(self.kills)) - 1])

    def differences(self, whole: Path, killed: Path) -> list[str]:
        return self.different.get(self.begun, [])


@pytest.fixture
def command(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> Callable[[Lives], tuple[int, dict[str, Any]]]:
    """Runs the command, asked for 7 kills, on such lives: its exit code and its JSON."""

    def run(lives: Lives) -> tuple[int, dict[str, Any]]:
        monkeypatch.setattr(studio.campaign, "_finish", lambda *_: None)
        monkeypatch.setattr(studio.campaign, "_kills", lives.of)
        monkeypatch.setattr(studio.campaign, "differences", lives.differences)
        monkeypatch.setattr(studio.campaign.queue, "advance", lambda workspace: None)
        given = ["--dataset", "places", "--model", "tiny", "--max-steps", "12", "--times", "7", "--json"]
        code = frame.main("campaign", command_module, [*given, "--workspace", str(world.workspace.root)])
        return code, json.loads(capsys.readouterr().out)

    return run


def test_runs_are_killed_until_there_were_as_many_kills_as_asked(command: Any) -> None:
    code, found = command(Lives([3, 0, 0, 1, 9]))
    assert (code, found["kills"], len(found["killed"]), found["equal"]) == (0, 7, 5, True)


def test_too_few_kills_are_a_failure_that_says_how_many_there_were(command: Any) -> None:
    code, found = command(Lives([2, 0]))
    assert code == 1 and found["error"]["what"] == "There were only 2 of 7 kills."
    assert found["kills"] == 2 and len(found["killed"]) == 6


def test_it_ends_with_the_first_run_that_is_different(command: Any) -> None:
    code, found = command(Lives([3], {2: ["the losses"]}))
    assert code == 1 and "the losses" in found["error"]["why"] and found["killed"][1] in found["error"]["next"]
    assert (found["kills"], len(found["killed"]), found["equal"]) == (6, 2, False)


def test_it_sees_what_is_not_equal(world: World, train: Any) -> None:
    one = world.run(samples=0)
    train(one)
    other = one.parent / "other"
    shutil.copytree(one, other)
    assert differences(one, other) == []
    weights = other / "adapter" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    metrics = other / "metrics.jsonl"
    metrics.write_text(metrics.read_text().replace('"step": 6', '"step": 7'))
    (other / ".rows.partial").mkdir()
    assert differences(one, other) == [
        "adapter/adapter_model.safetensors", "the losses", "other: .rows.partial was left over",
    ]  # fmt: skip


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("method", ["lora", "full"])
def test_killed_at_twenty_random_moments(method: str, world: World) -> None:
    """Anywhere in the life of the worker, its start included; `FLEXTUNE_KILLS` sets how often."""
    given = {"name": method} | ({"dropout": 0.3} if method == "lora" else {})
    settings = TrainSettings.model_validate(SHORT | LONG | {"method": given})
    kills = int(os.environ.get("FLEXTUNE_KILLS", "20"))
    outcome = campaign(world.workspace, settings, kills, random.Random(), print)
    assert not outcome.different and outcome.kills == kills
