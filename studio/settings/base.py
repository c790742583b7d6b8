"""How a setting is declared: once, with all that the form, the flags, the help and the docs need."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studio.errors import BadInput

Level = Literal["basic", "advanced"]
S = TypeVar("S", bound="Settings")


class Settings(BaseModel):
    """A group of settings. Unknown keys are refused; values are checked on every assignment."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, protected_namespaces=())


def setting(
    default: Any = ...,
    *,
    title: str,
    help: str,  # noqa: A002
    group: str = "",
    level: Level = "basic",
    flag: str | None = None,
    unit: str = "",
    auto: str = "",
    why: str = "",
    choices: dict[str, str] | None = None,
    **limits: Any,
) -> Any:
    """One setting.

    Args:
        default: its value when nobody gives one; left out, it must be given.
        title: what the form calls it, in two or three words.
        help: one sentence in plain words: what it does and when to change it.
        group: the heading it stands under.
        level: `basic` settings are shown first.
        flag: its command-line flag, when the field's name does not serve (`--rank` for `method.rank`).
        unit: what a number counts (`tokens`, `rows`).
        auto: when the default is None, what is chosen instead and why, for the help text.
        why: when there is a default, why this one.
        choices: of a Literal, what each value is called on the form and what it means, as `Title: what it means`.
        limits: pydantic's own (`gt`, `ge`, `lt`, `le`, `min_length`, `max_length`, `pattern`).
    """
    extra: dict[str, Any] = {"group": group, "level": level, "flag": flag, "unit": unit, "auto": auto, "why": why}
    extra["choices"] = choices or {}
    return Field(default, title=title, description=help, json_schema_extra=extra, **limits)


def check(model: type[S], data: dict[str, Any], what: str = "These settings can't be used.") -> S:
    """`data` as settings of that model, or BadInput that lists every problem at once, by name."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise BadInput(
            what,
            "; ".join(f"{name}: {message}" if name else message for name, message in problems(error)),
            "Correct what is named and try again.",
            field=problems(error)[0][0],
        ) from None


def problems(error: ValidationError) -> list[tuple[str, str]]:
    """Each problem of a validation as (dotted name of the setting, what is wrong in plain words)."""
    found = []
    for item in error.errors():
        parts = [str(part) for part in item["loc"]]
        name = ".".join(part for part in parts if not part.startswith("function-"))
        message = item["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
        match item["type"]:
            case "extra_forbidden":
                message = "there is no such setting"
            case "missing":
                message = "this must be given"
            case "literal_error" | "union_tag_invalid":
                context = item.get("ctx", {})
                choices = context.get("expected") or context.get("expected_tags")
                given = context.get("tag") or item["input"]
                message = f"“{given}” is not one of {choices}"
            case "string_pattern_mismatch":
                message = f"“{str(item['input'])[:80]}” is not a name the studio uses (letters, digits, dots, dashes)"
            case "int_parsing" | "int_from_float" | "int_type":
                message = f"“{str(item['input'])[:80]}” is not a whole number"
            case "float_parsing" | "float_type":
                message = f"“{str(item['input'])[:80]}” is not a number"
            case "greater_than" | "greater_than_equal" | "less_than" | "less_than_equal":
                message = f"{item['input']} is not {_bound(item['type'])} {_limit(*item['ctx'].values())}"
            case "string_too_long":
                message = f"it has {len(item['input']):,} characters; at most {item['ctx']['max_length']:,} are allowed"
            case _:
                message = message[:1].lower() + message[1:]
        found.append((name, message))
    return found


def _bound(kind: str) -> str:
    """A limit in words."""
    words = {"greater_than": "more than", "greater_than_equal": "at least", "less_than": "less than"}
    return words.get(kind, "at most")


def _limit(value: float) -> str:
    """A limit as people write it: `0`, not `0.0`; no digit is lost."""
    return f"{int(value) if value == int(value) else value:,}"
