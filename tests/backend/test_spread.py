"""Several processes that train together on the CPU learn what one would have learned."""

from __future__ import annotations

import os
import signal
import time
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest
from safetensors.torch import load_file

from studio import events, logs
from studio.jobs import folder as job_folder
from tests.worlds import World, start_worker, told, train, world

__all__ = ["train", "world"]

TWO = {"name": "ddp", "processes": 2}
TRYING = {"max_steps": 40, "save_steps": 3, "eval_steps": 20, "tokens_per_pass": 130, "samples": 1}


def steps(folder: Path) -> list[dict[str, Any]]:
    return events.steps(folder)[0]


def row_losses(folder: Path) -> dict[tuple[int, str], float]:
    lines = pq.read_table(folder / "rows.parquet").to_pylist()
    return {(line["step"], line["row_id"]): line["loss"] for line in lines}


def ended(folder: Path) -> dict[str, Any]:
    return logs.last(folder / events.EVENTS) or {}


@pytest.mark.timeout(300)
def test_two_processes_have_the_curve_of_one_across_a_stop(world: World, train: Any) -> None:
    alone, two = world.run(**TRYING), world.run(**TRYING, spread=TWO)
    assert train(alone)["type"] == "finished"
    first = start_worker(two)
    wait_for_step(two, 2)
    listening = listeners(first.pid)
    assert listening and all(ip_address(address).is_loopback for address in listening), "nothing is open to a network"
    first.terminate()  # lets it save
    assert first.wait(timeout=100) == 0 and ended(two)["type"] == "stopped", (two / "output.log").read_text()
    assert load_file(two / "adapter" / "adapter_model.safetensors")
    (two / "stop").unlink()
    (two / "rows" / "001000-001003.parquet").touch()  # of updates that will be done again
    assert start_worker(two).wait(timeout=200) == 0, (two / "output.log").read_text()
    assert ended(two)["type"] == "finished" and len(told(two, "resumed")) == 1
    for one, other in zip(steps(alone), steps(two), strict=True):
        assert other["loss"] == pytest.approx(one["loss"], rel=1e-5)
        assert other["grad_norm"] == pytest.approx(one["grad_norm"], rel=1e-4)
        for name in ("step", "rows", "tokens", "trained_tokens", "learning_rate"):
            assert other[name] == one[name], name
    assert row_losses(two) == pytest.approx(row_losses(alone), rel=1e-4)
    assert len(row_losses(two)) == sum(line["rows"] for line in steps(alone))
    for one, other in zip(told(alone, "eval"), told(two, "eval"), strict=True):
        assert other["loss"] == pytest.approx(one["loss"], rel=1e-5)
    assert len(told(two, "starting")) == len(told(two, "training")) == 2, "only the first process tells"
    weights, others = (load_file(folder / "adapter" / "adapter_model.safetensors") for folder in (alone, two))
    for name, weight in weights.items():
        assert others[name].sub(weight).abs().max() < 1e-4
    assert not list((two / "adapter").glob("rng_state*")) and not list(two.glob(".meeting-*"))


@pytest.mark.timeout(200)
def test_one_of_two_that_is_killed_interrupts_the_run(world: World) -> None:
    """The other one notices, and does not tell it as a failure."""
    folder = world.run(**TRYING | {"max_steps": 5000}, spread=TWO)
    keeper = start_worker(folder)
    wait_for_step(folder, 1)
    second = max(psutil.Process(keeper.pid).children(), key=lambda child: int(child.environ()["RANK"]))
    second.kill()
    assert keeper.wait(timeout=60) == 1
    assert job_folder.status(folder) == "interrupted" and not told(folder, "failed")


@pytest.mark.full
@pytest.mark.timeout(600)
def test_two_processes_that_were_killed_go_on_exactly(world: World) -> None:
    settings = TRYING | {"method": {"name": "lora", "dropout": 0.3}, "spread": TWO}
    whole = world.run(**settings)
    assert start_worker(whole).wait(timeout=200) == 0, (whole / "output.log").read_text()
    broken = world.run(**settings)
    killed = start_worker(broken)
    wait_for_step(broken, 10)
    os.kill(killed.pid, signal.SIGKILL)  # both processes go with it
    killed.wait()
    assert start_worker(broken).wait(timeout=200) == 0, (broken / "output.log").read_text()
    assert len(told(broken, "resumed")) == 1
    curve = [[(line["step"], line["loss"], line["grad_norm"]) for line in steps(folder)] for folder in (whole, broken)]
    assert curve[0] == curve[1] and row_losses(whole) == row_losses(broken)
    one, other = ((folder / "adapter" / "adapter_model.safetensors").read_bytes() for folder in (whole, broken))
    assert one == other


def listeners(pid: int) -> set[str]:
    """The addresses that a process and those it started listen on."""
    keeper = psutil.Process(pid)
    found = [socket for one in (keeper, *keeper.children(True)) for socket in one.net_connections("inet")]
    return {socket.laddr.ip for socket in found if socket.status == psutil.CONN_LISTEN}


def wait_for_step(folder: Path, step: int) -> None:
    deadline = time.monotonic() + 200
    while events.last_metric(folder).get("step", 0) < step:
        assert time.monotonic() < deadline and ended(folder)["type"] != "failed", (folder / "output.log").read_text()
        time.sleep(0.01)
