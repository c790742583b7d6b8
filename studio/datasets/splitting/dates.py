"""Dates as people write them in a column, all of a column read in one way."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

FORMS = ("%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%Y/%m/%d", "%d %b %Y",
         "%d %B %Y", "%b %d, %Y", "%B %d, %Y")  # fmt: skip
SLASHED = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2}))?)?")
# Seconds or milliseconds since 1970, of the years 1973 to 2286; a bare year.
SECONDS, MILLISECONDS = (1e8, 1e10), (1e11, 1e13)
YEAR = re.compile(r"(1[89]|20|21)\d\d")


def read_dates(texts: Sequence[str]) -> tuple[list[float | None], str]:
    """Each text as seconds since 1970, None where it is no date; and a note where an order had to be assumed.

    `03/04/2024` is read day first or month first, whichever the rest of the column shows it to be.
    """
    month_first, note = _order(texts)
    return [_seconds(text.strip(), month_first) for text in texts], note


def _order(texts: Sequence[str]) -> tuple[bool, str]:
    found = [match for text in texts if (match := SLASHED.fullmatch(text.strip()))]
    if not found:
        return False, ""
    if any(int(match[1]) > 12 for match in found):
        return False, ""
    if any(int(match[2]) > 12 for match in found):
        return True, ""
    return False, f"Dates such as {found[0][0]} are read with the day first; nothing in the column says which it is."


def _seconds(text: str, month_first: bool) -> float | None:
    if not text:
        return None
    readers: tuple[Callable[[str], datetime | None], ...] = (
        _number,
        datetime.fromisoformat,
        lambda text: _slashed(text, month_first),
        _written,
        parsedate_to_datetime,
    )
    for reader in readers:
        try:
            moment = reader(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        if moment is not None:
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return None


def _number(text: str) -> datetime | None:
    if YEAR.fullmatch(text):
        return datetime(int(text), 1, 1)
    number = float(text)
    if SECONDS[0] <= number < SECONDS[1]:
        return datetime.fromtimestamp(number, UTC)
    if MILLISECONDS[0] <= number < MILLISECONDS[1]:
        return datetime.fromtimestamp(number / 1000, UTC)
    return None


def _slashed(text: str, month_first: bool) -> datetime | None:
    match = SLASHED.fullmatch(text)
    if match is None:
        return None
    one, other = int(match[1]), int(match[2])
    day, month = (other, one) if month_first else (one, other)
    hour, minute, second = (int(part or 0) for part in match.groups()[3:])
    return datetime(int(match[3]), month, day, hour, minute, second)


def _written(text: str) -> datetime | None:
    for form in FORMS:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    return None
