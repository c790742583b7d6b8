"""The campaign: a training killed again and again ends as one left in peace. It sees what is not equal."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from studio.campaign import campaign, differences
from studio.settings.train import TrainSettings
from tests.worlds import SHORT, World, train, world

__all__ = ["train", "world"]

ROOT = Path(__file__).resolve().parents[2]
LONG = {"max_steps": 300, "save_steps": 5, "eval_steps": 25}


@pytest.mark.full
@pytest.mark.timeout(900)
def test_the_command_kills_and_compares(world: World) -> None:
    flags = ["--dataset", "places", "--model", "tiny", "--max-steps", "60", "--save-steps", "4", "--eval-steps", "30"]
    command = [sys.executable, "launch.py", "campaign", *flags, "--threads", "1", "--dropout", "0.3", "--samples", "0"]
    given = [*command, "--times", "1", "--moments", "3", "--workspace", str(world.workspace.root), "--json"]
    done = subprocess.run(given, cwd=ROOT, capture_output=True, text=True)
    found = json.loads(done.stdout)
    assert done.returncode == 0 and found["equal"] and found["kills"] == 1, done.stderr
    assert found["moments"] and found["whole"] != found["killed"]


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
    done = 0
    while done < kills:  # a run that came to its end before so many kills is followed by another
        outcome = campaign(world.workspace, settings, kills - done, random.Random(), print)
        assert not outcome.different and outcome.kills
        done += outcome.kills
