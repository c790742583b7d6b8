"""What a model's card (README.md) says at its head: licence and languages."""

from __future__ import annotations

import re
from pathlib import Path

HEAD_BYTES = 65_536
FIELD = re.compile(r"([A-Za-z_][\w-]*):(?:\s+(.*))?")


def read_card(path: Path) -> dict[str, list[str]]:
    """The fields of a card's head, each as a list of texts; {} without a card or without a head.

    Reads the plain part of YAML that cards use: `name: value`, `name: [a, b]` and a list of `- value` lines below.
    """
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read(HEAD_BYTES)
    except OSError:
        return {}
    lines = text.removeprefix("\ufeff").splitlines()
    if not lines or lines[0].rstrip() != "---":
        return {}
    fields: dict[str, list[str]] = {}
    last = None
    for line in lines[1:]:
        if line.rstrip() in ("---", "..."):
            return fields
        if found := FIELD.fullmatch(line.rstrip()):
            last = found[1]
            fields[last] = _values(found[2] or "")
        elif last and (item := re.fullmatch(r"\s*-\s+([^:]*)", line.rstrip())):
            fields[last] += _values(item[1])
    return {}  # the head has no end


def _values(text: str) -> list[str]:
    text = re.sub(r"\s+#.*", "", text).strip()
    if text.startswith("[") and text.endswith("]"):
        parts = text[1:-1].split(",")
    else:
        parts = [text]
    return [value for part in parts if (value := part.strip().strip("'\"").strip())]


def licence(fields: dict[str, list[str]]) -> str:
    """The licence's short name, as `apache-2.0` or `llama3.2`; "" when the card has none."""
    name = next(iter(fields.get("license", [])), "")
    if name == "other":
        return next(iter(fields.get("license_name", [])), name)
    return name


def languages(fields: dict[str, list[str]]) -> list[str]:
    """The languages' codes, as the card lists them."""
    return fields.get("language", [])
