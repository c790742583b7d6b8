"""What fits a machine, for the known models."""

from __future__ import annotations

from dataclasses import replace

import pytest

from studio.gpus import Gpu
from studio.machine import machine
from studio.models import catalogue
from studio.models.fit import fit, known_shape, largest
from studio.shape import weights_in


@pytest.fixture
def laptop(workspace, monkeypatch):
    """16 GB and four cores of at most 100 billion operations a second each."""
    monkeypatch.setattr("studio.estimate.core_speed", lambda: 100e9)
    return replace(machine(workspace.root), gpus=(), apple_silicon=False, cores=4, memory_available=12 * 10**9)


def test_the_shape_of_every_known_model_makes_its_parameters():
    for known in catalogue():
        shape = known_shape(known)
        norms = 4 * shape.hidden * shape.layers
        total = shape.embedding * (1 if shape.tied else 2) + weights_in(shape.linear) + norms
        assert total == pytest.approx(known.parameters, rel=0.002), known.id


def test_larger_models_take_more_of_both(laptop):
    fits = [fit(known_shape(known), laptop) for known in catalogue()]
    assert fits[0].fits and not fits[-1].fits
    assert fits[0].needed_gb < fits[10].needed_gb < fits[-1].needed_gb
    assert fits[0].seconds < fits[10].seconds < fits[-1].seconds
    assert fits[0].as_dict()["slow"] is False


def test_four_bits_take_less_memory_and_all_weights_more(laptop):
    shape = known_shape(catalogue()[10])
    needed = {method: fit(shape, laptop, method).needed_gb for method in ("qlora", "lora", "full")}
    assert needed["qlora"] < needed["lora"] < needed["full"]


def test_the_largest_of_each_method(laptop):
    found = largest(laptop)
    assert found["qlora"][0].parameters >= found["lora"][0].parameters > found["full"][0].parameters
    assert found["lora"][1].fits and not found["lora"][1].slow
    assert set(largest(replace(laptop, memory_available=10**8)).values()) == {None}


def test_a_gpu_counts_by_its_own_memory(laptop):
    gpu = Gpu(name="Test", memory=80 * 10**9, memory_used=0, used_share=0, capability=(9, 0))
    found = largest(replace(laptop, gpus=(gpu,), torch="2.13.0"))
    assert found["lora"][0].id == catalogue()[-1].id and found["lora"][1].seconds is None
    beside = replace(gpu, name="a display card", memory=2 * 10**9)
    assert largest(replace(laptop, gpus=(gpu, beside), torch="2.13.0")) == found
    assert found["full"][0].parameters > largest(laptop)["full"][0].parameters


@pytest.mark.parametrize(("gigabytes", "lora", "qlora"), [(8, 1e9, 3e9), (12, 3e9, 4e9), (24, 4e9, 4e9)])
def test_a_model_fits_a_gpu_by_the_choices_that_a_run_would_make(laptop, gigabytes, lora, qlora):
    """Fewer tokens at once and recomputation where memory is short."""
    gpu = Gpu(name="Test", memory=gigabytes * 10**9, memory_used=0, used_share=0, capability=(8, 9))
    found = largest(replace(laptop, gpus=(gpu,), torch="2.13.0"))
    assert found["lora"][0].parameters >= lora and found["qlora"][0].parameters >= qlora
    assert found["lora"][1].needed_gb <= gigabytes


def test_a_gpu_without_bfloat16_holds_twice_as_much(laptop):
    needed = []
    for capability in ((7, 5), (8, 0)):
        gpu = Gpu(name="Test", memory=80 * 10**9, memory_used=0, used_share=0, capability=capability)
        needed.append(fit(known_shape(catalogue()[10]), replace(laptop, gpus=(gpu,), torch="2.13.0")).needed_gb)
    assert needed[0] > 1.5 * needed[1]
