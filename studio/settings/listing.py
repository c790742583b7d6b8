"""Settings as a list to read: what each is called, its value in words, and whether it was left at its default."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from studio.settings.base import Settings
from studio.settings.choices import choices_of
from studio.settings.flags import Flag, flags


@dataclass(frozen=True)
class Listed:
    """One setting. `changed` says that it is not the declared default."""

    key: str
    title: str
    group: str
    value: str
    help: str
    changed: bool

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def listed(model: type[Settings], settings: dict[str, Any]) -> list[Listed]:
    """Every setting that exists in `settings`, in the order of declaration."""
    return [_listed(flag, settings) for flag in flags(model) if _exists(flag, settings)]


def listed_plainly(settings: dict[str, Any]) -> list[Listed]:
    """The settings of a job that has no model of them here: its keys as they are."""
    return [
        Listed(key, key.replace("_", " ").capitalize(), "", in_words(value), "", True)
        for key, value in settings.items()
    ]


def _exists(flag: Flag, settings: dict[str, Any]) -> bool:
    chosen = settings.get(flag.path[0])
    if len(flag.path) == 1:
        return True
    return isinstance(chosen, dict) and flag.path[1] in chosen


def _listed(flag: Flag, settings: dict[str, Any]) -> Listed:
    extra = dict(flag.field.json_schema_extra) if isinstance(flag.field.json_schema_extra, dict) else {}
    value: Any = settings
    for part in flag.path:
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, dict):  # a union that is listed by its variant's name
        value = value.get("name")
    default = flag.field.get_default(call_default_factory=True) if not flag.field.is_required() else None
    default = getattr(default, "name", default) if flag.path[-1] == "name" else default
    unit = str(extra.get("unit") or "")
    titles = {choice.value: choice.title for choice in choices_of(flag.field)}
    words = (
        titles.get(str(value)) or in_words(value)
        if value is not None
        else f"automatic: {extra['auto']}"
        if extra.get("auto")
        else "none"
    )
    shown = f"{words} {unit}".strip() if isinstance(value, int | float) and not isinstance(value, bool) else words
    return Listed(
        ".".join(flag.path),
        str(flag.field.title or flag.name),
        str(extra.get("group") or ""),
        shown,
        flag.field.description or "",
        value != default,
    )


def in_words(value: Any) -> str:
    """A value as people write it: `on`, `0.001`, `1,024`, `q_proj, v_proj`."""
    match value:
        case None | "":
            return "none"
        case bool():
            return "on" if value else "off"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.6g}"
        case list() | tuple():
            return ", ".join(map(in_words, value)) or "none"
        case dict():
            return ", ".join(f"{key}: {in_words(inner)}" for key, inner in value.items()) or "none"
    return str(value)
