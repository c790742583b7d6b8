"""What a setting may be chosen to be: each value with its name and its meaning, for the form, the help and the docs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from studio.settings.base import Settings


@dataclass(frozen=True)
class Choice:
    """One value, what people call it, and what it means ("" where its name says it)."""

    value: str
    title: str
    help: str = ""

    @property
    def words(self) -> str:
        """`cosine: slowly, then faster, then slowly again`: the value, and what it means; "" where nothing is told."""
        about = self.help.removesuffix(".") or (self.title if self.title != self.value else "")
        name = any(letter.isupper() for letter in about.split(" ", 1)[0][1:])  # as LoRA, which keeps its capital
        return about and f"{self.value}: {about if name else about[:1].lower() + about[1:]}"


def choices_of(field: FieldInfo) -> tuple[Choice, ...]:
    """The values of a Literal, or the variants of a union; none for a setting that may be anything."""
    if variants := variants_of(field):
        return tuple(_variant(variant) for variant in variants)
    declared = field.json_schema_extra.get("choices") if isinstance(field.json_schema_extra, dict) else None
    titles: dict[str, Any] = declared if isinstance(declared, dict) else {}
    return tuple(_told(value, titles[value]) if value in titles else Choice(value, value) for value in values_of(field))


def values_of(field: FieldInfo) -> tuple[str, ...]:
    """The values of a Literal."""
    part = members(field.annotation)[0]
    return tuple(str(value) for value in get_args(part)) if get_origin(part) is Literal else ()


def variants_of(field: FieldInfo) -> list[type[Settings]]:
    """The models of a discriminated union, [] for a plain setting."""
    return [part for part in members(field.annotation) if isinstance(part, type) and issubclass(part, Settings)]


def members(annotation: Any) -> list[Any]:
    """The members of a union without None, Annotated taken off."""
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return [part for inner in get_args(annotation) if inner is not NoneType for part in members(inner)]
    if hasattr(annotation, "__metadata__"):
        return members(annotation.__origin__)
    return [annotation]


def _variant(variant: type[Settings]) -> Choice:
    """A variant by the first line of what it says of itself: “LoRA (…): small additions …”."""
    name = str(variant.model_fields["name"].default)
    line = (variant.__doc__ or "").strip().split("\n", 1)[0]
    title, colon, _ = line.partition(":")
    without_authors = re.sub(r"\s*\(.*?\)", "", title)
    return _told(name, line.replace(title, without_authors, 1) if colon else f"{name}: {line}")


def _told(value: str, text: str) -> Choice:
    """What is declared as `Title: what it means`."""
    title, _, about = text.partition(":")
    return Choice(value, title[:1].upper() + title[1:], sentence(about.strip()))


def sentence(text: str) -> str:
    """`text` with a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:].removesuffix('.')}." if text else ""
