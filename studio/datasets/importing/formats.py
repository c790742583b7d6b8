"""What a file is: recognised by its columns, said by itself, or laid down by the mapping a person gave."""

from __future__ import annotations

import re
from typing import Any

from studio.datasets.importing.mapping import (
    EXAMPLE,
    Format,
    Given,
    Guess,
    Mapping,
    Role,
    Source,
    kind_of,
    read_map,
    show_columns,
)
from studio.datasets.importing.shapes import FINDERS, SPLITS, SYSTEMS, TAGS, TOOLS, Table
from studio.datasets.reading.records import Reader
from studio.datasets.splitting.sides import side_of
from studio.errors import BadInput


def recognise(columns: list[str], sample: list[dict[str, Any]], wanted: str = "auto") -> Guess:
    """What a file with these columns is.

    Args:
        columns: the names, in the file's order.
        sample: the values of some records.
        wanted: a format to be taken for, where a person knows better.

    Raises:
        BadInput: no format fits; names the columns and an example of the mapping to give.
    """
    table = Table(columns, sample)
    for name, (finder, needs) in FINDERS.items():
        if wanted not in ("auto", name):
            continue
        found = finder(table)
        if found:
            return _guess(table, *found)
        if wanted == name:
            raise BadInput(
                f"This file is not of the format “{name}”.",
                f"That has {needs}; the columns here are: {show_columns(columns)}.",
                f"Leave --format out, or say which columns are meant: {_example(table)}.",
                field="read_as",
            )
    raise unrecognised(table)


def unrecognised(table: Table) -> BadInput:
    if not table.columns:
        return BadInput(
            "There is no row in this file.",
            "It has no value with a name: a first line of column names alone, or a list of bare numbers or texts.",
            "Choose a file in which every row has its cells under column names.",
        )
    return BadInput(
        "It is not clear what is to be learned from this file.",
        f"Its columns are {show_columns(table.columns)}; no format the studio knows has these.",
        f"Say which column asks and which answers, for example {_example(table)}.",
        field="mapping",
    )


def _example(table: Table) -> str:
    """A mapping with two text columns of this very file, where it has them."""
    texts = [name for name in table.columns[:50] if table.share(name, lambda value: isinstance(value, str)) > 0.5]
    if len(texts) < 2:
        return EXAMPLE
    longest = sorted(texts, key=lambda name: sum(len(str(value)) for value in table.values(name)))[-2:]
    ask, answer = (name for name in texts if name in longest)
    return f"--map {_quoted('user', ask)} --map {_quoted('assistant', answer)}"


def _quoted(role: str, column: str) -> str:
    return f"{role}={column}" if re.fullmatch(r"[\w.-]+", column) else f'"{role}={column}"'


def _guess(table: Table, name: Format, roles: dict[Role, Any], reason: str) -> Guess:
    taken = {column for value in roles.values() for column in ((value,) if isinstance(value, str) else value)}
    extras: tuple[tuple[Role, tuple[str, ...]], ...] = (("system", SYSTEMS), ("tools", TOOLS))
    for role, names in extras:
        column = table.find(*names)
        if column and column not in taken and name != "text":
            roles[role] = column
            taken.add(column)
    split = table.find(*SPLITS)
    if table.share(split, lambda value: side_of(str(value)) is not None) < 1.0:
        split = None
    tags = tuple(column for tag in TAGS if (column := table.by_name.get(tag)) and column not in taken)
    tags = tuple(tag for tag in tags if table.share(tag, lambda value: not isinstance(value, (list, dict))) == 1.0)
    reasons = [reason]
    if split:
        reasons.append(f"“{split}” says which side each row is on")
    sources = {
        role: Source(columns=(value,) if isinstance(value, str) else tuple(value)) for role, value in roles.items()
    }
    return Guess(name, Mapping(format=name, roles=sources, split=split, tags=tags), reasons)


def choose(columns: list[str], sample: list[dict[str, Any]], given: list[str], wanted: str = "auto") -> Guess:
    """What a file is, with what a person gave as `--map` laid over it.

    Roles that make a row by themselves stand alone; otherwise they replace those of the recognised format.

    Raises:
        BadInput: the mapping is wrong or incomplete, or nothing was given and no format fits.
    """
    said = read_map(given, columns)
    if kind_of(set(said.roles)):
        return Guess("mapped", _overlay(Mapping(format="mapped", roles=said.roles), said), ["mapped as you said"])
    try:
        guess = recognise(columns, sample, wanted)
    except BadInput as error:
        if not said.roles or wanted != "auto":
            raise
        raise _incomplete(said, columns) from error
    mapping = _overlay(guess.mapping, said)
    if not mapping.kind:
        raise _incomplete(said, columns)
    return Guess(guess.format, mapping, guess.reasons + (["with the mapping you gave"] if given else []))


def take_for(
    reader: Reader, columns: list[str], sample: list[dict[str, Any]], given: list[str], wanted: str = "auto"
) -> Guess:
    """What a source is: what it says itself, if it does, else what it is recognised as; see `choose`."""
    known = reader.known
    if known is None or wanted not in ("auto", known.format):
        return choose(columns, sample, given, wanted)
    said = read_map(given, columns)
    if kind_of(set(said.roles)):
        return choose(columns, sample, given)
    mapping = known.mapping
    split = said.split or ("split" if "split" in columns else None)
    if split and said.split is None and any(side_of(str(values.get(split, ""))) is None for values in sample):
        split = None
    return Guess(known.format, _overlay(mapping.model_copy(update={"split": split}), said), list(known.reasons))


def _overlay(mapping: Mapping, said: Given) -> Mapping:
    roles = {**mapping.roles, **said.roles}
    if "messages" in said.roles:
        roles.pop("user", None)
    if "user" in said.roles:
        roles.pop("messages", None)
    return Mapping(
        format=mapping.format,
        roles=roles,
        system=said.system or mapping.system,
        key=said.key or mapping.key,
        split=said.split or mapping.split,
        tags=said.tags or mapping.tags,
    )


def _incomplete(said: Given, columns: list[str]) -> BadInput:
    return BadInput(
        "The mapping is not complete.",
        f"It gives {', '.join(said.roles)}; a row also needs what is asked (user or messages) and what is learned "
        f"(assistant, label, or chosen and rejected), or only text. The columns are: {show_columns(columns)}.",
        "Add the missing part, for example --map assistant=COLUMN.",
        field="mapping",
    )
