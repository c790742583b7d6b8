"""Marks of chat templates go, with the role that they name; no word of the text goes with them."""

from __future__ import annotations

import pytest

from studio.doctor.marks import pattern, removed


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("<|im_start|>user interface", "user interface"),
        ("<|im_start|>model answers are good", "model answers are good"),
        ("<start_of_turn>model trains are small", "model trains are small"),
        ("<|start_header_id|>tool box", "tool box"),
        ("<|start|>user guide", "user guide"),
        ("<|im_start|>user: hi", "user: hi"),
        ("<|im_start|>assistant\nhello", "hello"),
        ("<|im_start|>assistant \r\nhello<|im_end|>", "hello"),
        ("hello<|im_end|>\n<|im_start|>assistant", "hello"),
        ("<|im_start|>assistant<|im_sep|>hello<|im_end|>", "hello"),
        ("<|im_start|>assistant hello\nyou<|im_end|>", "hello\nyou"),
        ("<start_of_turn>model hello<end_of_turn>", "hello"),
        ("<|im_start|>user interface<end_of_turn>", "user interface"),
        ("<|start_header_id|>assistant<|end_header_id|>\n\nhello<|eot_id|>", "hello"),
        ("<|start_header_id|> assistant <|end_header_id|>hello", "hello"),
        ("<|start|>assistant<|channel|>final<|message|>hello<|end|>", "hello"),
        ("<|start|>assistant<|message|>hello", "hello"),
        ("press <|im_start|> to begin", "press to begin"),
    ],
)
def test_a_role_goes_only_where_it_is_one(text, left):
    assert removed(text, pattern(None)) == left


@pytest.mark.parametrize(
    "text",
    [
        "Yes.<|im_end|>\n<|im_start|>user\nOn Sunday too?",
        "Yes. <|im_start|>user On Sunday too?",
        "<|im_start|>user interface <|im_start|>assistant hello<|im_end|>",
    ],
)
def test_where_several_may_speak_it_is_left_to_a_person(text):
    assert removed(text, pattern(None)) is None
