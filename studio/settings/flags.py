"""Command-line flags drawn from a settings model, and a settings file turned back into a command."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_origin

from pydantic.fields import FieldInfo

from studio.errors import BadInput
from studio.settings.base import Settings
from studio.settings.choices import choices_of, members, values_of, variants_of


@dataclass(frozen=True)
class Flag:
    """One flag and the place of its value in the settings.

    Args:
        path: the keys that lead to the value, as `("method", "rank")`; `("method", "name")` chooses a variant.
        variants: the names of the variants of `path[0]` that have this setting; empty when it always exists.
        many: whether the flag may be given several times, as the value is a list.
    """

    name: str
    path: tuple[str, ...]
    type: type
    choices: tuple[str, ...]
    field: FieldInfo
    variants: tuple[str, ...] = ()
    many: bool = False

    @property
    def help(self) -> str:
        """What it does, and its default."""
        return f"{self.about} {describe_default(self.field)}".strip()

    @property
    def about(self) -> str:
        """The declaration's sentence, what each choice means, and its limits to one variant."""
        text = self.field.description or ""
        if told := "; ".join(choice.words for choice in choices_of(self.field) if choice.words):
            text += f" {told}."
        if self.variants:
            text += f" Only with {', '.join(self.variants)}."
        return text


def describe_default(field: FieldInfo) -> str:
    """The default in words and why it is the default: `Default: 8 (the usual size).`, or how it is chosen."""
    extra = dict(field.json_schema_extra) if isinstance(field.json_schema_extra, dict) else {}
    if field.is_required():
        return ""
    default = field.get_default(call_default_factory=True)
    if default is None:
        return f"Default: {extra['auto']}." if extra.get("auto") else ""
    if isinstance(default, Settings):
        default = getattr(default, "name", "")
    if isinstance(default, bool):
        default = "on" if default else "off"
    if isinstance(default, list | dict | tuple) or default == "":
        return ""
    return f"Default: {default} ({extra['why']})." if extra.get("why") else f"Default: {default}."


def flags(model: type[Settings]) -> list[Flag]:
    """Every flag of a settings model, in the order of declaration; one for each name."""
    return [flag for name, field in model.model_fields.items() for flag in _flags_of(name, field)]


def _flags_of(name: str, field: FieldInfo) -> Iterator[Flag]:
    variants = variants_of(field)
    if not variants:
        yield _flag((name,), field)
        return
    names = tuple(variant.model_fields["name"].default for variant in variants)
    yield Flag(_dashes(name), (name, "name"), str, names, field)
    seen: dict[str, list[str]] = {}
    for variant, variant_name in zip(variants, names, strict=True):
        for key in variant.model_fields:
            if key != "name":
                seen.setdefault(key, []).append(variant_name)
    for key, owners in seen.items():
        inner = next(variant.model_fields[key] for variant in variants if key in variant.model_fields)
        yield _flag((name, key), inner, tuple(owners) if len(owners) < len(names) else ())


def _flag(path: tuple[str, ...], field: FieldInfo, variants: tuple[str, ...] = ()) -> Flag:
    extra = dict(field.json_schema_extra) if isinstance(field.json_schema_extra, dict) else {}
    part, choices = members(field.annotation)[0], values_of(field)
    kind = part if isinstance(part, type) and part in (int, float, bool, str) else str
    many = get_origin(part) is list
    return Flag(str(extra.get("flag") or _dashes(path[-1])), path, kind, choices, field, variants, many)


def _dashes(name: str) -> str:
    return name.replace("_", "-")


def add_flags(parser: argparse.ArgumentParser, model: type[Settings], leave_out: tuple[str, ...] = ()) -> None:
    """Adds the flags of `model` to a parser, under their groups; what is not given stays out of the namespace."""
    groups: dict[str, Any] = {}
    for flag in flags(model):
        if flag.name in leave_out:
            continue
        extra = flag.field.json_schema_extra if isinstance(flag.field.json_schema_extra, dict) else {}
        title = str(extra.get("group") or "Settings")
        group = groups.setdefault(title, parser.add_argument_group(title))
        options: dict[str, Any] = {"dest": ".".join(flag.path), "default": argparse.SUPPRESS}
        options["help"] = flag.help.replace("%", "%%")
        if flag.type is bool:
            options["action"] = argparse.BooleanOptionalAction
        else:
            options |= {"type": _number(flag.type), "metavar": _metavar(flag)}
            if flag.many:
                options["action"] = "append"
            if flag.choices:
                options |= {"choices": flag.choices, "metavar": None}
        group.add_argument(f"--{flag.name}", **options)


def _metavar(flag: Flag) -> str:
    return {int: "N", float: "X"}.get(flag.type, flag.name.rpartition("-")[2].upper())


def _number(kind: type) -> Any:
    """argparse's error says “invalid int value”; ours says what was expected."""

    def parse(text: str) -> Any:
        try:
            return kind(text)
        except ValueError:
            wanted = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"“{text}” is not {wanted}") from None

    return parse


def collect(namespace: argparse.Namespace, model: type[Settings]) -> dict[str, Any]:
    """The settings given on a command line, nested as in settings.json; nothing that was not given."""
    given: dict[str, Any] = {}
    for flag in flags(model):
        key = ".".join(flag.path)
        if not hasattr(namespace, key):
            continue
        place = given
        for part in flag.path[:-1]:
            place = place.setdefault(part, {})
        place[flag.path[-1]] = getattr(namespace, key)
    return given


def merge(model: type[Settings], *layers: dict[str, Any]) -> dict[str, Any]:
    """Settings laid over one another, later ones winning.

    Another variant (`--method dora` over a file that says lora) keeps what both have; a setting given without naming
    the variant goes to the one below, or to the default one.

    Raises:
        BadInput: a setting was given that the chosen variant does not have.
    """
    result: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            field = model.model_fields.get(name)
            variants = variants_of(field) if field else []
            if not variants or not isinstance(value, dict):
                result[name] = value
                continue
            result[name] = _merge_variant(name, field, variants, result.get(name), value)  # type: ignore[arg-type]
    return result


def _merge_variant(
    name: str, field: FieldInfo, variants: list[type[Settings]], below: dict[str, Any] | None, given: dict[str, Any]
) -> dict[str, Any]:
    default = field.get_default() if not field.is_required() else None
    names = {variant.model_fields["name"].default: variant for variant in variants}
    below_name = (below or {}).get("name") or getattr(default, "name", next(iter(names)))
    chosen = given.get("name", below_name)
    base: dict[str, Any] = {}
    if chosen in names:
        base = {key: value for key, value in (below or {}).items() if key in names[chosen].model_fields}
        for key in given:
            if key not in names[chosen].model_fields:
                owners = [owner for owner, variant in names.items() if key in variant.model_fields]
                raise BadInput(
                    f"“{_dashes(key)}” does not belong to {name} {chosen}.",
                    f"It is a setting of {', '.join(owners)}." if owners else "There is no such setting.",
                    f"Leave it out, or choose another {name}.",
                    field=f"{name}.{key}",
                )
    return {"name": chosen, **{key: value for key, value in base.items() if key != "name"}, **given}


def command(model: type[Settings], settings: dict[str, Any]) -> str:
    """The flags that give these settings, defaults left out: `--dataset support --rank 16`."""
    words = []
    for flag in flags(model):
        value, default = _value(settings, flag.path), _default(model, flag)
        if value is None or value == default or (flag.variants and _variant(settings, flag) not in flag.variants):
            continue
        if flag.type is bool:
            words.append(f"--{flag.name}" if value else f"--no-{flag.name}")
            continue
        for one in value if flag.many else [value]:
            words += [f"--{flag.name}", shlex.quote(f"{one:g}" if isinstance(one, float) else str(one))]
    return " ".join(words)


def _value(settings: dict[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = settings
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _variant(settings: dict[str, Any], flag: Flag) -> Any:
    return _value(settings, (flag.path[0], "name"))


def _default(model: type[Settings], flag: Flag) -> Any:
    if len(flag.path) == 1:
        return None if flag.field.is_required() else flag.field.get_default(call_default_factory=True)
    if flag.path[-1] == "name":
        default = model.model_fields[flag.path[0]].get_default()
        return getattr(default, "name", None)
    return flag.field.get_default(call_default_factory=True)
