"""The worker as a process: whole runs, stopped, killed and taken up again."""

from __future__ import annotations

import json
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
import transformers
from peft import PeftModel
from safetensors.torch import load_file

from backend import train as backend_train
from backend.job import Job, _in_turn
from backend.training import settings
from studio import events, headroom, logs, runs
from studio.preflight import preflight
from studio.settings.train import TrainSettings
from tests.studio.test_machine import GPU, made
from tests.worlds import SHORT, World, places, small_disk, start_worker, told, train, world

__all__ = ["small_disk", "train", "world"]

Train = Callable[..., dict[str, Any]]
FIELDS = {
    "steps", "train_seconds", "tokens_per_second", "peak_memory_gb", "train_loss", "best_step", "validation_loss",
    "place", "attention",
}  # fmt: skip
# Dropout draws random numbers in every update: they have to go on where they were.
TRYING = {"method": {"name": "lora", "dropout": 0.3}, "max_steps": 24, "save_steps": 3, "eval_steps": 4}


def files(folder: Path) -> dict[str, bytes]:
    """The result without what names the run's day."""
    return {path.name: path.read_bytes() for path in sorted((folder / "adapter").iterdir())}


def rows(folder: Path) -> list[dict[str, Any]]:
    return list(pq.read_table(folder / "rows.parquet").to_pylist())


def losses(folder: Path) -> list[tuple[int, float, float]]:
    return [(line["step"], line["loss"], line["grad_norm"]) for line in events.steps(folder)[0]]


@pytest.mark.parametrize("method", ["lora", "dora", "qlora", "full"])
@pytest.mark.parametrize("optimizer", ["adamw", "adamw_8bit"])
def test_a_run_leaves_a_result_that_loads_and_has_its_validation_loss(
    method: str, optimizer: str, world: World, train: Train, tmp_path: Path
) -> None:
    folder = world.run(method={"name": method}, optimizer=optimizer, eval_steps=6, samples=0)
    end = train(folder)
    assert end["type"] == "finished" and end.keys() >= FIELDS, end
    assert (
        end["train_loss"] < told(folder, "eval")[0]["loss"] and end["validation_loss"] < told(folder, "eval")[0]["loss"]
    )
    result = folder / "adapter"
    assert {"settings.json", "tokenizer.json", "tokenizer_config.json"} <= {path.name for path in result.iterdir()}
    assert not list(folder.rglob("*.bin")) and not list(folder.glob(".*")) and not (folder / "cache").exists()
    moved = (result).rename(tmp_path / "elsewhere")
    assert (
        str(world.workspace.root)
        not in (moved / ("config.json" if method == "full" else "adapter_config.json")).read_text()
    )
    model = transformers.AutoModelForCausalLM.from_pretrained(
        moved if method == "full" else world.workspace.models / "tiny"
    )
    tuned = model if method == "full" else PeftModel.from_pretrained(model, str(moved))
    tolerance = 0.1 if method == "qlora" else 1e-4  # here its base is whole, in training it had four bits
    assert validation_loss(world, tuned) == pytest.approx(end["validation_loss"], abs=tolerance)


def test_a_worker_as_it_is_started_has_few_bits_and_the_optimizer_in_8_bits(world: World) -> None:
    """Other runs' processes begin without the library for both: backend/training/__main__.py."""
    few = {"method": {"name": "qlora"}, "optimizer": "adamw_8bit", "max_steps": 2, "eval_rows": 0}
    folder = world.run(**few)
    assert start_worker(folder).wait(timeout=200) == 0, (folder / "output.log").read_text()
    end = logs.last(folder / events.EVENTS) or {}
    assert (end["type"], end["steps"]) == ("finished", 2)


def validation_loss(world: World, model: Any) -> float:
    """Worked out row by row by Transformers."""
    from studio.batches.encode import encode_rows
    from studio.batches.tokenizer import load_tokenizer
    from studio.datasets.store import Dataset

    tokenizer = load_tokenizer(world.workspace.models / "tiny")
    encoded, _ = encode_rows(tokenizer, Dataset.open(world.workspace, "places").rows(1, "validation"), cutoff=128)
    total = 0.0
    for row in encoded:
        labels = torch.from_numpy(row.labels).long()[None]
        with torch.no_grad():
            output = model(input_ids=torch.from_numpy(row.ids).long()[None], labels=labels)
        total += output.loss.item() * row.trained
    return total / sum(row.trained for row in encoded)


def test_the_same_run_twice_is_the_same_bit_for_bit(world: World, train: Train) -> None:
    one, other = world.run(**TRYING), world.run(**TRYING)
    train(one), train(other)
    assert files(one) == files(other)
    assert losses(one) == losses(other) and rows(one) == rows(other)
    third = world.run(**TRYING | {"seed": 2})
    train(third)
    assert losses(third) != losses(one)


def test_a_run_that_is_stopped_leaves_a_usable_adapter_and_goes_on_exactly(world: World, train: Train) -> None:
    whole, stopped = world.run(**TRYING), world.run(**TRYING)
    train(whole)
    for wanted in (5, 8, 16):  # in the midst, at a check, at a check and a resume point
        end = train(stopped, stop_at=wanted)
        assert (end["type"], end["step"]) == ("stopped", wanted)
        assert load_file(stopped / "adapter" / "adapter_model.safetensors")
        assert rows(stopped)[-1]["step"] == wanted
        (stopped / "stop").unlink()
    end = train(stopped)
    assert end["type"] == "finished" and end["steps"] == 24
    assert [line["from_step"] for line in told(stopped, "resumed")] == [5, 8, 16]
    assert files(stopped) == files(whole)
    assert losses(stopped) == losses(whole) and rows(stopped) == rows(whole)
    checks = {line["step"]: line["loss"] for line in told(stopped, "eval")}
    assert checks == {line["step"]: line["loss"] for line in told(whole, "eval")}


def test_stopped_before_the_first_step_there_is_nothing_to_save(world: World, train: Train) -> None:
    folder = world.run()
    (folder / "stop").touch()
    end = train(folder)
    assert (end["type"], end["step"]) == ("stopped", 0)
    assert not (folder / "adapter").exists()
    (folder / "stop").unlink()
    assert train(folder)["type"] == "finished"


def kill_when(folder: Path, ready: Callable[[], bool]) -> bool:
    """Starts the worker and kills it without warning when `ready`; False when it came to its end before."""
    process = start_worker(folder)
    try:
        while process.poll() is None:
            if ready():
                process.send_signal(signal.SIGKILL)
                process.wait()
                return True
            time.sleep(0.001)
        return False
    finally:
        process.kill()
        process.wait()


def logged(folder: Path, step: int) -> Callable[[], bool]:
    return lambda: events.last_metric(folder).get("step", 0) >= step


def half_saved(folder: Path, step: int) -> Callable[[], bool]:
    """While a resume point of at least that step is being written."""
    return lambda: any((folder / "checkpoints").glob(f".step-{step:06}.*"))


def test_killed_at_any_moment_it_goes_on_exactly(world: World, train: Train) -> None:
    """kill -9 of the real worker: between two resume points, in the midst of saving one, and near the end."""
    whole, killed = world.run(**TRYING), world.run(**TRYING)
    train(whole)
    for ready in (logged(killed, random.randint(4, 8)), half_saved(killed, 12), logged(killed, random.randint(17, 23))):
        assert kill_when(killed, ready), (killed / "output.log").read_text()
    assert start_worker(killed).wait(timeout=200) == 0, (killed / "output.log").read_text()
    assert_same(killed, whole)


def assert_same(one: Path, other: Path) -> None:
    assert logs.last(one / events.EVENTS)["type"] == "finished"  # type: ignore[index]
    assert files(one) == files(other)
    assert losses(one) == losses(other)
    assert rows(one) == rows(other)
    assert not list(one.glob(".*")) and not list((one / "checkpoints").glob(".*"))


def test_a_damaged_resume_point_costs_only_the_steps_since_the_one_before(world: World, train: Train) -> None:
    whole, damaged = world.run(**TRYING), world.run(**TRYING)
    train(whole)
    assert train(damaged, stop_at=11)["type"] == "stopped"
    (damaged / "stop").unlink()
    weights = damaged / "checkpoints" / "step-000011" / "adapter_model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert train(damaged)["type"] == "finished"
    assert told(damaged, "resumed")[0]["from_step"] == 9
    assert any("step 11 is not used" in line["text"] for line in told(damaged, "message"))
    assert files(damaged) == files(whole) and rows(damaged) == rows(whole) and losses(damaged) == losses(whole)


def test_what_is_left_open_is_chosen_once_and_written_down(world: World, train: Train) -> None:
    folder = world.run()
    path = folder / "settings.json"
    settings = json.loads(path.read_text())
    open_ones = ("version", "objective", "learning_rate", "batch_size", "tokens_per_pass", "eval_steps", "save_steps")
    path.write_text(json.dumps(settings | dict.fromkeys(open_ones)))
    assert train(folder)["type"] == "finished"
    written = json.loads(path.read_text())
    assert all(written[name] is not None for name in open_ones) and written["job"] == "train"
    assert told(folder, "chosen")[0]["reasons"].keys() >= {*open_ones}


def test_a_run_waits_for_engines_to_give_way_before_it_plans(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, waited = world.run(), []
    path = folder / "settings.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"tokens_per_pass": None}))
    monkeypatch.setattr(headroom, "wait_for_memory", lambda *_: waited.append(runs.settings_of(folder)))
    monkeypatch.setattr(backend_train, "keep", lambda *_: {"began": runs.settings_of(folder).tokens_per_pass})
    job = Job(folder)
    with job.log, job.metrics:
        assert _in_turn(job, backend_train.kept)["began"]
    assert [one.tokens_per_pass for one in waited] == [None]


def test_a_model_that_is_not_there_is_named(world: World, train: Train) -> None:
    folder = world.run()
    (world.workspace.models / "tiny").rename(world.workspace.models / "gone")
    end = train(folder)
    assert end["type"] == "failed" and "“tiny”" in end["what"] and end["next"]


def test_a_run_without_the_gpu_that_it_was_planned_for_says_so(
    world: World, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(settings, "machine", lambda place: made(gpus=(GPU,)))

    def messages(device: str) -> list[str]:
        folder = world.run(device=device, max_steps=1)
        assert train(folder)["type"] == "finished"
        return [line["text"] for line in logs.read(folder / events.EVENTS)[0] if line["type"] == "message"]

    (text,) = (text for text in messages("auto") if "GPU" in text)
    assert "trains on the CPU" in text and "NVIDIA Test" in text and "driver" in text
    assert not any("GPU" in text for text in messages("cpu"))


def test_the_next_estimate_goes_by_how_fast_a_like_run_was(world: World, train: Train) -> None:
    def facts(**given: Any) -> dict[str, Any]:
        settings = TrainSettings.model_validate(SHORT | {"max_steps": 100} | given)
        return preflight(world.workspace, settings).facts

    speed = train(world.run())["tokens_per_second"]
    found = facts()
    like = pytest.approx(found["tokens"] / found["sequences"] * 4 * 100 / speed, rel=1e-3)
    assert found["seconds"] == like != facts(recompute=True)["seconds"]


def test_the_named_template_goes_with_the_result(world: World, train: Train) -> None:
    """A base model without a template learns one, and whoever loads the adapter needs the same."""
    model = world.workspace.models / "tiny"
    config = json.loads((model / "tokenizer_config.json").read_text())
    del config["chat_template"]
    (model / "tokenizer_config.json").write_text(json.dumps(config))
    folder = world.run(template="chatml")
    assert train(folder)["type"] == "finished"
    assert "<|im_start|>" in (folder / "adapter" / "chat_template.jinja").read_text()


def test_a_full_disk_ends_the_run_and_leaves_what_was_saved(world: World, train: Train, small_disk: Any) -> None:
    folder = world.run(max_steps=400, save_steps=1, keep_checkpoints=500, eval_steps=400)
    small_disk(folder / "checkpoints")
    end = train(folder)
    assert end["type"] == "failed" and "disk is full" in end["what"], end
    points = sorted((folder / "checkpoints").glob("step-*"))
    newest = int(points[-1].name[-6:])
    assert f"go on from step {newest}." in end["why"]
    for path in points[:-3]:
        shutil.rmtree(path)  # somebody makes room
    assert train(folder, stop_at=newest + 2)["type"] == "stopped"
    assert told(folder, "resumed")[-1]["from_step"] == newest


@pytest.mark.starter
def test_the_starter_learns_in_three_steps(starter: Path, world: World, train: Train) -> None:
    shutil.copytree(starter, world.workspace.models / "starter")
    folder = world.run(model="starter", max_steps=3, eval_steps=3, learning_rate=1e-3, samples=1)
    end = train(folder)
    assert end["type"] == "finished", end
    before, after = (line["loss"] for line in told(folder, "eval"))
    assert after < before - 0.3
    assert end["peak_memory_gb"] < 4
    print(f"{end['tokens_per_second']:.0f} tokens/s, {end['peak_memory_gb']:.2f} GB, loss {before:.2f} to {after:.2f}")


def test_a_learning_rate_at_which_the_loss_rises_is_said_and_a_usual_one_is_not(world: World, train: Train) -> None:
    """Without validation rows nothing else tells; every loss is still a number."""
    world.dataset("learned", places("train", 24))
    settings: dict[str, Any] = {
        "method": {"name": "full"},
        "max_steps": 20,
        "warmup": 0.2,
        "schedule": "constant",
        "max_grad_norm": 100.0,
    }
    ends = {}
    for rate in (1.0, 1e-3):
        folder = world.run(dataset="learned", learning_rate=rate, **settings)
        ends[rate] = train(folder)
        texts = [line["text"] for line in told(folder, "message")]
        assert [text for text in texts if "learning rate" in text] == ends[rate]["warnings"]
    assert ends[1.0]["type"] == "finished" and ends[1e-3]["warnings"] == []
    (said,) = ends[1.0]["warnings"]
    assert "learning rate of 1 is too high" in said and "such as 0.0001 (--learning-rate)" in said


def test_raw_text_is_gone_on_with(world: World, train: Train) -> None:
    texts = [
        {"text": f"The capital of nothing is number {n}. " * 5, "split": split}
        for n in range(8)
        for split in ("train", "validation")
    ]
    world.dataset("texts", texts)
    folder = world.run(dataset="texts", cutoff=32, objective={"name": "pretraining"})
    end = train(folder)
    assert end["type"] == "finished" and end["validation_loss"] < told(folder, "eval")[0]["loss"]
    assert not told(folder, "sample")
    tokens = [row["tokens"] for row in rows(folder)]
    assert max(tokens) == 31  # all but the first token of a piece
