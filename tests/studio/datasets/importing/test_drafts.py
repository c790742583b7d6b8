"""From record to row: what is refused and why, and what an id is made of."""

from __future__ import annotations

import datetime
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.datasets.importing.drafts import Drafter, judgement, text_of
from studio.datasets.importing.formats import choose
from studio.datasets.importing.turns import BadRow
from studio.datasets.reading.readers import columns_of
from studio.datasets.rows import content_hash
from studio.errors import BadInput

U, A, B = ({"role": role, "content": text} for role, text in (("user", "q"), ("assistant", "a"), ("assistant", "b")))

WITH_HISTORY = {"instruction": "q", "output": "a", "history": []}


def draft(record, *given, columns=None):
    return Drafter(choose(columns or list(record), [record], list(given)).mapping).draft(record)


def digest(record, *given):
    return content_hash(draft(record, *given).learned)


@pytest.mark.parametrize(
    ("good", "bad", "words"),
    [
        ({"prompt": "q", "completion": "a"}, {"prompt": "q", "completion": " "}, "“completion” is empty"),
        ({"prompt": "q", "completion": "a"}, {"prompt": "q"}, "“completion” is missing"),
        ({"prompt": "q", "completion": "a"}, {"prompt": None, "completion": "a"}, "“prompt” is empty"),
        ({"prompt": "q", "completion": "a"}, {"prompt": ["x"], "completion": "a"}, "“prompt” is a list, not text"),
        ({"prompt": "q", "completion": "a"}, {"prompt": "q", "completion": {"x": 1}}, "an object without role"),
        ({"text": "q", "label": "a"}, {"text": "q", "label": ""}, "“label” is empty"),
        ({"messages": [U, A], "label": True}, {"messages": [U, A], "label": "maybe"}, "neither true nor false"),
        ({"messages": [U, A], "label": True}, {"messages": [U, A]}, "“label” is missing"),
        ({"messages": [U, A]}, {"messages": None}, "“messages” is empty"),
        ({"prompt": "q", "chosen": "a", "rejected": "b"}, {"prompt": "q", "chosen": "a", "rejected": "a"}, "the same"),
        ({"prompt": "q", "chosen": "a", "rejected": "b"}, {"prompt": "q", "chosen": "a"}, "“rejected” is missing"),
        ({"chosen": [U, A], "rejected": [U, B]}, {"chosen": [U, A], "rejected": [A]}, "no prompt"),
        ({"prompt": [U], "chosen": [A], "rejected": [B]}, {"prompt": [U], "chosen": [U], "rejected": [B]}, "is empty"),
        ({"text": "words"}, {"text": "\n"}, "“text” is empty"),
        (WITH_HISTORY, WITH_HISTORY | {"history": ["x"]}, "pairs"),
        ({"instruction": "q", "input": "", "output": "a"}, {"output": "a"}, "“instruction” and “input” are missing"),
    ],
)  # fmt: skip
def test_bad_rows_say_why(good, bad, words):
    drafter = Drafter(choose(list(good), [good], []).mapping)
    drafter.draft(good)
    with pytest.raises(BadRow) as caught:
        drafter.draft(bad)
    assert words in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "x", "user", "gpt", "[{", "[]"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["role", "from", "content", "value", "tool_calls", "function", "name",
                                       "arguments", "messages", "type", "text", "id"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
NAMES = st.sampled_from(
    ["messages", "conversations", "prompt", "completion", "instruction", "input", "output", "chosen", "rejected",
     "label", "text", "tools", "system", "history", "split", "domain", "question", "answer"]
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(records=st.lists(st.dictionaries(NAMES, JSON, min_size=1, max_size=5), min_size=1, max_size=3))
def test_any_record_is_a_row_or_has_a_reason(records):
    try:
        drafter = Drafter(choose(columns_of(records), records, []).mapping)
    except BadInput as error:
        assert error.what and error.why and error.next
        return
    for record in records:
        try:
            made = drafter.draft(record)
        except BadRow as error:
            assert str(error)
            continue
        assert len(content_hash(made.learned)) == 10
        assert made.messages or made.text


def test_an_empty_key_is_a_bad_row():
    with pytest.raises(BadRow, match="key"):
        draft({"prompt": "q", "completion": "a", "id": " "}, "key=id")


def test_the_hash_is_of_what_is_learned_and_of_nothing_else():
    record = {"subject": "s", "body": "b", "reply": "r", "n": 1}
    plain = digest(record, r"user={subject}\n{body}", "assistant=reply")
    for maps in (
        ["user=Re {body} ({subject})", "assistant=reply"],
        [r"user={subject}\n{body}", "assistant=reply", "system=Be kind."],
        [r"user={subject}\n{body}", "assistant=Dear you, {reply}"],
    ):
        assert digest(record, *maps) == plain
    assert digest(record | {"n": 2}, r"user={subject}\n{body}", "assistant=reply") == plain
    assert digest(record | {"body": "c"}, r"user={subject}\n{body}", "assistant=reply") != plain
    assert digest(record, "user=subject", "assistant=reply") != plain


def test_the_hash_of_a_conversation_does_not_see_how_it_was_stored():
    one = digest({"messages": [U, A]})
    assert digest({"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}) == one
    assert digest({"messages": [U | {"name": None, "tool_calls": None}, A]}) == one
    assert digest({"messages": [U, A], "label": True}) != digest({"messages": [U, A], "label": False})
    assert digest({"messages": [U, A], "tools": '[{"name": "f"}]'}) != one


def test_a_system_prompt_of_the_row_wins_over_the_sets():
    system = {"role": "system", "content": "own"}
    assert draft({"messages": [system, U, A]}, "system=Set").messages[0] == system
    assert draft({"messages": [U, A], "system": "own"}, "tags=system").messages[0] == system
    assert draft({"messages": [U, A]}, "system=Set").messages[0]["content"] == "Set"


def test_cells_as_text():
    assert [text_of(value, "c") for value in (None, True, 3, 2.5, math.nan, " x ")] == [
        "",
        "true",
        "3",
        "2.5",
        "",
        " x ",
    ]
    assert text_of(datetime.date(2026, 1, 2), "c") == "2026-01-02"
    for wrong in ([1], {"a": 1}, b"x"):
        with pytest.raises(BadRow):
            text_of(wrong, "c")
    assert [judgement(value) for value in (True, 1, "Yes", 0.0, "BAD", "meh", None)] == [
        True, True, True, False, False, None, None,
    ]  # fmt: skip
