from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backend.engine.growing import Growing


def bytewise(tokens: list[int]) -> str:
    """As byte-level tokenizers decode: what is no whole character becomes a mark of replacement."""
    return bytes(tokens).decode("utf-8", errors="replace")


@given(st.text())
def test_text_grows_by_whole_characters_and_ends_once(text: str) -> None:
    pieces: list[str] = []
    growing = Growing(bytewise, pieces.append)
    for token in text.encode():
        growing.add(token)
    assert growing.finish() == growing.finish() == text
    assert pieces[-1] == "" and pieces.count("") == 1
    assert "".join(pieces) == text
    assert all(piece in text for piece in pieces)


@given(st.text().filter(lambda text: "\ufffd" not in text), st.sampled_from("éß€語😀"))
def test_a_character_that_was_cut_off_is_marked_at_the_end_alone(text: str, last: str) -> None:
    pieces: list[str] = []
    growing = Growing(bytewise, pieces.append)
    for token in (text + last).encode()[:-1]:
        growing.add(token)
    assert growing.finish() == "".join(pieces) == bytewise(growing.tokens)
    assert not any("\ufffd" in piece for piece in pieces[:-2])


def test_nobody_is_told_of_what_nobody_watches() -> None:
    growing = Growing(bytewise, None)
    assert growing.ended is None
    for token in b"Paris":
        growing.add(token)
    assert growing.finish() == "Paris" and growing.ended is not None
