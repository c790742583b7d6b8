"""Errors as the page says them: what, why, next, with boxes and fields named instead of flags."""

from __future__ import annotations

import re
from typing import Any

from studio.errors import explain

# Where the command line's advice names a flag, what a person at the page does instead.
INSTEAD = (
    (re.compile(r"leave them out with --skip-bad"), "tick the box that leaves them out"),
    (re.compile(r"Leave --(?:format|encoding) out"), "Choose “Find out by itself”"),
    (re.compile(r"name its encoding, for Windows files often --encoding (\w+)"), r"choose its encoding, often \1"),
    (re.compile(r"Try again with --encoding ([\w-]+)"), r"Choose the encoding \1"),
    (re.compile(r"take equal rows in again with --keep-equal"), "tick “Keep equal rows”"),
    (re.compile(r"Name one of them with --entry"), "Choose it under “Which dataset of the file”"),
    (re.compile(r"name the one that is meant with --entry"), "choose under “Which dataset of the file”"),
    (re.compile(r"Name one of them with --config"), "Choose it under “Configuration”"),
    (re.compile(r"say with --map what (its|their) columns mean"), r"choose under “Columns” what \1 columns mean"),
    (re.compile(r"(Allow longer answers|allow more) with --max-new-tokens"), r"\1 under “Longest answer”"),
    (re.compile(r"allow a shorter answer \(--max-new-tokens\)"), "allow a shorter one under “Longest answer”"),
)


def words(error: BaseException, by_field: dict[str, str] | None = None) -> dict[str, Any]:
    """`what`, `why`, `next`, and `field` where there is one.

    Args:
        by_field: what to do next on this page, by the field that is wrong.
    """
    told = explain(error).as_dict()
    if advice := (by_field or {}).get(told.get("field", "")):
        told["next"] = advice
    return told | {"next": plainly(told["next"])}


def plainly(text: str) -> str:
    """What a worker or a command says, with boxes named instead of flags."""
    for pattern, instead in INSTEAD:
        text = pattern.sub(instead, text)
    return text
