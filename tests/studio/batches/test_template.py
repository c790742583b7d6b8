from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.utils.chat_template_utils import render_jinja_template

from studio.batches.template import ChatTemplate
from studio.errors import BadInput
from tests.studio.batches.families import CALL, CONVERSATIONS, FAMILIES, TOOL, assistant, user

VARIABLES = {"bos_token": "<s>", "eos_token": "</s>"}
NOW = datetime(2026, 11, 22)


def theirs(source: str, messages: list[dict], **more: object) -> str:
    return render_jinja_template([messages], chat_template=source, **VARIABLES, **more)[0][0]


def ours(source: str) -> ChatTemplate:
    return ChatTemplate(source, VARIABLES, datetime.now())


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
@pytest.mark.parametrize("prompt", [False, True])
def test_every_template_renders_as_in_transformers(family, prompt):
    template = ours(family.source)
    for messages in CONVERSATIONS.values():
        try:
            expected = theirs(family.source, messages, add_generation_prompt=prompt)
        except Exception:
            with pytest.raises(BadInput):
                template.render(messages, None, prompt)
        else:
            assert template.render(messages, None, prompt) == expected


@pytest.mark.parametrize("family", [family for family in FAMILIES if family.tools], ids=lambda family: family.name)
def test_tools_and_calls_render_as_in_transformers(family):
    messages = [user("Köln?"), {"role": "assistant", "tool_calls": [CALL]}, {"role": "tool", "content": "<sun> & 20°"}]
    expected = theirs(family.source, messages, tools=[TOOL], add_generation_prompt=True)
    assert ours(family.source).render(messages, [TOOL], True) == expected
    assert "Köln" in expected
    if family.name == "llama3":
        assert "\\u" not in expected and "<sun> & 20°" in expected


FEATURES = """
{%- set ns = namespace(n=0, self=1) %}
{%- for m in messages %}
    {%- if m.role == 'skip' %}{% continue %}{% endif %}
    {%- if loop.index > 3 %}{% break %}{% endif %}
    {%- set ns.n = ns.n + 1 %}
    {{ m.content | tojson(indent=2, sort_keys=true) }}
  {% if m.content is string %}
    x{{ ns.n }}
  {% endif %}
{%- endfor %}
{{ dict(a=1) | tojson }}
{{ dict.fromkeys('ab', 1) }} {{ documents is none }} {{ tools is none }} {{ unknown is defined }}
{{ strftime_now("%Y") }} {{ bos_token }} {{ [1, 2] | tojson(separators=(',', ':')) }} {{ 'ü<' | tojson }}
"""


def test_filters_globals_and_loop_controls_are_those_of_transformers():
    messages = [{"role": "a", "content": {"b": "<ü>", "a": 1}}, {"role": "skip"}, user("y"), user("z"), user("w")]
    assert ours(FEATURES).render(messages) == theirs(FEATURES, messages)


@pytest.mark.parametrize("name", ["reasoning_content", "thinking", "reasoning"])
def test_reasoning_is_found_under_each_of_its_names(name):
    source = "{{ messages[0].reasoning_content }}|{{ messages[0].thinking }}|{{ messages[0].content is defined }}"
    messages = [{"role": "assistant", "content": None, name: "hm"}]
    assert ours(source).render(messages) == "hm|hm|False" == theirs(source, [{"role": "assistant", name: "hm"}])


@pytest.mark.parametrize(
    "source",
    [
        "{{ messages.__class__ }}{{ ''.__class__.__mro__ }}",
        "{{ messages.append(1) }}",
        "{% set ns = namespace(_x=1) %}",
        "{% set ns = namespace() %}{% set ns['_x'] = 1 %}",
        "{{ dict.__init__.__globals__ }}",
        "{{ namespace.__init__.__globals__ }}",
        "{{ strftime_now.__self__ }}",
    ],
)
def test_a_template_reaches_nothing_outside(source):
    try:
        text = ours(source).render([user("x")])
    except BadInput:
        return
    assert "class" not in text and "object" not in text and "globals" not in text and "20" not in text


def test_the_words_of_a_refusing_template_are_kept():
    with pytest.raises(BadInput) as refusal:
        ours("{{ raise_exception('System role not supported') }}").render([user("x")])
    assert refusal.value.why == "System role not supported"


def test_an_invalid_template_is_refused():
    with pytest.raises(BadInput) as refusal:
        ours("{% for %}")
    assert "jinja2" in refusal.value.why and "--template" in refusal.value.next


def test_the_time_is_the_one_given():
    assert ChatTemplate("{{ strftime_now('%d %b %Y') }}", {}, NOW).render([user("x")]) == "22 Nov 2026"


def test_answers_are_tracked_as_in_transformers():
    messages = [user("Hi"), assistant("Grüße"), user("x"), assistant("🙂")]
    for name in ("tagged", "parts"):
        source = (Path(__file__).parent / "templates" / f"{name}.jinja").read_text()
        texts, spans = render_jinja_template([messages], chat_template=source, return_assistant_tokens_mask=True)
        assert ours(source).tracks_answers
        assert ours(source).render_tracked(messages) == (texts[0], spans[0])
    assert not ours("{{ '{% generation %}' }}").tracks_answers


@settings(deadline=None)
@given(st.lists(st.text(), min_size=1, max_size=4))
def test_any_content_renders_as_in_transformers(contents):
    messages = [user(text) if number % 2 == 0 else assistant(text) for number, text in enumerate(contents)]
    for family in FAMILIES:
        if family.name in ("llama3", "qwen3", "tagged", "zephyr"):
            assert ours_cached(family.source).render(messages) == theirs(family.source, messages)


cache: dict[str, ChatTemplate] = {}


def ours_cached(source: str) -> ChatTemplate:
    return cache.setdefault(source, ours(source))


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_json_in_templates_is_plain_json(value):
    template = ours_cached("{{ messages[0].content | tojson }}")
    rendered = template.render([{"role": "user", "content": {"v": value}}])
    assert json.loads(rendered) == {"v": value}
