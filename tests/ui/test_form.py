"""The form drawn from a settings model: every setting once, with all that its declaration says."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Annotated, Literal

import pytest
from pydantic import Field as PydanticField

from studio.acceleration import no_flash
from studio.errors import BadInput
from studio.settings.base import Settings, check, setting
from studio.settings.flags import flags
from studio.settings.train import TrainSettings
from ui import form
from ui.train import page


class Cat(Settings):
    """A cat (Felis catus): it purrs."""

    name: Literal["cat"] = "cat"
    lives: int = setting(9, title="Lives", help="How many are left.", group="Pets", ge=1, le=9)


class Dog(Settings):
    """It barks."""

    name: Literal["dog"] = "dog"


class Home(Settings):
    """A small model with a setting of every kind."""

    street: str = setting("", title="Street <b>", help="Where & how it “lies”.", group="Place")
    rooms: int | None = setting(
        None, title="Rooms", help="How many.", group="Place", unit="chambers", auto="as needed", ge=1
    )
    rent: float = setting(1.5, title="Rent", help="What it costs.", level="advanced", gt=0, le=100)
    garden: bool = setting(True, title="Garden", help="Whether there is one.", group="Place")
    heat: Literal["gas", "wood_fire"] = setting(
        "gas",
        title="Heat",
        help="What burns.",
        flag="fire",
        why="it burns by itself",
        choices={"gas": "Gas", "wood_fire": "Wood: it has to be fetched"},
    )
    pet: Annotated[Cat | Dog, PydanticField(discriminator="name")] = setting(
        Cat(), title="Pet", help="Who is there.", group="Pets"
    )


class Read(HTMLParser):
    """Tags with their attributes, and what a person reads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def having(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for _, attributes in self.tags if name in attributes]


def test_a_field_has_all_that_was_declared():
    found = {field.path: field for field in form.fields(Home)}
    assert list(found) == ["street", "rooms", "rent", "garden", "heat", "pet.name", "pet.lives"]
    assert [field.kind for field in found.values()] == [
        "text",
        "whole",
        "number",
        "switch",
        "choice",
        "choice",
        "whole",
    ]
    assert found["rooms"].auto == "as needed" and found["rooms"].unit == "chambers" and found["rooms"].default is None
    assert found["rent"].level == "advanced" and found["rent"].limits == {"gt": 0, "le": 100}
    assert found["rent"].range == "more than 0, up to 100" and found["rooms"].range == ""
    assert found["heat"].flag == "fire" and found["heat"].why == "It burns by itself."
    assert [(one.value, one.title, one.help) for one in found["heat"].choices] == [
        ("gas", "Gas", ""),
        ("wood_fire", "Wood", "It has to be fetched."),
    ]
    assert found["pet.lives"].variants == ("cat",) and found["pet.name"].default == "cat"
    assert [(one.title, one.help) for one in found["pet.name"].choices] == [
        ("A cat", "It purrs."),
        ("Dog", "It barks."),
    ]


def test_a_switch_that_may_be_left_to_be_chosen_has_three_states():
    class Shed(Settings):
        roof: bool | None = setting(None, title="Roof", help="Whether it has one.", auto="where it rains")

    (roof,) = form.fields(Shed)
    assert roof.kind == "choice"
    read = Read(form.draw([roof], "x"))
    assert [(one["value"], "checked" in one) for one in read.having("type") if one["type"] == "radio"] == [
        ("", True),
        ("true", False),
        ("false", False),
    ]
    assert Shed.model_validate({"roof": "false"}).roof is False


def test_a_limit_is_told_as_it_is_checked_and_a_unit_once():
    class Walk(Settings):
        passes: float = setting(1.0, title="Passes", help="How many.", unit="passes over the hill", gt=0, le=1000)
        pause: float = setting(0.0, title="Pause", help="How long.", unit="minutes", ge=0, lt=1)
        rest: float = setting(0.5, title="Rest", help="How long.", unit="hours", gt=0, lt=1.5)

    read = Read(form.draw(form.fields(Walk), "x"))
    told = ["more than 0, up to 1,000", "minutes · 0 to less than 1", "hours · more than 0 to less than 1.5"]
    assert [word for word in read.words if word in told] == told
    with pytest.raises(BadInput) as caught:
        check(Walk, {"passes": 0, "pause": 1, "rest": 1.5})
    said = ["passes: 0 is not more than 0", "pause: 1 is not less than 1", "rest: 1.5 is not less than 1.5"]
    assert caught.value.why == "; ".join(said)


def test_settings_can_be_left_out():
    assert [field.path for field in form.fields(Home, ("street", "pet.name", "pet.lives"))] == [
        "rooms",
        "rent",
        "garden",
        "heat",
    ]


def test_what_is_drawn_can_be_read_and_operated():
    read = Read(form.draw(form.fields(Home), "x"))
    text = "".join(read.words)
    assert "Street <b>" in text and "Where & how it “lies”." in text and "1 to 9" in text and "chambers" in text
    assert [group.strip() for group in re.findall(r"<h3>(.*?)</h3>", form.draw(form.fields(Home), "x"))] == [
        "Place",
        "Settings",
        "Pets",
    ]
    names = [attributes["id"] for attributes in read.having("id")]
    assert len(names) == len(set(names))
    for attributes in read.having("for"):
        assert attributes["for"] in names
    for attributes in read.having("aria-describedby"):
        assert set(str(attributes["aria-describedby"]).split()) <= set(names)
    checked = [attributes.get("value") or attributes["id"] for attributes in read.having("checked")]
    assert checked == ["x-garden", "gas", "cat"]


def test_every_choice_has_a_name_and_every_default_its_reason():
    """What a person sees on the Train page is never a bare value, nor a value that nobody gives a reason for."""
    for field in form.fields(TrainSettings):
        if field.kind == "choice" and field.path != "recompute":
            assert [one.value for one in field.choices if one.title == one.value] == [], field.path
        if field.kind != "text" or field.path == "method.targets":
            assert bool(field.why) == (field.default is not None), field.path
            assert field.why or field.auto, field.path


def test_an_open_choice_can_be_left_open():
    field = next(field for field in form.fields(TrainSettings) if field.path == "objective.name")
    values = [attributes["value"] for attributes in Read(form.draw_field(field, "x")).having("value")]
    assert values == ["", "sft", "pretraining"]


def test_every_setting_of_a_run_is_on_the_page_exactly_once(workspace):
    read = Read(page(workspace))
    drawn = [attributes["data-path"] for attributes in read.having("data-path")]
    slots = [attributes["data-slot"] for attributes in read.having("data-slot")]
    picked = [name for name in slots if name in ("dataset", "model")]
    assert sorted(drawn + picked) == sorted(".".join(flag.path) for flag in flags(TrainSettings))
    text = "".join(read.words)
    for flag in flags(TrainSettings):
        assert str(flag.field.title) in text and str(flag.field.description) in text


def test_advice_names_fields_and_not_flags():
    wanted = form.in_form_words("Choose `--memory lean`.", TrainSettings)
    assert wanted == "Choose “Memory” “Lean”."
    said = form.in_form_words("Raise it (`--cutoff`) or take `--template chatml`; never --force.", TrainSettings)
    assert said == "Raise it (“Cut-off”) or take “Chat template” chatml; never --force."


def test_advice_names_choices_as_the_form_does():
    said = form.in_form_words(no_flash("It is not plain.", instead=", or `--dtype bfloat16`").next, TrainSettings)
    assert said == "Choose “Attention” “Automatic”, or “Number format” “16 bits”."


def test_a_problem_finds_its_field():
    names = {
        "cutoff": "cutoff",
        "method.lora.rank": "method.rank",
        "method": "method.name",
        "objective.sft": "objective.name",
    }
    for name, path in {**names, "dataset": "dataset", "nonsense": ""}.items():
        assert form.field_of(name, TrainSettings) == path
