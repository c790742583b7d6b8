"""Which columns a row is made of: roles, templates, the set's system prompt, key, split and tags."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

from studio.errors import BadInput

Format = Literal[
    "alpaca", "sharegpt", "messages", "prompt_completion", "question_answer", "label", "preference", "feedback",
    "text", "mapped",
]  # fmt: skip
Role = Literal[
    "messages", "user", "assistant", "system", "history", "tools", "chosen", "rejected", "label", "text",
]  # fmt: skip
# What a person may write before the `=`, and what is meant.
SYNONYMS = {
    "prompt": "user", "question": "user", "input": "user", "completion": "assistant", "answer": "assistant",
    "output": "assistant", "response": "assistant", "conversation": "messages", "conversations": "messages",
    "tag": "tags", "id": "key",
}  # fmt: skip
PLACE = re.compile(r"\{\{|\}\}|\{([^{}]+)\}")
ESCAPES = {r"\n": "\n", r"\t": "\t", r"\\": "\\"}
EXAMPLE = '--map user=QUESTION --map assistant=ANSWER, or --map user="Subject: {SUBJECT}\\n{BODY}"'


class Source(BaseModel):
    """What fills a role: one column, several joined by newlines (empty ones left out), or a template over them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: tuple[str, ...]
    template: str = ""

    def fill(self, values: list[str]) -> str:
        """The text of the role; `values` are those of `columns`, in their order."""
        if not self.template:
            return values[0] if len(values) == 1 else "\n".join(value for value in values if value)
        by_name = dict(zip(self.columns, values, strict=True))
        return PLACE.sub(lambda match: by_name[match[1]] if match[1] else match[0][0], self.template)


class Mapping(BaseModel):
    """How records become rows.

    Args:
        roles: what fills each role.
        system: a system prompt for every row that brings none of its own.
        key: the column whose values name the rows.
        split: the column that says which side a row is on.
        tags: columns kept as tags.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Format
    roles: dict[Role, Source]
    system: str = ""
    key: str | None = None
    split: str | None = None
    tags: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The kind of row these roles make, "" when they make none."""
        return kind_of(set(self.roles))

    @property
    def learned(self) -> set[str]:
        """The columns that are learned from; all others are metadata."""
        return {column for source in self.roles.values() for column in source.columns}


@dataclass
class Guess:
    """What a file was taken for, the mapping that follows, and why, in words."""

    format: Format
    mapping: Mapping
    reasons: list[str] = field(default_factory=list)


def kind_of(roles: set[Role] | set[str]) -> str:
    """The kind of row that these roles make, "" when something is missing."""
    asks = bool({"messages", "user"} & roles)
    if "chosen" in roles or "rejected" in roles:
        return "preference" if {"chosen", "rejected"} <= roles else ""
    if "label" in roles and asks:
        return "feedback" if "messages" in roles or "assistant" in roles else "label"
    if "messages" in roles or {"user", "assistant"} <= roles:
        return "chat"
    return "text" if "text" in roles and not asks else ""


class Given(BaseModel):
    """What a person gave as `--map ROLE=VALUE`, made sense of against the columns of a file."""

    roles: dict[Role, Source] = {}
    system: str = ""
    key: str | None = None
    split: str | None = None
    tags: tuple[str, ...] = ()


def read_map(texts: list[str], columns: list[str]) -> Given:
    """Makes sense of each `ROLE=VALUE`.

    VALUE is a column, or a template when it holds `{COLUMN}`; for `system` anything else is the prompt itself; for
    `tags` columns parted by commas.

    Raises:
        BadInput: an unknown role or column.
    """
    roles: dict[str, Source] = {}
    others: dict[str, str] = {}
    tags: list[str] = []
    for text in texts:
        role, value = split_role(text)
        if role == "tags":
            tags += [_column(name.strip(), columns, role) for name in value.split(",") if name.strip()]
        elif role in ("key", "split"):
            others[role] = _column(value, columns, role)
        elif role == "system" and not _names_columns(value, columns):
            others["system"] = unescape(value).strip()
        else:
            roles[role] = _source(value, columns, role)
    if "text" in roles and "label" in roles and "user" not in roles:
        roles["user"] = roles.pop("text")
    return Given.model_validate({"roles": roles, "tags": tuple(dict.fromkeys(tags)), **others})


def split_role(text: str) -> tuple[str, str]:
    """(role, value) of `ROLE=VALUE`; BadInput when it is not of that form or there is no such role."""
    role, equals, value = text.partition("=")
    role = role.strip().lower()
    role = SYNONYMS.get(role, role)
    known = (*get_args(Role), "key", "split", "tags")
    if not equals or not value.strip():
        raise BadInput(
            f"“{text}” is no mapping.", "A mapping reads ROLE=COLUMN.", f"Give for example {EXAMPLE}.", field="mapping"
        )
    if role not in known:
        raise BadInput(
            f"“{role}” is no role a column can have.",
            f"The roles are: {', '.join(known)}.",
            f"Give for example {EXAMPLE}.",
            field="mapping",
        )
    return role, value


def unescape(text: str) -> str:
    r"""`\n` and `\t` as typed in a shell, made into the characters."""
    return re.sub(r"\\[nt\\]", lambda match: ESCAPES[match[0]], text)


def _names_columns(value: str, columns: list[str]) -> bool:
    names = [name for name in PLACE.findall(value) if name]
    return value.strip() in columns or (bool(names) and all(name in columns for name in names))


def _source(value: str, columns: list[str], role: str) -> Source:
    names = [name for name in PLACE.findall(value) if name]
    if value.strip() in columns or not names:
        return Source(columns=(_column(value.strip(), columns, role),))
    meant = {name: _column(name, columns, role) for name in names}
    template = PLACE.sub(lambda match: f"{{{meant[match[1]]}}}" if match[1] else match[0], unescape(value))
    return Source(columns=tuple(dict.fromkeys(meant.values())), template=template)


def _column(name: str, columns: list[str], role: str) -> str:
    """The column of that name; in another case when only one fits so."""
    if name in columns:
        return name
    near = [column for column in columns if column.strip().lower() == name.strip().lower()]
    if len(near) == 1:
        return near[0]
    raise BadInput(
        f"There is no column “{name}” for {role}.",
        f"The columns are: {show_columns(columns)}.",
        f"Name one of them: --map {role}=COLUMN.",
        field="mapping",
    )


def show_columns(columns: list[str], most: int = 20) -> str:
    """Column names for a sentence, at most twenty of them."""
    shown = ", ".join(f"“{name if len(name) <= 40 else name[:40] + '…'}”" for name in columns[:most])
    return shown + (f" and {len(columns) - most:,} more" if len(columns) > most else "") if columns else "none"
