from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.batches.encode import IGNORED, encode_row
from studio.batches.tokenizer import ModelTokenizer
from studio.batches.view import pieces, token_view
from studio.datasets.rows import Row
from studio.errors import StudioError
from tests.studio.batches.families import assistant, user
from tests.tiny import tiny_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return ModelTokenizer.load(tiny_tokenizer(tmp_path_factory.mktemp("tiny")))


def chat(question: str, answer: str) -> Row:
    return Row("r", "chat", [user(question), assistant(answer)])


def of(view: list[tuple[str, str]], kind: str) -> str:
    return "".join(text for text, its in view if its == kind)


def test_each_token_has_its_kind(tokenizer):
    view = token_view(tokenizer, chat("Hello", "Rome 🙂"), cutoff=1000)
    assert "".join(text for text, _ in view) == tokenizer.render([user("Hello"), assistant("Rome 🙂")])
    assert of(view, "trained") == "Rome 🙂<|im_end|>"
    assert of(view, "special") == "<|im_start|><|im_end|><|im_start|>"
    assert of(view, "context") == "user\nHello\nassistant\n\n" and of(view, "cut") == ""


def test_what_is_cut_off_shows(tokenizer):
    row = chat("Hello", "The capital of Italy")
    length = len(encode_row(tokenizer, row, cutoff=1000))
    view = token_view(tokenizer, row, cutoff=length - 3)
    whole = token_view(tokenizer, row, cutoff=1000)
    assert [text for text, _ in view] == [text for text, _ in whole]
    assert [kind for _, kind in view[-3:]] == ["cut"] * 3 and view[:-3] == whole[:-3]


def test_only_the_last_answer_is_shown_as_trained_when_only_it_is(tokenizer):
    row = Row("r", "chat", [user("a"), assistant("Hello"), user("b"), assistant("Rome")])
    assert of(token_view(tokenizer, row, loss_on="last", cutoff=100), "trained") == "Rome<|im_end|>"


def test_a_text_shows_whole(tokenizer):
    view = token_view(tokenizer, Row("t", "text", text="Hello, how are you today?"), cutoff=4)
    assert of(view, "trained") == "Hello, how are you today?<|im_end|>"


def test_a_row_that_cannot_be_encoded_says_why(tokenizer):
    with pytest.raises(StudioError, match="judged bad"):
        token_view(tokenizer, Row("f", "feedback", [user("Hi"), assistant("No")], label="false"), cutoff=100)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_the_pieces_of_any_text_are_the_text_in_whole_characters(tokenizer, text):
    row = chat("x", text)
    view = token_view(tokenizer, row, cutoff=10_000)
    assert "".join(piece for piece, _ in view) == tokenizer.render([user("x"), assistant(text)])
    if "\ufffd" not in text:
        assert all("\ufffd" not in piece for piece, _ in view)


@settings(deadline=None)
@given(st.lists(st.integers(0, 511), max_size=40))
def test_the_pieces_of_any_tokens_are_their_decoded_text(tokenizer, ids):
    import numpy as np

    found = list(pieces(tokenizer, np.array(ids, np.int32)))
    assert "".join(text for text, _ in found) == tokenizer.decode(ids, special=True)
    assert [place for _, place in found] == sorted({place for _, place in found})


def test_the_view_and_the_batches_agree(tokenizer):
    row = chat("Größe?", "你好 🙂👍")
    encoded = encode_row(tokenizer, row, cutoff=1000)
    learned = encoded.labels[encoded.labels != IGNORED].tolist()
    assert of(token_view(tokenizer, row, cutoff=1000), "trained") == tokenizer.decode(learned, special=True)
