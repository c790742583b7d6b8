"""What was measured is found again for the runs it holds for."""

from __future__ import annotations

import importlib.metadata
import json
from dataclasses import replace

import pytest

from studio import calibration, measurement, migrate
from studio.errors import NoMemory, NoRoom, Refused
from studio.gpus import Gpu
from studio.machine import machine
from studio.measurement import Measured, known, near, place, ran_out, remember
from studio.settings.train import Ddp, Fsdp, TrainSettings
from studio.workspace import Workspace

RUN = TrainSettings(dataset="d", cutoff=64, batch_size=4)
FITS = Measured(True, 3.2, 8.0, 1.5)
TOO_BIG = Measured(False, 7.8, 8.0, None)
HERE = place(machine(), "cpu", RUN)


@pytest.mark.parametrize(("estimated", "is_near"), [(6.9, False), (7.1, True), (10, True), (12.9, True), (13.1, False)])
def test_an_estimate_is_near_within_thirty_percent(estimated: float, is_near: bool) -> None:
    assert near(estimated, 10.0) is is_near


def test_the_latest_measurement_of_such_a_run_is_found(workspace: Workspace) -> None:
    assert known(workspace, RUN, HERE, 8) is None
    remember(workspace, RUN, HERE, TOO_BIG)
    remember(workspace, RUN, HERE, FITS)
    found = known(
        workspace, RUN.model_copy(update={"learning_rate": 0.5, "seed": 9, "name": "x", "epochs": 2.0}), HERE, 8
    )
    assert found is not None and (found.fits, found.memory_gb, found.step_seconds) == (True, 3.2, 1.5) and found.time


def test_whatever_changes_memory_or_time_is_another_run(workspace: Workspace) -> None:
    remember(workspace, RUN, HERE, FITS)
    for change in ({"cutoff": 65}, {"tokens_per_pass": 128}, {"recompute": True}, {"dataset": "e"}, {"threads": 3}):
        assert known(workspace, RUN.model_copy(update=change), HERE, 8) is None, change


def test_another_model_or_dataset_of_the_same_name_is_another_run(workspace: Workspace) -> None:
    model, dataset = workspace.models / RUN.model / "config.json", workspace.datasets / "d" / "dataset.json"
    run = RUN.model_copy(update={"version": 1})
    for path in (model, dataset):
        path.parent.mkdir()

    def are(size: int, made: float) -> None:
        model.write_text(json.dumps({"hidden_size": size}))
        migrate.save(dataset, "dataset", {"versions": [{"version": 1, "made": made}]})

    are(64, 1.0)
    remember(workspace, run, HERE, FITS)
    assert known(workspace, run, HERE, 8)
    are(128, 1.0)
    assert not known(workspace, run, HERE, 8)
    are(64, 2.0)
    assert not known(workspace, run, HERE, 8)
    are(64, 1.0)
    assert known(workspace, run, HERE, 8)


def test_it_holds_for_the_machine_it_was_made_on(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = (replace(machine(), gpus=(Gpu(name, 24 * 10**9, 0, 0, (9, 0)),)) for name in ("Small", "Large"))
    remember(workspace, RUN, place(small, "cuda", RUN), FITS)
    assert known(workspace, RUN, place(small, "cuda", RUN), 8)
    assert known(workspace, RUN.model_copy(update={"device": "cuda"}), place(small, "cuda", RUN), 8)
    assert not known(workspace, RUN, place(large, "cuda", RUN), 8) and not known(workspace, RUN, HERE, 8)
    both = replace(small, gpus=small.gpus + large.gpus)  # of which one process takes the first, and sees no other
    assert place(both, "cuda", RUN) == place(small, "cuda", RUN)
    assert "Small, Large" in place(both, "cuda", RUN.model_copy(update={"spread": Ddp(processes=2)}))
    remember(workspace, RUN, HERE, FITS)
    assert known(workspace, RUN, place(machine(), "cpu", RUN), 8)
    monkeypatch.setattr(calibration, "cpu_name", lambda: "another processor")
    assert not known(workspace, RUN, place(machine(), "cpu", RUN), 8)


def test_a_model_that_is_divided_can_not_be_measured_by_one_process(workspace: Workspace) -> None:
    with pytest.raises(Refused, match="can't be measured") as refused:
        measurement.start(workspace, RUN.model_copy(update={"spread": Fsdp(processes=2)}))
    assert refused.value.next and not list(workspace.jobs.glob("*"))


def test_it_holds_for_the_code_it_was_made_by(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(workspace, RUN, HERE, FITS)
    with monkeypatch.context() as later:
        later.setattr(measurement, "TRAINER", measurement.TRAINER + 1)
        assert not known(workspace, RUN, HERE, 8)
    version = importlib.metadata.version
    for package in ("transformers", "peft", "bitsandbytes"):
        with monkeypatch.context() as later:
            newer = {package: "99.0"}
            later.setattr(importlib.metadata, "version", lambda name, newer=newer: newer.get(name) or version(name))
            measurement._release.cache_clear()
            assert not known(workspace, RUN, HERE, 8), package
        measurement._release.cache_clear()
    assert known(workspace, RUN, HERE, 8)


def test_that_it_did_not_fit_into_less_says_nothing(workspace: Workspace) -> None:
    remember(workspace, RUN, HERE, TOO_BIG)
    assert known(workspace, RUN, HERE, 8.0) is not None and known(workspace, RUN, HERE, 4.0) is not None
    assert known(workspace, RUN, HERE, 8.1) is not None, "what is free never stays the same to the byte"
    assert known(workspace, RUN, HERE, 9.0) is None


def test_a_measurement_waits_before_all_others(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from studio.jobs import folder as job_folder
    from studio.jobs import queue

    monkeypatch.setattr(measurement.queue, "advance", lambda workspace: None)
    job_folder.create(workspace, "train", {})
    folder = measurement.start(workspace, RUN, 2.0)
    assert queue.waiting(workspace)[0].folder == folder
    assert job_folder.read_settings(folder)["limit_gb"] == 2.0


def test_a_want_of_memory_is_told_from_other_failures() -> None:
    assert ran_out(NoMemory("a", "b", "c")) and ran_out(NoMemory("a", "b", "c").as_dict())
    assert not ran_out(NoRoom("The disk is full.")) and not ran_out(None) and not ran_out({"what": "x"})
