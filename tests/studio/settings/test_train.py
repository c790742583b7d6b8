"""The settings of a run: validation, flags, defaults, presets, files. Every part reads the one declaration."""

import argparse
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio import presets
from studio.errors import BadInput, NewerFormat
from studio.settings import defaults, flags
from studio.settings.base import check
from studio.settings.files import read_config
from studio.settings.train import TrainSettings

FACTS = defaults.Facts(
    rows=240, longest=90, text=False, version=1, parameters=135_000_000, context=8192, device="cpu", cores=2
)


def parse(text):
    parser = argparse.ArgumentParser()
    flags.add_flags(parser, TrainSettings)
    return flags.collect(parser.parse_args(shlex.split(text)), TrainSettings)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "dataset"),
        ({"dataset": "../x"}, "dataset"),
        ({"dataset": "a", "rank": 8}, "rank"),
        ({"dataset": "a", "method": {"name": "full", "rank": 8}}, "method.full.rank"),
        ({"dataset": "a", "method": {"name": "magic"}}, "method"),
        ({"dataset": "a", "learning_rate": 0}, "learning_rate"),
        ({"dataset": "a", "model": "../secret"}, "model"),
        ({"dataset": "a", "epochs": 1, "max_steps": 5}, ""),
    ],
)
def test_what_can_not_be_is_refused_by_name(given, field):
    with pytest.raises(BadInput) as caught:
        check(TrainSettings, given)
    assert caught.value.field == field and field in caught.value.why


def test_all_problems_are_told_at_once():
    with pytest.raises(BadInput) as caught:
        check(TrainSettings, {"dataset": "a", "epochs": -1, "batch_size": 0, "colour": "red"})
    assert all(name in caught.value.why for name in ("epochs", "batch_size", "colour"))


def test_flags_give_the_nested_settings():
    assert parse("--dataset a --method dora --rank 4 --no-keep-best --loss-on last") == {
        "dataset": "a",
        "method": {"name": "dora", "rank": 4},
        "objective": {"loss_on": "last"},
        "keep_best": False,
    }


def test_layers_win_in_order_and_a_variant_keeps_what_it_shares():
    file = {"dataset": "a", "method": {"name": "lora", "rank": 32, "alpha": 64}}
    merged = flags.merge(TrainSettings, file, parse("--method dora --alpha 8"))
    assert merged["method"] == {"name": "dora", "rank": 32, "alpha": 8.0}
    assert flags.merge(TrainSettings, file, parse("--method full"))["method"] == {"name": "full"}
    assert flags.merge(TrainSettings, {}, parse("--rank 4"))["method"] == {"name": "lora", "rank": 4}
    with pytest.raises(BadInput) as caught:
        flags.merge(TrainSettings, file, parse("--method full --rank 4"))
    assert caught.value.field == "method.rank"


def settings_strategy():
    adapters = st.builds(
        lambda name, rank, alpha: {"name": name, "rank": rank, "alpha": alpha},
        st.sampled_from(["lora", "dora", "qlora"]),
        st.integers(1, 64),
        st.floats(0.5, 64).map(lambda x: round(x, 2)),
    )
    return st.fixed_dictionaries(
        {"dataset": st.sampled_from(["a", "my-data"])},
        optional={
            "method": adapters | st.just({"name": "full"}),
            "objective": st.sampled_from([{"name": "sft", "loss_on": "last"}, {"name": "pretraining"}]),
            "epochs": st.floats(0.5, 9).map(lambda x: round(x, 2)),
            "learning_rate": st.sampled_from([1e-3, 5e-5]),
            "recompute": st.booleans(),
            "keep_best": st.booleans(),
            "name": st.sampled_from(["it's a “name”", "-x", ""]),
        },
    )


@given(settings_strategy())
def test_the_equivalent_command_gives_the_same_settings(data):
    settings = check(TrainSettings, data)
    words = flags.command(TrainSettings, settings.plain())
    if data.get("name") == "-x":
        words = words.replace("--name -x", "--name=-x")
    again = check(TrainSettings, flags.merge(TrainSettings, parse(words)))
    assert again == settings


def test_every_setting_says_what_it_is():
    names = []
    for flag in flags.flags(TrainSettings):
        extra = flag.field.json_schema_extra
        assert flag.field.title and flag.field.description and extra["group"], flag.path
        assert flag.field.description.endswith("."), flag.path
        if flag.field.default is None and not flag.field.is_required():
            assert extra["auto"], flag.path
        names.append(flag.name)
    assert len(names) == len(set(names))
    assert {"rank", "alpha", "dropout", "epochs", "max-steps", "learning-rate", "batch-size", "cutoff"} <= set(names)
    assert {"save-steps", "seed"} <= set(names)


def test_every_setting_is_read_somewhere():
    """A setting that nothing reads is a defect: its name must appear as an attribute in the code that acts on it."""
    root = Path(__file__).resolve().parents[3]
    code = "".join(
        path.read_text(encoding="utf-8")
        for folder in ("backend", "studio")
        for path in (root / folder).rglob("*.py")
        if path.parent.name != "settings" and "commands" not in path.parts
    )
    unread = [
        ".".join(flag.path)
        for flag in flags.flags(TrainSettings)
        if flag.path[-1] != "name" and not re.search(rf"\.{flag.path[-1]}\b|\[\"{flag.path[-1]}\"\]", code)
    ]
    assert not unread


def test_defaults_leave_nothing_open_and_give_reasons():
    resolved = defaults.resolve(TrainSettings(dataset="a"), FACTS)
    open_ones = [name for name, value in resolved.settings if value is None]
    assert open_ones == ["max_steps", "template", "recompute"], "the last one is preflight's: it may take a measurement"
    assert set(resolved.reasons) >= {"learning_rate", "batch_size", "epochs", "cutoff"}
    assert all(reason.endswith(".") for reason in resolved.reasons.values())


@pytest.mark.parametrize(
    ("gpus", "alike", "given", "count", "why"),
    [
        (1, 1, {}, 1, "one device"),
        (4, 4, {}, 4, "has 4 GPUs"),
        (4, 3, {}, 3, "first 3 of this machine's 4 GPUs are alike"),
        (2, 1, {}, 1, "alone: the large one. "),
        (8, 8, {}, 4, "4 rows"),
        (2, 2, {"batch_size": 1}, 1, "one row"),
        (3, 3, {"spread": {"name": "ddp"}}, 3, "each of the 3 GPUs"),
        (3, 2, {"spread": {"name": "ddp"}}, 2, "first 2 GPUs"),
        (3, 1, {"spread": {"name": "ddp"}}, 2, "The least"),
        (8, 8, {"spread": {"name": "ddp"}}, 4, "4 rows"),
        (8, 8, {"spread": {"name": "fsdp"}}, 8, "each of the 8 GPUs"),
    ],
)
def test_a_run_is_spread_over_gpus_that_are_alike_and_no_more_than_a_step_has_rows(gpus, alike, given, count, why):
    facts = replace(FACTS, device="cuda", gpus=gpus, alike=alike, gpu="the large one")
    found = defaults.resolve(check(TrainSettings, {"dataset": "a"} | given), facts)
    assert getattr(found.settings.spread, "processes", 1) == count and why in found.reasons["spread"]


def test_what_was_given_is_never_replaced():
    given = TrainSettings(dataset="a", learning_rate=3e-5, max_steps=7, cutoff=16, threads=1)
    resolved = defaults.resolve(given, FACTS)
    for name in ("learning_rate", "max_steps", "cutoff", "threads", "epochs"):
        assert getattr(resolved.settings, name) == getattr(given, name)
        assert name == "epochs" or name not in resolved.reasons
    assert resolved.reasons["epochs"].startswith("The steps decide: 7 of them are about ")


@given(
    rows=st.integers(1, 10**7),
    longest=st.integers(2, 10**6),
    context=st.none() | st.integers(64, 10**6),
    parameters=st.integers(10**6, 10**11),
    device=st.sampled_from(["cpu", "cuda"]),
)
def test_defaults_hold_for_any_data_and_model(rows, longest, context, parameters, device):
    facts = defaults.Facts(rows, longest, False, 1, parameters, context, device, 4)
    chosen = defaults.resolve(TrainSettings(dataset="a"), facts).settings
    assert chosen.cutoff <= min(1024, context or 1024) and chosen.tokens_per_pass >= chosen.cutoff
    assert 1 <= chosen.eval_steps <= defaults.total_steps(rows, chosen.batch_size, chosen.epochs)
    full = defaults.resolve(TrainSettings(dataset="a", method={"name": "full"}), facts).settings
    assert full.learning_rate < chosen.learning_rate


def test_where_not_all_rows_were_looked_at_the_reason_does_not_say_that_none_is_cut():
    whole, part = (
        defaults.resolve(TrainSettings(dataset="a"), replace(FACTS, looked_at=seen)).reasons["cutoff"]
        for seen in (None, 4512)
    )
    assert whole == "The longest row has 90 tokens, so nothing is cut off."
    assert "of the 4,512 rows looked at" in part and "nothing" not in part


@pytest.mark.parametrize(
    ("rows", "batch", "epochs", "steps"), [(10, 4, 1, 3), (10, 4, 2.0, 6), (8, 8, 0.1, 1), (100, 10, 1.05, 11)]
)
def test_total_steps(rows, batch, epochs, steps):
    assert defaults.total_steps(rows, batch, epochs) == steps


def test_every_preset_is_valid_and_named():
    files = sorted(path.stem for path in presets.FOLDER.glob("*"))
    assert sorted(presets.names()) == files and len(files) >= 3
    for name in presets.names():
        preset = presets.load(name)
        assert preset.title and preset.help
        check(TrainSettings, flags.merge(TrainSettings, preset.settings, {"dataset": "a"}))


def test_a_settings_file_is_read_with_or_without_its_format(tmp_path):
    path = tmp_path / "s.json"
    path.write_text(json.dumps({"dataset": "a", "epochs": 2}))
    assert read_config(path) == {"dataset": "a", "epochs": 2}
    path.write_text(json.dumps({"format": 1, "job": "train", "dataset": "a", "epochs": None}))
    assert read_config(path) == {"dataset": "a"}
    path.write_text(json.dumps({"format": 99, "dataset": "a"}))
    with pytest.raises(NewerFormat):
        read_config(path)
    for text in ("", "[]", '{"format": 1, "job": "export"}'):
        path.write_text(text)
        with pytest.raises(BadInput):
            read_config(path)
