"""assets/models.json, as studio/models/catalogue.py reads it."""

from __future__ import annotations

from studio.models import catalogue
from studio.models.folder import known_architectures
from studio.settings.base import check
from studio.settings.models import AddModel


def test_every_known_model_can_be_asked_for() -> None:
    known = catalogue()
    assert len(known) == 18
    assert len({item.id for item in known}) == len(known)
    for item in known:
        settings = check(AddModel, {"source": item.id})
        assert settings.kind == ("starter" if item.id == "starter" else "hub")
        assert 100e6 < item.parameters < 5e9
        assert item.context >= 2048
        assert item.licence and item.languages
        assert item.description.endswith(".") and len(item.description) < 160


def test_the_starter_comes_first_and_the_rest_by_size() -> None:
    sizes = [item.parameters for item in catalogue()]
    assert catalogue()[0].id == "starter"
    assert sizes == sorted(sizes)


def test_gated_ones_are_those_of_makers_who_ask_for_consent() -> None:
    gated = {item.id.split("/")[0] for item in catalogue() if item.gated}
    assert gated == {"google", "meta-llama"}


def test_their_architectures_are_known_here() -> None:
    families = ("Llama", "Gemma3", "Qwen2", "Qwen3", "Olmo2", "Granite", "SmolLM3", "Phi3")
    assert {f"{family}ForCausalLM" for family in families} <= known_architectures()
