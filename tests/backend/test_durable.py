"""What happens to machines and folders: sleep, a clock that is set, a copied run, a newer studio's, odd models."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from studio import events, logs, migrate, runs
from studio.campaign import differences
from studio.jobs import folder as job_folder
from studio.logs import Log
from studio.workspace import Workspace
from tests.tiny import tiny_model
from tests.worlds import SHORT, World, places, start_worker, told, train, world

__all__ = ["train", "world"]


@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_machine_that_slept_goes_on_where_it_was(world: World, train: Any) -> None:
    """SIGSTOP is what sleep is to a process: the run counts as running, and ends as one that never slept."""
    settings = {"max_steps": 40, "samples": 0, "eval_steps": 20, "save_steps": 10}
    whole, slept = world.run(**settings), world.run(**settings)
    train(whole)
    process = start_worker(slept)
    while events.last_metric(slept).get("step", 0) < 2:
        assert process.poll() is None, (slept / "output.log").read_text()
        time.sleep(0.002)
    everybody = [psutil.Process(process.pid), *psutil.Process(process.pid).children()]
    for one in everybody:
        one.send_signal(signal.SIGSTOP)
    assert job_folder.status(slept) == "running"
    for one in everybody:
        one.send_signal(signal.SIGCONT)
    assert process.wait(timeout=120) == 0
    assert differences(whole, slept) == []


def test_a_clock_that_is_set_back_changes_no_status(workspace: Workspace) -> None:
    """Whether a run lives is told by its lock; times are shown, never reckoned with."""
    folder = job_folder.create(workspace, "train", {"dataset": "d"})
    now = time.time()
    lines = [
        {"type": "starting", "time": now + 86400, "pid": 1},
        {"type": "training", "time": now + 86401, "total_steps": 9},
        {"type": "eval", "time": now - 86400, "step": 3, "loss": 2.0},
    ]
    with open(folder / events.EVENTS, "a") as log:
        log.writelines(json.dumps(line) + "\n" for line in lines)
    about = runs.summary(folder)
    assert about.status == "interrupted" and about.worked >= 0 and about.validation_loss == 2.0
    with Log(folder / events.EVENTS) as again:
        again.append("queued")
        again.append("starting", pid=2)
        again.append("finished", steps=9)
    about = runs.summary(folder)
    assert about.status == "finished" and about.worked >= 0 and about.step == 9


def copy(run: Path, place: Path, *, data: bool) -> Path:
    """A run's folder on another machine; with or without its dataset and model."""
    other = Workspace.open(place)
    shutil.copytree(run, other.runs / run.name)
    if data:
        for kind in ("datasets", "models"):
            shutil.copytree(run.parents[1] / kind, other.root / kind, dirs_exist_ok=True)
    return other.runs / run.name


def test_a_run_copied_from_another_machine_goes_on(world: World, train: Any, tmp_path: Path) -> None:
    whole, begun = world.run(max_steps=12), world.run(max_steps=12)
    train(whole)
    assert train(begun, stop_at=5)["type"] == "stopped"
    there = copy(begun, tmp_path / "there", data=True)
    (there / "stop").unlink()
    manifest = there / "checkpoints" / "step-000005" / "checkpoint.json"
    plain = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(plain | {"computed_with": plain["computed_with"] | {"machine": "Darwin arm64"}}))
    end = train(there)
    assert end["type"] == "finished", end
    assert told(there, "resumed")[0]["from_step"] == 5
    assert any("Darwin arm64 then" in line["text"] for line in told(there, "message"))
    assert differences(whole, there) == []


def test_a_copied_run_without_its_data_says_what_is_missing(world: World, train: Any, tmp_path: Path) -> None:
    begun = world.run(max_steps=12)
    assert train(begun, stop_at=2)["type"] == "stopped"
    there = copy(begun, tmp_path / "there", data=False)
    (there / "stop").unlink()
    end = train(there)
    assert end["type"] == "failed" and "“tiny”" in end["what"] and end["next"]
    assert list((there / "checkpoints").glob("step-*")), "nothing is lost by it"


def test_a_copy_under_another_name_does_not_open_what_is_not_its_own(world: World, train: Any) -> None:
    begun = world.run(max_steps=8)
    assert train(begun, stop_at=3)["type"] == "stopped"
    renamed = begun.parent / f"{begun.name}-copy"
    shutil.copytree(begun, renamed)
    (renamed / "stop").unlink()
    assert train(renamed)["type"] == "finished"
    assert [line["from_step"] for line in told(renamed, "resumed")] == [0]
    assert any("belongs to another run" in line["text"] for line in told(renamed, "message"))


def test_a_run_of_a_newer_studio_is_broken_with_advice_and_stays_as_it_is(world: World) -> None:
    folder = world.run()
    path = folder / "settings.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
    before = path.read_bytes()
    about = runs.summary(folder)
    assert about.status == "broken" and about.error and "newer" in " ".join(about.error.values())
    assert start_worker(folder).wait(timeout=60) == 1
    end = logs.last(folder / events.EVENTS) or {}
    assert end["type"] == "failed" and "newer" in f"{end['what']} {end['why']}" and end["next"]
    assert path.read_bytes() == before and migrate.FORMATS["settings"] < 99


@pytest.mark.parametrize("pad", [None, "<|endoftext|>"])
def test_a_model_without_a_pad_token_and_with_tied_weights_learns(pad: str | None, world: World, train: Any) -> None:
    """Nothing is ever padded; a tied head is trained once, not twice."""
    model = tiny_model(world.workspace.models / "unpadded", pad=pad)
    assert json.loads((model / "config.json").read_text())["tie_word_embeddings"]
    folder = world.run(model="unpadded", method={"name": "full"}, learning_rate=1e-3)
    end = train(folder)
    assert end["type"] == "finished", end
    assert end["validation_loss"] < told(folder, "eval")[0]["loss"]
    from safetensors import safe_open

    with safe_open(folder / "adapter" / "model.safetensors", "pt") as weights:
        assert not {"lm_head.weight", "model.embed_tokens.weight"} <= set(weights.keys())


def test_a_rate_that_is_too_high_is_warned_of_before_the_first_step(world: World) -> None:
    from studio.preflight import preflight
    from studio.settings.train import TrainSettings

    found = preflight(world.workspace, TrainSettings.model_validate(SHORT | {"learning_rate": 1.0}))
    assert any(problem.field == "learning_rate" and "unusually large" in problem.what for problem in found.problems)


def test_a_row_longer_than_the_cut_is_counted_and_still_learned_from(world: World, train: Any) -> None:
    rows = places("train", 20)
    rows[0]["messages"][1]["content"] = "very " * 100 + "long."
    world.dataset("long", rows + places("validation", 4))
    folder = world.run(dataset="long", cutoff=100, samples=0)
    assert train(folder)["type"] == "finished"
    assert told(folder, "preflight")[0]["cut_rows"] == 1 and told(folder, "preflight")[0]["longest"] == 100
