"""What a setting may be: the same words on the form, in the help and in the docs, and a name for every value."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Literal

import studio.settings
from studio.settings.base import Settings, setting
from studio.settings.choices import choices_of, values_of, variants_of
from studio.settings.flags import flags
from studio.settings.train import TrainSettings


class Lamp(Settings):
    light: Literal["dim", "lora", "off"] = setting(
        "dim",
        title="Light",
        help="How bright it is.",
        why="it lasts longer",
        choices={"dim": "Soft: for the evening", "lora": "LoRA: LoRA’s own", "off": "Dark"},
    )


def test_a_choice_is_told_by_its_value_and_its_meaning():
    (flag,) = flags(Lamp)
    assert flag.help == (
        "How bright it is. dim: for the evening; lora: LoRA’s own; off: dark. Default: dim (it lasts longer)."
    )
    assert [(one.title, one.help) for one in choices_of(flag.field)] == [
        ("Soft", "For the evening."),
        ("LoRA", "LoRA’s own."),
        ("Dark", ""),
    ]


def test_a_variant_is_told_by_what_it_says_of_itself():
    method = next(flag for flag in flags(TrainSettings) if flag.path == ("method", "name"))
    told = {one.value: one for one in choices_of(method.field)}
    assert told["dora"].title == "DoRA" and told["dora"].words.startswith("dora: LoRA with ")
    assert list(told) == [variant.model_fields["name"].default for variant in variants_of(method.field)]


def test_no_choice_is_declared_that_a_setting_does_not_have():
    """And where choices are named, all of them are: a value that was added later would stand there bare."""
    named = 0
    for module in pkgutil.iter_modules(studio.settings.__path__, "studio.settings."):
        for model in vars(importlib.import_module(module.name)).values():
            if not (isinstance(model, type) and issubclass(model, Settings)):
                continue
            for name, field in model.model_fields.items():
                extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
                if declared := extra.get("choices"):
                    named += 1
                    assert tuple(declared) == values_of(field), f"{model.__name__}.{name}"
    assert named > 5
