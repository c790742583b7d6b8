"""The measurement: real updates in a process that is gone afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from backend import fit, job
from studio import headroom, measurement, proposal, runs
from studio.errors import Refused
from studio.jobs import folder as job_folder
from studio.jobs import follow, queue
from studio.machine import Machine, machine
from studio.measurement import with_free
from studio.preflight import preflight
from studio.settings.train import TrainSettings
from studio.workspace import Workspace
from tests.worlds import SHORT, World, places, start_worker, told, train, world

__all__ = ["train", "world"]

ROOT = Path(__file__).resolve().parents[2]
TRIAL = "backend.training.trial"


def measure(workspace: Workspace, limit: float | None = None, **given: Any) -> tuple[Path, dict[str, Any]]:
    settings = preflight(workspace, TrainSettings.model_validate(SHORT | {"max_steps": 6} | given)).settings
    folder = measurement.start(workspace, settings, limit)
    return folder, follow.result(folder, follow.follow(workspace, folder))


def test_it_measures_and_the_next_look_shows_both(world: World) -> None:
    world.dataset("places", places("train", 30) + places("validation", 6))
    folder, found = measure(world.workspace)
    assert found["fits"] and 0.3 < found["memory_gb"] < 3 and found["step_seconds"] > 0 and not found["ladder"]
    assert not (folder / "checkpoints").exists() and not list(folder.glob("rows*"))
    assert told(folder, "message")[-1]["text"].startswith("Trying ")
    given = SHORT | {"max_steps": 6, "seed": 5}
    facts = proposal.look(world.workspace, given)["facts"]
    assert facts["measured"]["memory_gb"] == found["memory_gb"] and not facts["near"] and not facts["too_big"]
    assert facts["seconds"] == pytest.approx(found["step_seconds"] * 6, abs=0.1) and facts["memory_gb"] > 0


def test_where_only_a_measurement_can_tell_both_ways_are_measured_and_the_answer_is_kept(world: World) -> None:
    """Whether parts are computed twice: asked, answered, remembered, taken by the run, and told there."""
    world.dataset("places", places("train", 30) + places("validation", 6))
    given = TrainSettings.model_validate(SHORT | {"max_steps": 6, "batch_size": 16, "tokens_per_pass": 512})
    here = machine(world.workspace.root)
    needed = preflight(world.workspace, given).facts["memory_gb"]
    limit = needed / 0.72
    asked = preflight(world.workspace, given, with_free(here, limit))
    assert asked.doubtful and asked.facts["near"] and asked.settings.recompute
    folder = measurement.start(world.workspace, asked.to_measure, limit)
    found = follow.result(folder, follow.follow(world.workspace, folder))
    assert [way["recompute"] for way in found["ways"]] == [False, True]
    assert all(way["fits"] and way["step_seconds"] > 0 for way in found["ways"])
    quicker = min(found["ways"], key=lambda way: way["step_seconds"])["recompute"]
    assert found["settings"]["recompute"] == quicker and found["why"].startswith("Measured")
    after = preflight(world.workspace, given, with_free(here, limit))
    assert after.settings.recompute == quicker and not after.doubtful and not after.facts["near"]
    run = runs.create(world.workspace, after.settings, after.steps, after.reasons)
    assert start_worker(run).wait(timeout=120) == 0
    assert any(line["text"].startswith("Recomputation is o") for line in told(run, "message"))


def test_what_an_engine_gives_back_is_free_for_the_measurement(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits until the engine has given way, and chooses only then what is open."""
    here, resting, limits = machine(world.workspace.root), [True], []

    def now(path: Path) -> Machine:
        return with_free(here, 0.3 if resting else 30)

    def measured(work: job.Job, settings: TrainSettings, limit: float, device: str) -> measurement.Measured:
        limits.append(limit)
        return measurement.Measured(True, 0.2, limit, 0.1)

    monkeypatch.setattr(fit, "machine", now)
    monkeypatch.setattr(headroom, "wait_for_memory", lambda *_: resting.clear())
    monkeypatch.setattr(fit, "measure", measured)
    given = TrainSettings.model_validate(SHORT | {"max_steps": 6, "tokens_per_pass": None}).plain()
    work = job.Job(job_folder.create(world.workspace, "fit", {"settings": given, "limit_gb": None}))
    with work.log, work.metrics:
        found = job._in_turn(work, fit.main)
    assert limits == [30] and found["settings"]["tokens_per_pass"] and not found["settings"]["recompute"]


def test_what_takes_too_much_is_ended_and_gets_a_ladder(world: World) -> None:
    _, found = measure(world.workspace, limit=0.2, tokens_per_pass=400, batch_size=16)
    assert not found["fits"] and found["memory_gb"] < 0.4 and found["step_seconds"] is None
    assert found["ladder"]


def test_a_measurement_reads_its_own_lines_whatever_the_clock_says(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock is put back by an hour before it, and lines of the other way lie in the log."""
    settings = preflight(world.workspace, TrainSettings.model_validate(SHORT)).settings
    work = job.Job(job_folder.create(world.workspace, "fit", {}))
    real = time.time

    def trial(*_: Any) -> tuple[int, int]:
        monkeypatch.setattr(time, "time", lambda: real() - 3600)
        for step in (1, 2, 3):
            work.metrics.append("step", step=step, seconds=0.25)
        return 10**8, 0

    with work.log, work.metrics:
        work.metrics.append("trial", what="It broke.", why="Of another trial.", next="None.")
        monkeypatch.setattr(fit, "_watch", trial)
        found = fit.measure(work, settings, 1.0, "cpu")
    assert found.fits and found.step_seconds == 0.25


def test_a_measurement_that_fails_says_why(world: World) -> None:
    settings = preflight(world.workspace, TrainSettings.model_validate(SHORT)).settings
    config = world.workspace.models / "tiny" / "config.json"
    config.write_text(config.read_text().replace('"llama"', '"nothing-known"'))
    folder = measurement.start(world.workspace, settings)
    state = follow.follow(world.workspace, folder)
    assert state.phase == "failed" and state.error and "“tiny” can't be loaded" in state.error["what"]


BEGUN = f"""
import runpy, sys, backend.keeper
backend.keeper.quit_with = lambda code: print("torch" in sys.modules, bool(sys.modules.get("bitsandbytes")))
runpy.run_module({TRIAL!r}, run_name="__main__")
"""


def test_it_begins_without_bitsandbytes_as_the_run_does(workspace: Workspace) -> None:
    """It brings fifty megabytes along, which the run it measures would not take."""
    settings = TrainSettings.model_validate(SHORT)
    folder = job_folder.create(workspace, "fit", {"settings": settings.plain()})
    command = [sys.executable, "-c", BEGUN, str(folder), "once"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == ["True", "False"], done.stderr


@pytest.mark.parametrize("ending", ["os._exit(5)", "os.kill(os.getpid(), 9)"])
def test_a_measurement_that_breaks_off_is_not_taken_for_a_want_of_memory(
    ending: str, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(f"import os, sys\nif sys.orig_argv[2] == {TRIAL!r}:\n    {ending}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    settings = preflight(world.workspace, TrainSettings.model_validate(SHORT | {"max_steps": 6, "seed": 7})).settings
    known = world.workspace.jobs / measurement.FILE
    before = known.read_text() if known.exists() else ""
    folder = measurement.start(world.workspace, settings)
    state = follow.follow(world.workspace, folder)
    assert state.phase == "failed" and state.error
    assert "broke off" in state.error["what"] and state.error["next"]
    assert ("SIGKILL" if "kill" in ending else "code 5") in state.error["why"]
    assert (known.read_text() if known.exists() else "") == before


def test_the_longest_pass_meets_what_earlier_ones_left_in_memory() -> None:
    """Adam's moments are there before it, and the gradients of a pass where an update has several."""
    import numpy as np

    from backend.training.trial import Held, Three
    from studio.batches.encode import Encoded
    from studio.batches.plan import Plan

    lengths = (4, 5, 30, 4, 6, 5, 4, 5)
    rows = [
        Encoded(str(number), np.ones(size, np.int32), np.ones(size, np.int32), 0, np.zeros(size, bool))
        for number, size in enumerate(lengths)
    ]
    held = Held(rows)
    several = Three(held, Plan(held.lengths, 4, 8, seed=1))
    assert len(several) == 3 and several.longest == [2]
    assert [numbers for numbers, _ in several[1].passes] == [[2], [2]] and several[1].tokens == 60
    assert several[0].tokens == several[2].tokens
    whole = Three(held, Plan(held.lengths[:6], 4, 200, seed=1))
    assert len(whole[1].passes) == 1
    assert whole[1].tokens == 30 + 6 + 5 + 5, "the four longest, whichever the seed puts together"


def test_one_of_several_processes_is_tried_with_its_share() -> None:
    from backend.training.trial import alone
    from studio.settings.train import Ddp

    settings = TrainSettings(dataset="d", batch_size=7, threads=4, spread=Ddp(processes=2))
    found = alone(settings)
    assert found.spread and (found.spread.name, found.batch_size, found.threads) == ("single", 4, 2)


def test_the_command_prints_both_figures_and_the_flags_to_try(world: World) -> None:
    command = [sys.executable, "launch.py", "fit", "--dataset", "places", "--model", "tiny", "--max-steps", "6"]
    more = ["--workspace", str(world.workspace.root), "--threads", "1"]
    done = subprocess.run([*command, *more], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and "GB measured" in done.stdout and "GB estimated" in done.stdout, done.stderr
    done = subprocess.run([*command, *more, "--limit", "-1", "--json"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and "--limit" in json.loads(done.stdout)["error"]["next"]


def test_a_run_that_ran_out_goes_on_with_smaller_passes(world: World, train: Any) -> None:
    """Nothing is lost: what learns the same is taken over by the very run."""
    settings = {"max_steps": 12, "save_steps": 2, "batch_size": 8, "tokens_per_pass": 800, "method": {"name": "full"}}
    folder = world.run(**settings)
    assert train(folder, stop_at=5)["type"] == "stopped"
    end_for_memory(folder)
    assert runs.summary(folder).error["cause"] == "memory"  # type: ignore[index]
    rungs = {rung.name: rung for rung in proposal.rungs(world.workspace, folder.name)}
    assert rungs["passes"].same
    with pytest.raises(Refused, match="changes what is learned"):
        proposal.go_on_with(world.workspace, folder.name, "optimizer")
    proposal.go_on_with(world.workspace, folder.name, "passes")
    state = follow.follow(world.workspace, folder)
    assert state.phase == "finished" and told(folder, "resumed")[-1]["from_step"] == 5
    assert runs.settings_of(folder).tokens_per_pass == rungs["passes"].changes["tokens_per_pass"]
    assert any("at once" in line["text"] for line in told(folder, "message")), "the last digits may differ: it says so"


def test_recomputation_taken_as_a_rung_has_its_own_reason(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from backend.training.settings import tell_recomputation

    given = SHORT | {"max_steps": 6, "recompute": False}
    settings = preflight(world.workspace, TrainSettings.model_validate(given)).settings
    folder = runs.create(world.workspace, settings, 6, {"recompute": "Without it the run takes little."})
    end_for_memory(folder)
    monkeypatch.setattr(queue, "advance", lambda _: None)
    proposal.go_on_with(world.workspace, folder.name, "recompute")
    work = job.Job(folder)
    with work.log, work.metrics:
        tell_recomputation(work, runs.settings_of(folder))
    text = told(folder, "message")[-1]["text"]
    assert text.startswith("Recomputation is on. It was chosen when") and "takes little" not in text


def end_for_memory(folder: Path) -> None:
    from studio import events
    from studio.errors import NoMemory
    from studio.logs import Log

    (folder / job_folder.STOP).unlink(missing_ok=True)
    with Log(folder / events.EVENTS) as log:
        log.append("starting", pid=1)
        log.append("failed", **NoMemory("The memory ran out.", "Too much.", "Take less.").as_dict())


def test_memory_that_runs_out_within_python_ends_as_failed_with_its_cause(
    world: World, train: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from backend.training import trainer

    def none_left(*_: Any, **__: Any) -> Any:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    folder = world.run()
    monkeypatch.setattr(trainer.Trainer, "_clip_grad_norm", none_left)
    work = job.Job(folder)
    with work.log, work.metrics:
        from backend.train import main

        assert job.conclude(work, main) == 1
    (end,) = told(folder, "failed")
    assert end["cause"] == "memory" and "2.00 GiB" in end["why"] and end["next"]
