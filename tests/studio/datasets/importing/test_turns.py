"""Conversations of many makes become one form, or say what is wrong with them."""

from __future__ import annotations

import json

import pytest

from studio.datasets.importing.turns import BadRow, check_order, is_turns, read_tools, read_turns

WEATHER = {"type": "function", "function": {"name": "weather", "arguments": {"city": "Bern"}}}


def said(role, content, **more):
    return {"role": role, "content": content, **more}


@pytest.mark.parametrize(
    "value",
    [
        [{"role": "developer", "content": "s"}, {"role": "user", "content": "q"},
         {"role": "assistant", "content": "a"}],
        [{"from": "system", "value": "s"}, {"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}],
        [{"role": "System", "content": [{"type": "text", "text": "s"}]}, {"role": "USER", "content": ["q"]},
         {"role": "model", "content": {"type": "output_text", "text": "a"}}],
        {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"},
                      {"role": "assistant", "content": "a", "tool_calls": None, "name": None}]},
    ],
)  # fmt: skip
def test_one_form(value):
    wanted = [said("system", "s"), said("user", "q"), said("assistant", "a")]
    assert read_turns(value, "messages") == wanted
    assert read_turns(json.dumps(value), "messages") == wanted
    assert is_turns(value) and is_turns(json.dumps(value)) == isinstance(value, list)


def test_calls_of_sharegpt_and_openai_are_the_same():
    call = {"name": "weather", "arguments": {"city": "Bern"}}
    sharegpt = [
        {"from": "human", "value": "q"},
        {"from": "gpt", "value": "Let me see."},
        {"from": "function_call", "value": json.dumps(call | {"arguments": json.dumps(call["arguments"])})},
        {"from": "observation", "value": "sun"},
        {"from": "gpt", "value": "Sun."},
    ]
    openai = [
        said("user", "q"),
        said("assistant", "Let me see.", tool_calls=[{"type": "function", "function": call}]),
        said("tool", "sun"),
        said("assistant", "Sun."),
    ]
    assert read_turns(sharegpt, "c") == read_turns(openai, "m") == [
        said("user", "q"), said("assistant", "Let me see.", tool_calls=[WEATHER]), said("tool", "sun"),
        said("assistant", "Sun."),
    ]  # fmt: skip
    check_order(read_turns(openai, "m"))


@pytest.mark.parametrize("key", ["reasoning_content", "thinking", "reasoning"])
def test_reasoning_stays_with_its_answer(key):
    assert read_turns([said("assistant", "a", **{key: "hm"})], "m") == [said("assistant", "a", reasoning_content="hm")]
    assert read_turns([said("user", "q", **{key: "hm"})], "m") == [said("user", "q")]


def test_parallel_calls_ids_and_the_old_function_call():
    calls = [{"id": "c1", "function": {"name": "weather", "arguments": '{"city": "Bern"}'}}, {"name": "time"}]
    (turn,) = read_turns([said("assistant", None, tool_calls=calls)], "m")
    assert turn["tool_calls"] == [
        WEATHER | {"id": "c1"}, {"type": "function", "function": {"name": "time", "arguments": {}}},
    ]  # fmt: skip
    (old,) = read_turns(
        [said("assistant", None, function_call={"name": "weather", "arguments": '{"city":"Bern"}'})], "m"
    )
    assert old["tool_calls"] == [WEATHER]
    (answer,) = read_turns([said("tool", "x", tool_call_id="c1", name="weather")], "m")
    assert answer == said("tool", "x", tool_call_id="c1", name="weather")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (3, "is a number"),
        ([], "no turns"),
        ("plain words", "not valid JSON"),
        (["x"], "turn 1 is a text"),
        ([{"content": "x"}], "turn 1 says no role"),
        ([{"role": "boss", "content": "x"}], "unknown role “boss”"),
        ([{"role": ["user"], "content": "x"}], "unknown role"),
        ([said("user", 5)], "turn 1 is a number"),
        ([said("user", [{"type": "image_url", "image_url": {"url": "x"}}])], "a picture"),
        ([said("user", [{"type": "input_audio", "input_audio": {}}])], "a sound recording"),
        ([said("user", [{"type": "riddle"}])], "“riddle”"),
        ([{"from": "function_call", "value": "not json"}], "not valid JSON"),
        ([said("assistant", "", tool_calls=[{"function": {}}])], "names no function"),
        ([said("assistant", "", tool_calls=[{"name": "f", "arguments": "[1]"}])], "not an object"),
        ([said("assistant", "", tool_calls=[5])], "names no function"),
    ],
)
def test_what_is_no_conversation_says_why(value, words):
    with pytest.raises(BadRow) as caught:
        read_turns(value, "messages")
    assert words in str(caught.value)


def test_tools():
    bare = {"name": "weather", "parameters": {"type": "object"}}
    wanted = [{"type": "function", "function": bare}]
    for value in (bare, [bare], json.dumps([bare]), wanted, json.dumps(wanted)):
        assert read_tools(value, "tools") == wanted
    for empty in (None, "", " ", [], "[]"):
        assert read_tools(empty, "tools") is None
    for wrong in ("no json", ["x"], [{"x": 1}]):
        with pytest.raises(BadRow):
            read_tools(wrong, "tools")


U, A, S, T = said("user", "u"), said("assistant", "a"), said("system", "s"), said("tool", "")
CALL = said("assistant", "", tool_calls=[WEATHER])


@pytest.mark.parametrize(
    "turns", [[U, A], [S, U, A, U, A], [U, CALL, T, T, A], [U, CALL], [S, U, CALL, T, CALL, T, A, U, A]]
)
def test_good_orders(turns):
    check_order(turns)
    check_order([*turns[:-1], U] if turns[-2]["role"] != "user" else turns[:-1], "user")


@pytest.mark.parametrize(
    ("turns", "words"),
    [
        ([A], "begins with an assistant turn"),
        ([S, A], "begins with an assistant turn"),
        ([U], "nothing to learn"),
        ([U, A, U], "last turn is the user's"),
        ([U, U, A], "turns 1 and 2 are both the user's"),
        ([U, A, A], "turns 2 and 3 are both the assistant's"),
        ([U, S, A], "turn 2 is a system turn"),
        ([U, T, A], "no call comes before"),
        ([U, A, T, A], "no call comes before"),
        ([U, CALL, T], "last turn is the tool's"),
        ([U, said("assistant", " \n")], "turn 2 (assistant) is empty"),
        ([said("user", ""), A], "turn 1 (user) is empty"),
        ([S], "no user turn"),
    ],
)
def test_wrong_orders_say_where(turns, words):
    with pytest.raises(BadRow) as caught:
        check_order(turns)
    assert words in str(caught.value)


def test_a_prompt_ends_before_the_answer():
    with pytest.raises(BadRow, match="ends with an assistant turn"):
        check_order([U, A], "user")
