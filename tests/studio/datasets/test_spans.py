"""Marked words are kept while they stand where the mark says; what a file has under their name may be anything."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from studio.datasets.rows import Row
from studio.datasets.spans import MARKED, marked, spans_of

ANNA = {"of": "messages", "at": 0, "start": 0, "end": 4, "label": "Person", "text": "Anna"}


def row(**extra: Any) -> Row:
    return Row("a" * 20, "chat", [{"role": "user", "content": "Anna is here."}], extra=extra)


def test_marks_go_with_their_words():
    one = marked(row(), [ANNA, {**ANNA, "text": "Anne"}, {**ANNA, "at": 7}])
    assert spans_of(one) == [ANNA]
    other = replace(one, messages=[{"role": "user", "content": "Ben is here."}])
    assert MARKED not in marked(other, None).extra


@pytest.mark.parametrize(
    "held",
    ["words", 3, {"of": "messages"}, [ANNA, "x"], [{**ANNA, "start": None}], [{**ANNA, "end": "4"}],
     [{**ANNA, "at": "first"}], [{**ANNA, "of": ["messages"]}], [{name: ANNA[name] for name in ("of", "at")}]],
)  # fmt: skip
def test_a_column_of_that_name_that_holds_something_else_stays(held):
    one = row(marked=held)
    assert spans_of(one) == [] and marked(one, None) == one
