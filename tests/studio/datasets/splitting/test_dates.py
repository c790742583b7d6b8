"""Dates as they stand in columns."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.datasets.splitting.dates import read_dates

DAY = datetime(2026, 3, 31, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "text",
    ["2026-03-31", "2026-03-31T00:00:00Z", "31.03.2026", "31/03/2026", "03/31/2026", "31 March 2026", "Mar 31, 2026",
     "Tue, 31 Mar 2026 00:00:00 +0000", str(int(DAY)), str(int(DAY * 1000)), "2026/03/31", " 2026-03-31 00:00 "],
)  # fmt: skip
def test_one_day_in_many_ways(text):
    assert read_dates([text]) == ([DAY], "")


def test_the_column_shows_whether_the_day_or_the_month_is_first():
    dates, note = read_dates(["03/04/2026", "03/31/2026"])
    assert note == "" and dates[0] == datetime(2026, 3, 4, tzinfo=UTC).timestamp()
    dates, note = read_dates(["03/04/2026", "05/06/2026"])
    assert "day first" in note and dates[0] == datetime(2026, 4, 3, tzinfo=UTC).timestamp()


def test_what_is_no_date_is_none():
    assert read_dates(["", "soon", "42", "99/99/2026", "2026-13-01"])[0] == [None] * 5
    assert read_dates(["1987"])[0] == [datetime(1987, 1, 1, tzinfo=UTC).timestamp()]


@given(st.lists(st.text(max_size=30), max_size=20))
def test_anything_can_stand_in_a_column(texts):
    assert len(read_dates(texts)[0]) == len(texts)
