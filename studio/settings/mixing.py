"""Settings of a mixture: its recipe. Several datasets, by weight, become a new one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import field_validator, model_validator

from studio.errors import BadInput
from studio.files import check_name
from studio.settings.base import Settings, setting

PART = re.compile(
    r"(?P<dataset>[^\[\]@=]+)(?:@(?P<version>\d+))?(?:\[(?P<tag>[^\[\]=]+)=(?P<value>[^\]]*)\])?(?:=(?P<weight>[^\[\]=]+))?"
)
HEAVIEST = 1000.0


@dataclass(frozen=True)
class Part:
    """One ingredient: the rows of a dataset (that have a tag), and how heavily they count.

    Args:
        version: None for the newest.
        tag, value: only rows with this value of this tag, label or column; "" for all.
        weight: by hand, how often each of its rows is seen; 1 as it is.
    """

    dataset: str
    version: int | None = None
    tag: str = ""
    value: str = ""
    weight: float = 1.0

    def __str__(self) -> str:
        version = f"@{self.version}" if self.version else ""
        only = f"[{self.tag}={self.value}]" if self.tag else ""
        return f"{self.dataset}{version}{only}" + (f"={self.weight:g}" if self.weight != 1 else "")


def read_part(text: str) -> Part:
    """`letters`, `letters=2`, `letters@3[domain=billing]=0.5`.

    Raises:
        BadInput: it reads otherwise.
    """
    match = PART.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError
        weight = float(match["weight"] or 1)
        if not 0 < weight <= HEAVIEST:
            raise ValueError
    except ValueError:
        raise BadInput(
            f"“{text}” is no part of a mixture.",
            f"A part is a dataset, if you like with a tag and a weight of up to {HEAVIEST:g}.",
            "Give for example --part letters=2 or --part letters[domain=billing].",
            field="parts",
        ) from None
    version = int(match["version"]) if match["version"] else None
    return Part(match["dataset"].strip(), version, (match["tag"] or "").strip(), match["value"] or "", weight)


class MixSettings(Settings):
    """Several datasets become one, by weight, with the sides of their rows kept."""

    name: str = setting(
        title="Name", help="What the mixture is called; under the name of a mixture there is, a new version is made."
    )
    parts: list[str] = setting(
        title="Parts",
        help="A dataset that goes in, as NAME, NAME=WEIGHT, NAME@VERSION or NAME[TAG=VALUE]; once for each.",
        flag="part",
        min_length=1,
    )
    by: Literal["proportional", "temperature", "weights"] = setting(
        "proportional",
        title="How much of each",
        help="proportional: as many rows as each has; temperature: small parts get more than their share; "
        "weights: as often as the weight given with each part says.",
    )
    temperature: float = setting(
        2.0,
        title="Temperature",
        help="1 is proportional; the higher, the more alike the parts become in number. Only by temperature.",
        ge=1,
        le=100,
    )
    rows: int | None = setting(
        None,
        title="Rows to train on",
        help="How many rows the mixture has to train on, general ones included.",
        auto="as many as the parts make",
        ge=1,
        le=10_000_000,
    )
    general: str | None = setting(
        None,
        title="General rows",
        help="A dataset of general questions and answers, mixed in so that the model forgets less of what it could "
        "before.",
        group="Against forgetting",
    )
    general_share: float = setting(
        0.1,
        title="Share of general rows",
        help="Which share of the rows to train on is general; 0.1 to 0.2 is usual.",
        group="Against forgetting",
        gt=0,
        le=0.9,
    )
    near: bool = setting(
        True,
        title="Near-duplicates",
        help="Leaves out what is nearly the same as a held-out row of any part; without it only what asks the same, is "
        "of the same document or conversation, or was written after one.",
        group="Kept apart",
    )
    seed: int = setting(
        0,
        title="Seed",
        help="The number behind every choice by chance: the same draws the same rows again, another draws others.",
        ge=0,
        lt=2**63,
    )

    @field_validator("name")
    @classmethod
    def _named(cls, value: str) -> str:
        try:
            return check_name(value, "dataset name")
        except BadInput as error:
            raise ValueError(str(error)) from None

    @field_validator("parts")
    @classmethod
    def _readable(cls, value: list[str]) -> list[str]:
        try:
            return [str(read_part(text)) for text in value]
        except BadInput as error:
            raise ValueError(str(error)) from None

    @field_validator("general")
    @classmethod
    def _none_for_empty(cls, value: str | None) -> str | None:
        return (value or "").strip() or None

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        seen = [(part.dataset, part.tag, part.value) for part in map(read_part, self.parts)]
        twice = next((each for each in seen if seen.count(each) > 1), None)
        if twice:
            raise ValueError(f"“{twice[0]}” is named twice; give it one weight instead")
        return self

    def ingredients(self) -> list[Part]:
        """The parts, read; without the general one."""
        return [read_part(text) for text in self.parts]

    def datasets(self) -> list[str]:
        """The names of all datasets that are mixed."""
        parts = [*self.ingredients(), *([read_part(self.general)] if self.general else [])]
        return list(dict.fromkeys(part.dataset for part in parts))
