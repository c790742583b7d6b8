from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from studio.batches.encode import IGNORED, Encoded, encode_row
from studio.batches.labels import LossOn
from studio.batches.tokenizer import ModelTokenizer
from studio.batches.turns import MARK
from studio.datasets.rows import Row
from studio.errors import BadInput
from tests.studio.batches.families import CALL, CONVERSATIONS, FAMILIES, TAGGED, TOOL, Family, assistant, system, user
from tests.tiny import tiny_tokenizer

ROOMY = 10**6
BY_NAME = {family.name: family for family in FAMILIES}


@pytest.fixture(scope="session")
def load(tmp_path_factory):
    @cache
    def loaded(name: str) -> tuple[ModelTokenizer, Path]:
        folder = BY_NAME[name].write(tmp_path_factory.mktemp(name))
        return ModelTokenizer.load(folder), folder

    return loaded


def encoded(tokenizer: ModelTokenizer, messages: list, tools: list | None = None, loss_on: LossOn = "all") -> Encoded:
    return encode_row(tokenizer, Row("r", "chat", messages, tools), loss_on=loss_on, cutoff=ROOMY)


def learned(tokenizer: ModelTokenizer, row: Encoded) -> list[str]:
    """The learned texts: each unbroken run of labels, decoded."""
    runs: list[list[int]] = [[]]
    for label, token in zip(row.labels, row.ids, strict=True):
        assert label in (IGNORED, token)
        if label == IGNORED:
            runs.append([])
        else:
            runs[-1].append(int(label))
    return [tokenizer.decode(run, special=True) for run in runs if run]


def expected(family: Family, messages: list) -> list[str]:
    turns = [number for number, message in enumerate(messages) if message["role"] == "assistant"]
    return [family.learned(messages[number]["content"], number == len(messages) - 1) for number in turns]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_exactly_the_answers_with_their_ends_are_learned(load, family, name):
    if (name == "system" and not family.system) or (name == "first" and not family.first):
        pytest.skip("the template refuses such conversations")
    tokenizer, _ = load(family.name)
    messages = CONVERSATIONS[name]
    answers = expected(family, messages)
    assert learned(tokenizer, encoded(tokenizer, messages)) == answers
    assert learned(tokenizer, encoded(tokenizer, messages, loss_on="last")) == answers[-1:]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_answers_of_weight_nought_are_said_and_not_learned(load, family):
    tokenizer, _ = load(family.name)
    messages = [user("a"), assistant("one"), user("b"), assistant("two"), user("c"), assistant("three")]
    answers = expected(family, messages)
    for left in ({1}, {3}, {5}, {1, 5}):
        marked = [message | ({"weight": 0} if at in left else {}) for at, message in enumerate(messages)]
        kept = [answer for at, answer in zip((1, 3, 5), answers, strict=True) if at not in left]
        assert learned(tokenizer, encoded(tokenizer, marked)) == kept


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_the_token_that_closes_answers_stops_the_model(load, family):
    tokenizer, _ = load(family.name)
    if family.end:
        assert tokenizer.backend.token_to_id(family.end) in tokenizer.stop_ids


@pytest.mark.parametrize("name", TAGGED)
def test_labels_of_tagged_templates_are_those_of_transformers(load, name):
    tokenizer, folder = load(name)
    theirs = AutoTokenizer.from_pretrained(folder)
    for messages in CONVERSATIONS.values():
        # Transformers leaves out all but the first byte of a character that ends a block and has several tokens.
        plain = [{**message, "content": message["content"].replace("🙂", "x")} for message in messages]
        out = theirs.apply_chat_template(plain, return_dict=True, return_assistant_tokens_mask=True)
        ours = encoded(tokenizer, plain)
        assert ours.ids.tolist() == out["input_ids"]
        assert (ours.labels != IGNORED).astype(int).tolist() == out["assistant_masks"]


TOOL_TALK = [
    user("Köln?"),
    assistant("", tool_calls=[CALL]),
    {"role": "tool", "name": "get_weather", "content": "sunny"},
    assistant("It is sunny."),
    user("Thanks"),
    assistant("Welcome"),
]


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("llama3", '{"name": "get_weather", "parameters": {"city": "Köln"}}<|eot_id|>'),
        ("mistral", '[TOOL_CALLS][{"name": "get_weather", "arguments": {"city": "Köln"}}]</s>'),
        ("qwen3", '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Köln"}}\n</tool_call><|im_end|>'),
    ],
)
@pytest.mark.parametrize("opening", [[], [system("Be nice.")]])
def test_tool_calls_are_learned_and_their_results_are_not(load, name, call, opening):
    tokenizer, _ = load(name)
    family = BY_NAME[name]
    row = encoded(tokenizer, [*opening, *TOOL_TALK], [TOOL])
    rest = [family.learned("It is sunny.", False), family.learned("Welcome", True)]
    assert learned(tokenizer, row) == [call, *rest]


@pytest.mark.parametrize("family", [family for family in FAMILIES if family.name not in TAGGED], ids=lambda f: f.name)
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_answers_are_found_where_nothing_begins_as_the_whole_does(tmp_path, family, name):
    if (name == "system" and not family.system) or (name == "first" and not family.first):
        pytest.skip("the template refuses such conversations")
    counted = replace(family, text="{{ messages | length }}" + family.source)
    tokenizer = ModelTokenizer.load(counted.write(tmp_path))
    messages = [*CONVERSATIONS[name], user(MARK), assistant(f"{MARK} {MARK}")]
    assert learned(tokenizer, encoded(tokenizer, messages)) == expected(family, messages)


THINKING_CALLS = """
{%- for m in messages %}
    {%- if m.role == 'assistant' %}
        {{- '<|im_start|>assistant\n' }}
        {%- if loop.last %}{{- '<think>\n\n</think>\n\n' }}{% endif %}
        {{- m.content }}
        {%- for call in m.tool_calls or [] %}{{- '<tool_call>' + call.function | tojson + '</tool_call>' }}{% endfor %}
        {{- '<|im_end|>\n' }}
    {%- else %}
        {{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n<think>\n' }}{% endif %}"""


def test_a_call_after_a_prompt_to_think_is_learned_from_its_first_token(tmp_path):
    special = ("<pad>", "<|im_start|>", "<|im_end|>", "<think>", "</think>", "<tool_call>", "</tool_call>")
    folder = tiny_tokenizer(tmp_path, template=THINKING_CALLS, special=special, pad="<pad>")
    tokenizer = ModelTokenizer.load(folder)
    assert learned(tokenizer, encoded(tokenizer, TOOL_TALK)) == [
        '<tool_call>{"name": "get_weather", "arguments": {"city": "Köln"}}</tool_call><|im_end|>',
        "It is sunny.<|im_end|>",
        "\n</think>\n\nWelcome<|im_end|>",
    ]
    answers = tokenizer.answers().find(TOOL_TALK)
    assert answers.text[slice(*answers.spans[0])].startswith("<tool_call>")


def test_thinking_is_learned_where_nothing_begins_as_the_whole_does(tmp_path):
    counted = replace(BY_NAME["qwen3"], text="{{ messages | length }}" + BY_NAME["qwen3"].source)
    tokenizer = ModelTokenizer.load(counted.write(tmp_path))
    messages = CONVERSATIONS["thinking"]
    assert learned(tokenizer, encoded(tokenizer, messages)) == expected(counted, messages)


def test_a_call_that_is_shortened_later_is_refused(tmp_path):
    template = (
        "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% for call in m.tool_calls or [] %}"
        "{{ call.function.name }}"
        "{{ '(' + call.function.arguments.city + ')' if loop.last and messages[-1] == m }}{% endfor %};{% endfor %}"
    )
    tokenizer = ModelTokenizer.load(tiny_tokenizer(tmp_path, template=template))
    with pytest.raises(BadInput, match="the end of its tool call"):
        encoded(tokenizer, TOOL_TALK)
    assert "(Köln);" in learned(tokenizer, encoded(tokenizer, TOOL_TALK[:2]))[0]


def test_a_call_that_the_template_leaves_out_is_refused(load):
    for name in ("tiny", "phi3", "gemma"):
        tokenizer, _ = load(name)
        with pytest.raises(BadInput) as refusal:
            encoded(tokenizer, [user("Köln?"), assistant("", tool_calls=[CALL])], [TOOL])
        assert "leaves out its tool call" in refusal.value.why and refusal.value.next


@pytest.mark.parametrize(
    ("template", "why"),
    [
        (
            "{% for m in messages %}{{ m.content | upper if m.role == 'assistant' else m.content }}\n{% endfor %}",
            "rewrites it",
        ),
        ("{% for m in messages %}{{ m.role }}: {{ m.content }}{{ m.content }}\n{% endfor %}", "more than once"),
        ("{% for m in messages if m.role == 'user' %}{{ m.content }}\n{% endfor %}", "leaves it out or"),
        (
            "{{ messages | length }}{% for m in messages %}{{ m.content | length }}:{{ m.content }}\n{% endfor %}",
            "depending on its words",
        ),
        (
            "{{ messages | length }}{% for m in messages %}[{{ m.role }}]{{ m.content }}</s>{% endfor %}"
            "{% if add_generation_prompt %}Now![assistant]{% endif %}",
            "its beginning can't be told",
        ),
        ("{% for m in messages[::-1] %}{{ m.role }}: {{ m.content }}\n{% endfor %}", ""),
    ],
)
def test_what_cannot_be_told_apart_is_refused(tmp_path, template, why):
    tokenizer = ModelTokenizer.load(tiny_tokenizer(tmp_path, template=template))
    with pytest.raises(BadInput) as refusal:
        encoded(tokenizer, [user("Why?"), assistant("Hello"), user("And?"), assistant("Rome, of course")])
    assert why in refusal.value.why and refusal.value.next


@pytest.mark.parametrize(
    ("template", "messages", "who"),
    [
        # As some Mistral models do: the system prompt is only written when the conversation ends with a question.
        (
            "{% for m in messages if m.role != 'system' %}{% if loop.last and m.role == 'user' %}"
            "{{ messages[0].content }}"
            "{% endif %}[{{ m.role }}]{{ m.content }}</s>{% endfor %}",
            [system("Be nice."), user("Hi"), assistant("Hello")],
            "system",
        ),
        (
            "{% for m in messages if m.role in ('user', 'assistant') %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}",
            [user("Köln?"), assistant("Let me see."), {"role": "tool", "content": "sunny"}, assistant("Sun.")],
            "tool",
        ),
    ],
)
def test_a_conversation_that_does_not_reach_the_model_whole_is_refused(tmp_path, template, messages, who):
    tokenizer = ModelTokenizer.load(tiny_tokenizer(tmp_path, template=template))
    with pytest.raises(BadInput) as refusal:
        encoded(tokenizer, messages)
    assert "does not reach" in refusal.value.what and who in refusal.value.why and refusal.value.next


def test_a_tool_result_written_as_json_reaches_the_model(load):
    tokenizer, _ = load("llama3")
    talk = [user("Köln?"), assistant("", tool_calls=[CALL]), {"role": "tool", "content": 'a "b"\nü'}, assistant("Sun")]
    assert encoded(tokenizer, talk, [TOOL]).trained


words = st.text(st.characters(codec="utf-8", exclude_characters="\ufffd"), max_size=30)


@settings(deadline=None)
@given(contents=st.lists(words, min_size=2, max_size=6))
def test_the_labels_of_any_content_are_the_content_and_its_end(load, contents):
    messages = [user(text) if number % 2 == 0 else assistant(text) for number, text in enumerate(contents)]
    if len(messages) % 2:
        messages.pop()
    for name in ("tiny", "plain", "llama3", "gemma", "phi3", "qwen3", "command", "harmony", "tagged"):
        tokenizer, _ = load(name)
        row = encoded(tokenizer, messages)
        family = BY_NAME[name]
        text, spans = tokenizer.render(messages), tokenizer.answers().find(messages).spans
        assert [text[start:end] for start, end in spans] == expected(family, messages)
        assert row.trained >= len(spans)


def test_a_token_that_joins_header_and_answer_is_learned_with_the_answer(tmp_path):
    folder = BY_NAME["tagged"].write(tmp_path)
    backend = ModelTokenizer.load(folder).backend
    backend.add_tokens(["\n\n"])
    backend.save(str(folder / "tokenizer.json"))
    messages = [user("x"), assistant("\nHello")]
    out = AutoTokenizer.from_pretrained(folder).apply_chat_template(
        messages, return_dict=True, return_assistant_tokens_mask=True
    )
    row = encoded(ModelTokenizer.load(folder), messages)
    assert learned(ModelTokenizer.load(folder), row) == ["\n\nHello<|im_end|>"]
    assert (row.labels != IGNORED).astype(int).tolist() == out["assistant_masks"]


def test_a_call_that_a_tagged_template_leaves_out_is_refused(load):
    tokenizer, _ = load("tagged")
    with pytest.raises(BadInput, match="leaves out its tool call"):
        encoded(tokenizer, [user("Köln?"), assistant("", tool_calls=[CALL])], [TOOL])
