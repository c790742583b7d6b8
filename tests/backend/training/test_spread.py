"""What Trainer, Accelerate and DeepSpeed are told; the runs themselves need GPUs (tests/gpu)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backend import train
from backend.job import Job
from backend.training import launching
from backend.training.spread import distribution
from backend.training.trainer import arguments
from studio.settings.train import TrainSettings
from tests.backend.training.small import settings
from tests.worlds import World


def spread(**given: object) -> TrainSettings:
    return settings(spread=given, learning_rate=1e-3)


def test_one_process_is_told_nothing() -> None:
    assert distribution(settings(), "cuda") == {} == distribution(spread(name="single"), "cuda")
    command, environment = launching.of(Path("/run"), None)
    assert command[-2:] == ["backend.training", "/run"] and environment == [{}]


@pytest.mark.parametrize(
    ("given", "saving"),
    [
        ({}, False),
        ({"recompute": True}, True),
        ({"method": {"name": "dora"}}, True),
        ({"method": {"name": "full"}}, False),
    ],
)
def test_memory_is_given_back_at_once_where_it_is_short(
    given: dict[str, Any], saving: bool, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[dict[str, str]] = []
    monkeypatch.setattr(train, "keep", lambda job, command, environments: started.extend(environments) or {})
    job = Job(world.run(**given))
    with job.log, job.metrics:
        train.kept(job)
    assert started == [launching.OWN_BLOCKS if saving else {}]


def test_how_the_user_has_memory_given_back_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    saving = settings(recompute=True)
    monkeypatch.delenv("MALLOC_MMAP_THRESHOLD_", raising=False)
    assert launching.allocation(saving).keys() == {"MALLOC_MMAP_THRESHOLD_"}
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "65536")
    assert launching.allocation(saving) == {}


def test_several_know_of_one_another_and_meet_in_a_new_file_each_time(tmp_path: Path) -> None:
    three = spread(name="ddp", processes=3).spread
    command, environments = launching.of(tmp_path, three)
    assert command[-3:] == ["-m", "backend.training", str(tmp_path)]
    assert [one["RANK"] for one in environments] == [one["LOCAL_RANK"] for one in environments] == ["0", "1", "2"]
    assert {one["WORLD_SIZE"] for one in environments} == {"3"}
    assert all(one[f"{name}_SOCKET_IFNAME"].startswith("lo") for one in environments for name in ("GLOO", "NCCL"))
    (meeting,) = {one[launching.MEETING] for one in environments}
    assert meeting != launching.of(tmp_path, three)[1][0][launching.MEETING]
    Path(meeting).touch()
    launching.forget_meetings(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("offload", [False, True])
def test_fsdp_is_version_two_and_understood(offload: bool, tmp_path: Path) -> None:
    """Transformers turns it into the arguments of Accelerate's plugin."""
    given = spread(name="fsdp", processes=2, offload=offload)
    told = arguments(tmp_path, given, "cpu", 5)
    plugin = told.fsdp_plugin_args
    assert plugin["fsdp_version"] == 2 and plugin["reshard_after_forward"] is True
    assert plugin.get("cpu_offload", False) is offload and plugin["state_dict_type"] == "FULL_STATE_DICT"
    assert not told.activation_checkpointing
    recomputed = distribution(given.model_copy(update={"recompute": True}), "cuda")
    assert recomputed["fsdp_config"]["activation_checkpointing"] and not recomputed["activation_checkpointing"]


@pytest.mark.parametrize(("name", "stage"), [("zero2", 2), ("zero3", 3)])
@pytest.mark.parametrize("offload", [False, True])
def test_deepspeed_is_told_its_stage_and_where_to_keep_things(name: str, stage: int, offload: bool) -> None:
    config = distribution(spread(name=name, processes=2, offload=offload), "cuda")["deepspeed"]
    zero = config["zero_optimization"]
    assert zero["stage"] == stage and config["bf16"]["enabled"] and config["gradient_clipping"] == 1.0
    assert ("offload_optimizer" in zero) is offload and ("offload_param" in zero) is (offload and stage == 3)
    assert config["train_micro_batch_size_per_gpu"] == config["gradient_accumulation_steps"] == 1


def test_deepspeed_accepts_it() -> None:
    deepspeed = pytest.importorskip("deepspeed", reason="deepspeed is not installed")
    config = distribution(spread(name="zero3", processes=2, offload=True), "cuda")["deepspeed"]
    assert deepspeed.runtime.config.DeepSpeedConfig(config | {"train_batch_size": 1}).zero_optimization_stage == 3
