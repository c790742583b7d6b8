from __future__ import annotations

from pathlib import Path

import pytest

from studio.batches.tokenizer import ModelTokenizer, load_tokenizer
from studio.datasets.importing.mapping import Mapping
from studio.datasets.importing.prompts import Asker, question
from studio.datasets.importing.turns import BadRow
from studio.datasets.rows import Row

ASK = {"role": "user", "content": "Where is my parcel?"}
SAY = {"role": "assistant", "content": "On its way."}


@pytest.fixture
def tokenizer(tiny: Path) -> ModelTokenizer:
    return load_tokenizer(tiny)


def test_the_last_answer_is_expected_after_all_that_came_before(tokenizer: ModelTokenizer) -> None:
    more = {"role": "user", "content": "And when?"}
    last = {"role": "assistant", "content": "Tomorrow."}
    asked = question(Row("a", "chat", [ASK, SAY, more, last]), tokenizer)
    assert asked is not None
    assert (asked.messages, asked.expected) == ([ASK, SAY, more], "Tomorrow.")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (Row("a", "label", [ASK], label="delivery"), "delivery"),
        (Row("a", "preference", [ASK], chosen=[SAY], rejected=[ASK]), "On its way."),
        (Row("a", "feedback", [ASK, SAY], label="true"), "On its way."),
        (Row("a", "feedback", [ASK, SAY], label="false"), None),
        (Row("a", "text", text="Once upon a time"), None),
        (Row("a", "chat", [ASK]), None),
    ],
)
def test_kinds_of_rows_and_what_they_expect(tokenizer: ModelTokenizer, row: Row, expected: str | None) -> None:
    asked = question(row, tokenizer)
    assert (asked.expected if asked else None) == expected
    assert asked is None or asked.messages == [ASK]


def test_an_answer_that_calls_tools_is_expected_as_the_template_writes_it(tmp_path: Path) -> None:
    from tests.tiny import tiny_tokenizer

    template = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}"
        "{% for call in m.tool_calls or [] %}CALL {{ call.function.name }}({{ call.function.arguments | tojson }})"
        "{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    tokenizer = load_tokenizer(tiny_tokenizer(tmp_path / "tools", template=template))
    call = {"type": "function", "function": {"name": "track", "arguments": {"number": 7}}}
    answer = {"role": "assistant", "content": "", "tool_calls": [call]}
    asked = question(Row("a", "chat", [ASK, answer], tools=[{"type": "function"}]), tokenizer)
    assert asked is not None
    assert asked.expected.strip() == 'CALL track({"number": 7})'


def mapping(**roles: str) -> Mapping:
    return Mapping.model_validate(
        {
            "format": "mapped",
            "system": "Be brief.",
            "roles": {role: {"columns": [column]} for role, column in roles.items()},
        }
    )


def test_a_record_is_asked_as_its_dataset_was_without_its_answer() -> None:
    asker = Asker(mapping(user="question", label="topic"))
    messages, tools = asker.prompt({"question": "Where?", "other": 3})
    assert messages == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where?"}]
    assert tools is None
    assert asker.asked_columns == ["question"]


def test_the_answer_at_the_end_of_a_conversation_is_left_out() -> None:
    asker = Asker(mapping(messages="talk"))
    messages, _ = asker.prompt({"talk": [ASK, SAY]})
    assert messages[1:] == [ASK]


def test_a_record_without_a_question_says_why() -> None:
    with pytest.raises(BadRow, match="“question” is empty"):
        Asker(mapping(user="question", label="topic")).prompt({"question": " "})
    with pytest.raises(BadRow, match="no column for the prompt"):
        Asker(mapping(text="story")).prompt({"story": "Once"})
