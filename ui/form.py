"""A form drawn from a settings model: nothing of a setting is written by hand here.

Titles, help, groups, units, limits, choices, what is chosen for an empty field, and where a setting applies all come
from the declaration. `assets/page/form.js` makes the form live and reads it as one object.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape
from typing import Any

from studio.settings.base import Settings
from studio.settings.choices import Choice, choices_of, sentence
from studio.settings.flags import Flag, flags

WIDE = 100_000  # a limit beyond this stops nobody and is not worth reading


@dataclass(frozen=True)
class Field:
    """One setting as the form shows it; `kind` is whole, number, text, switch or choice."""

    path: str
    flag: str
    title: str
    help: str
    group: str
    level: str
    unit: str
    auto: str
    why: str
    kind: str
    default: Any
    choices: tuple[Choice, ...]
    limits: dict[str, float]
    variants: tuple[str, ...]

    @property
    def range(self) -> str:
        """Its limits in words, where they are worth reading."""
        low = self.limits.get("ge", self.limits.get("gt"))
        high = self.limits.get("le", self.limits.get("lt"))
        if high is None or high > WIDE or low is None:
            return ""
        if "ge" in self.limits and "le" in self.limits:
            return f"{low:,g} to {high:,g}"
        least = f"{low:,g}" if "ge" in self.limits else f"more than {low:,g}"
        return f"{least}, up to {high:,g}" if "le" in self.limits else f"{least} to less than {high:,g}"


def fields(model: type[Settings], leave_out: Iterable[str] = ()) -> list[Field]:
    """Every setting of a model once, variants included, in the order of declaration."""
    return [_field(flag) for flag in flags(model) if ".".join(flag.path) not in set(leave_out)]


def _field(flag: Flag) -> Field:
    extra = flag.field.json_schema_extra
    about: dict[str, Any] = dict(extra) if isinstance(extra, dict) else {}
    return Field(
        path=".".join(flag.path),
        flag=flag.name,
        title=flag.field.title or flag.path[-1],
        help=flag.field.description or "",
        group=str(about.get("group") or "Settings"),
        level=str(about.get("level") or "basic"),
        unit=str(about.get("unit") or ""),
        auto=str(about.get("auto") or ""),
        why=sentence(str(about.get("why") or "")),
        kind=_kind(flag),
        default=_default(flag),
        choices=_choices(flag),
        limits=_limits(flag),
        variants=flag.variants,
    )


def _kind(flag: Flag) -> str:
    if _choices(flag):
        return "choice"
    return {int: "whole", float: "number", bool: "switch"}.get(flag.type, "text")


def _choices(flag: Flag) -> tuple[Choice, ...]:
    """The values there are; a switch that may be left to be chosen has two, as a box is always on or off."""
    if flag.type is bool and _default(flag) is None:
        return (Choice("true", "On"), Choice("false", "Off"))
    return choices_of(flag.field)


def _default(flag: Flag) -> Any:
    if flag.field.is_required():
        return None
    default = flag.field.get_default(call_default_factory=True)
    return getattr(default, "name", None) if isinstance(default, Settings) else default


def _limits(flag: Flag) -> dict[str, float]:
    return {
        name: value
        for limit in flag.field.metadata
        for name in ("ge", "gt", "le", "lt")
        if isinstance(value := getattr(limit, name, None), int | float)
    }


# As HTML


def draw(shown: list[Field], prefix: str) -> str:
    """Fields under their groups' headings, the groups in order of appearance, basic fields first."""
    groups: dict[str, list[Field]] = {}
    for field in shown:
        groups.setdefault(field.group, []).append(field)
    return "".join(_group(title, members, prefix) for title, members in groups.items())


def _group(title: str, members: list[Field], prefix: str) -> str:
    ordered = sorted(members, key=lambda field: field.level != "basic")
    inner = "".join(draw_field(field, prefix) for field in ordered)
    return f'<section class="form-group"><h3>{escape(title)}</h3><div class="form-fields">{inner}</div></section>'


def draw_field(field: Field, prefix: str) -> str:
    """One field: its name, its control, its help, what is chosen when it is empty, and room for its problems."""
    name = f"{prefix}-{field.path.replace('.', '-')}"
    words = " ".join((field.title, field.flag, field.help, field.unit, field.group))
    words += " ".join(f" {choice.value} {choice.title} {choice.help}" for choice in field.choices)
    about = {
        "data-path": field.path,
        "data-kind": field.kind,
        "data-level": field.level,
        "data-title": field.title,
        "data-default": "" if field.default is None else _plain(field.default),
        "data-why": field.why,
        "data-variants": " ".join(field.variants),
        "data-words": words.lower(),
    }
    inner = _CONTROLS.get(field.kind, _text)(field, name)
    about_text = f'<p class="form-help" id="{name}-help">{escape(field.help)}</p>'
    if field.kind == "choice":
        about_text += '<p class="form-about" aria-live="polite"></p>'
    live = f'<p class="form-chosen" id="{name}-chosen"></p><div class="form-problems" id="{name}-problems"></div>'
    return f'<div class="form-field"{_attributes(about)}>{inner}{about_text}{live}</div>'


def _label(field: Field, name: str) -> str:
    title = field.title.lower()
    unit = "" if field.unit in title or title in field.unit else field.unit
    beside = " · ".join(part for part in (unit, field.range) if part)
    words = f'<span class="form-unit">{escape(beside)}</span>' if beside else ""
    return f'<label for="{name}">{escape(field.title)}</label>{words}'


def _text(field: Field, name: str) -> str:
    modes = {"whole": "numeric", "number": "decimal"}
    given = {
        "id": name,
        "name": field.path,
        "type": "text",
        "inputmode": modes.get(field.kind, "text"),
        "value": "" if field.default is None else _plain(field.default),
        "autocomplete": "off",
        "spellcheck": "false",
        "aria-describedby": f"{name}-help {name}-chosen {name}-problems",
        **{f"data-{limit}": f"{value:g}" for limit, value in field.limits.items()},
    }
    return f'<div class="form-head">{_label(field, name)}{_RESET}</div><input{_attributes(given)}>'


def _switch(field: Field, name: str) -> str:
    on = " checked" if field.default else ""
    described = f"{name}-help {name}-problems"
    return (
        f'<div class="form-head"><label class="form-switch" for="{name}"><input type="checkbox" id="{name}" '
        f'name="{field.path}" aria-describedby="{described}"{on}>{escape(field.title)}</label>{_RESET}</div>'
    )


def _choice(field: Field, name: str) -> str:
    choices = list(field.choices)
    if field.default is None:
        choices.insert(0, Choice("", "Automatic", sentence(field.auto)))
    options = "".join(_option(field, name, choice) for choice in choices)
    about = _attributes({"role": "radiogroup", "aria-labelledby": f"{name}-label", "aria-describedby": f"{name}-help"})
    return (
        f'<div class="form-head"><span class="form-label" id="{name}-label">{escape(field.title)}</span>{_RESET}</div>'
        f'<div class="form-options"{about}>{options}</div>'
    )


def _option(field: Field, name: str, choice: Choice) -> str:
    given = {"type": "radio", "name": field.path, "value": choice.value, "data-about": choice.help}
    on = " checked" if choice.value == (field.default or "") else ""
    return f"<label><input{_attributes(given)}{on}><span>{escape(choice.title)}</span></label>"


_RESET = '<button type="button" class="form-reset" hidden>Reset</button>'
_CONTROLS: dict[str, Callable[[Field, str], str]] = {"switch": _switch, "choice": _choice}


def _attributes(values: dict[str, str]) -> str:
    return "".join(f' {name}="{escape(value)}"' for name, value in values.items() if value != "" or name == "value")


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


# Words


def in_form_words(text: str, model: type[Settings]) -> str:
    """Advice that names a flag, as a person at the form would say it: `--template chatml` → “Chat template” chatml."""
    named_by = {field.flag: field for field in fields(model)}

    def named(match: re.Match[str]) -> str:
        field, value = named_by.get(match["name"]), match["value"]
        if field is None:
            return match[0]
        titles = {choice.value: f"“{choice.title}”" for choice in field.choices}
        return f"“{field.title}”" + (f" {titles.get(value, value)}" if value else "")

    return re.sub(r"`?--(?P<name>[a-z][a-z-]*[a-z])(?: (?P<value>[a-z0-9_][\w.]*))?`", named, text)


def field_of(name: str, model: type[Settings]) -> str:
    """The form's field for the name a problem gives: `method.lora.rank` → `method.rank`, `method` → `method.name`."""
    paths = [field.path for field in fields(model)]
    parts = name.split(".")
    for candidate in (name, f"{parts[0]}.{parts[-1]}", f"{parts[0]}.name", parts[0]):
        if candidate in paths:
            return candidate
    return ""
