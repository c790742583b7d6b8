"""What only some GPUs and packages offer is refused elsewhere, with what, why and next."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from studio import acceleration, packages
from studio.acceleration import expects_flash, problems, takes_flash
from studio.errors import Refused
from studio.gpus import Gpu
from studio.jobs.local import ROOT
from studio.machine import machine
from studio.settings.train import TrainSettings

GPU = Gpu("A new one", 24 * 10**9, 0, 0, (9, 0))
LLAMA: dict[str, Any] = {"hidden_size": 2048, "num_attention_heads": 32, "attention_dropout": 0.0}


def refused(
    device: str = "cuda",
    dtype: str = "bfloat16",
    gpu: Gpu = GPU,
    torch: str = "2.13.0+cu130",
    config: dict[str, Any] = LLAMA,
    **given: Any,
) -> list[Refused]:
    here = replace(machine(), gpus=(gpu,), torch=torch)
    settings = TrainSettings.model_validate({"dataset": "d", "cutoff": 512, **given})
    found = list(problems(settings, device, dtype, here, config))
    assert all(error.what and error.why and error.next and error.field for error in found)
    return found


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The packages that are there: fill it in."""
    names: set[str] = set()
    monkeypatch.setattr(acceleration, "find_spec", lambda name: object() if name in names else None)
    return names


def test_what_is_usual_is_never_refused(installed: set[str]) -> None:
    assert not refused("cpu", "float32") and not refused("cuda")


def test_liger_needs_a_gpu_and_its_package(installed: set[str]) -> None:
    (error,) = refused("cpu", kernels="liger")
    assert "GPU" in error.what and error.field == "kernels" and "--kernels usual" in error.next
    (error,) = refused(kernels="liger")
    assert "python3 launch.py setup --extra liger" in error.next
    installed.add("liger_kernel")
    assert not refused(kernels="liger")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"device": "cpu"}, "needs an NVIDIA GPU"),
        ({"gpu": replace(GPU, name="An old one", capability=(7, 5))}, "An old one is older"),
        ({"torch": "2.9.1+cu128"}, "2.9.1+cu128"),
        ({"dtype": "float32"}, "takes float32"),
    ],
)
def test_flash_attention_needs_a_gpu_a_pytorch_and_a_format_that_have_it(given: dict[str, Any], words: str) -> None:
    (error,) = refused(**given, attention="flash")
    assert words in f"{error.what} {error.why}" and error.field == "attention" and "--attention auto" in error.next
    assert not refused(attention="flash")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"attention_dropout": 0.1}, "dropout"),
        ({"n_embd": 768, "n_head": 12, "attn_pdrop": 0.1}, "dropout"),
        ({"text_config": LLAMA | {"attention_dropout": 0.1}}, "dropout"),
        ({"sliding_window": 256}, "more than each row"),
        ({"attn_logit_softcapping": 50.0}, "more than each row"),
        ({"layer_types": ["full_attention", "linear_attention"]}, "more than each row"),
        ({"head_dim": 512}, "512 wide"),
        ({"head_dim": 100}, "100 wide"),
    ],
)
def test_flash_attention_needs_a_model_whose_attention_is_plain(config: dict[str, Any], words: str) -> None:
    (error,) = refused(attention="flash", config=LLAMA | config)
    assert words in error.why and error.field == "attention" and "--attention auto" in error.next
    assert not refused(config=LLAMA | config)
    assert len(refused("cpu", attention="flash", config=LLAMA | config)) == 1, "the GPU first"


def test_a_window_as_long_as_the_rows_is_none() -> None:
    assert not refused(attention="flash", config=LLAMA | {"sliding_window": 512})
    assert not refused(attention="flash", config=LLAMA | {"sliding_window": 64, "use_sliding_window": False})


def test_automatic_takes_it_where_it_can_be_had() -> None:
    here = replace(machine(), gpus=(GPU,), torch="2.11.0+cu130")
    assert takes_flash("cuda", "bfloat16", here, LLAMA, 512)
    assert not takes_flash("cuda", "float32", here, LLAMA, 512)
    assert not takes_flash("cpu", "bfloat16", here, LLAMA, 512)
    assert not takes_flash("cuda", "bfloat16", replace(here, torch="2.10.0+cu130"), LLAMA, 512)
    assert not takes_flash("cuda", "bfloat16", here, LLAMA | {"sliding_window": 256}, 512)


@pytest.mark.parametrize(
    ("attention", "dtype", "expected"),
    [("auto", "bfloat16", True), ("auto", "float32", False), ("rows", "bfloat16", False), ("flash", "bfloat16", True)],
)
def test_what_a_run_will_take_is_as_it_was_asked_for_or_what_can_be_had(
    attention: str, dtype: str, expected: bool
) -> None:
    settings = TrainSettings.model_validate({"dataset": "d", "cutoff": 512, "attention": attention})
    here = replace(machine(), gpus=(GPU,), torch="2.13.0+cu130")
    assert expects_flash(settings, "cuda", dtype, here, LLAMA) is expected


@pytest.mark.parametrize("name", ["zero2", "zero3"])
def test_deepspeed_needs_its_package(name: str, installed: set[str]) -> None:
    (error,) = refused(spread={"name": name})
    assert error.field == "spread" and "python3 launch.py setup --extra deepspeed" in error.next
    installed.add("deepspeed")
    assert not refused(spread={"name": name})


def test_the_extras_that_are_named_exist() -> None:
    assert {"liger", "deepspeed"} <= set(packages.declared(ROOT))


def test_a_model_that_names_its_heads_otherwise_is_not_told_a_size_of_them() -> None:
    assert not refused(attention="flash", config={"hidden_size": 2048, "num_heads": 16})
