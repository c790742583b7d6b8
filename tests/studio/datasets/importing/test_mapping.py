"""What a person gives as --map."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.datasets.importing.mapping import Source, kind_of, read_map, show_columns, split_role
from studio.errors import BadInput

COLUMNS = ["id", "subject", "Body text", "reply", "tone"]


def test_columns_templates_prompt_key_and_tags():
    said = read_map(
        [
            r"user=Subject: {subject}\n{body text}",
            "answer=reply",
            "system=You are kind.",
            "key=ID",
            "tags=tone, subject",
        ],
        COLUMNS,
    )
    assert said.roles["user"] == Source(columns=("subject", "Body text"), template="Subject: {subject}\n{Body text}")
    assert said.roles["user"].fill(["Hi", "there"]) == "Subject: Hi\nthere"
    assert said.roles["assistant"].columns == ("reply",)
    assert (said.system, said.key, said.tags) == ("You are kind.", "id", ("tone", "subject"))


def test_a_system_prompt_may_be_a_column_a_template_or_text_with_braces():
    assert read_map(["system=tone"], COLUMNS).roles["system"].columns == ("tone",)
    assert read_map(["system=Be {tone}."], COLUMNS).roles["system"].template == "Be {tone}."
    assert read_map(['system=Answer as {"a": 1}'], COLUMNS).system == 'Answer as {"a": 1}'


def test_text_and_label_are_a_question_and_its_label():
    said = read_map(["text=subject", "label=tone"], COLUMNS)
    assert set(said.roles) == {"user", "label"}


@pytest.mark.parametrize(
    "wrong", ["user", "user=", "boss=reply", "user=replay", "user=A {nothing}", "key=none", "tags=x"]
)
def test_what_is_wrong_is_said_with_the_columns_or_roles(wrong):
    with pytest.raises(BadInput) as caught:
        read_map([wrong], COLUMNS)
    assert caught.value.why and "--map" in caught.value.next
    assert caught.value.field == "mapping"


@given(st.lists(st.text(max_size=20), min_size=2, max_size=2))
def test_templates_put_in_what_the_columns_hold_and_nothing_else(values):
    source = Source(columns=("a", "b"), template="{{a}} {a}|{b}|{a}")
    assert source.fill(values) == f"{{a}} {values[0]}|{values[1]}|{values[0]}"


def test_joined_columns_leave_out_empty_ones():
    source = Source(columns=("instruction", "input"))
    assert source.fill(["Do it", ""]) == "Do it"
    assert source.fill(["Do it", "now"]) == "Do it\nnow"


@pytest.mark.parametrize(
    ("roles", "kind"),
    [
        ({"user", "assistant"}, "chat"), ({"messages", "tools"}, "chat"), ({"user", "label"}, "label"),
        ({"messages", "label"}, "feedback"), ({"user", "assistant", "label"}, "feedback"), ({"text"}, "text"),
        ({"user", "chosen", "rejected"}, "preference"), ({"chosen", "rejected"}, "preference"),
        ({"user"}, ""), ({"assistant"}, ""), ({"user", "chosen"}, ""), ({"user", "text"}, ""), (set(), ""),
    ],
)  # fmt: skip
def test_kinds(roles, kind):
    assert kind_of(roles) == kind


def test_split_role_and_columns_in_words():
    assert split_role("Prompt=a=b") == ("user", "a=b")
    assert show_columns([f"c{n}" for n in range(5000)]).endswith("and 4,980 more")
    assert show_columns([]) == "none"
