"""Conversations whose turns stand in an order that templates refuse or that no use of the model ever makes."""

from __future__ import annotations

from collections.abc import Iterable

from studio.datasets.importing.turns import BadRow, check_order
from studio.datasets.likeness import said
from studio.doctor.findings import Found, shown
from studio.doctor.reading import NAMES, Reading


class Turns:
    """Looks at the order of the turns; empty ones are another check's."""

    def __init__(self) -> None:
        self.broken = Found("turn_order")

    def look(self, reading: Reading) -> None:
        if not reading.row.messages:
            return
        why = wrong(reading)
        if why:
            turns = [*reading.parts[0], *reading.parts[1]]
            pieces = [shown(NAMES.get(turn["role"], turn["role"]), said(turn)) for turn in turns[:6]]
            self.broken.add(reading.number, pieces=[shown("Why", f"{why[:1].upper()}{why[1:]}."), *pieces])

    def found(self) -> Iterable[Found]:
        return [self.broken] if len(self.broken) else []


def wrong(reading: Reading) -> str:
    """What is wrong with the order of a row's turns, "" when nothing is."""
    spoken = [turn if said(turn).strip() else turn | {"content": "–"} for turn in reading.row.messages or []]
    try:
        check_order(spoken, "assistant" if reading.row.kind in ("chat", "feedback") else "user")
    except BadRow as bad:
        return str(bad)
    return ""
