"""studio/models/card.py: the head of a model's card."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.models.card import languages, licence, read_card

CARDS = [
    ("---\nlicense: apache-2.0\nlanguage:\n- en\n---\n# Hi", "apache-2.0", ["en"]),
    ("---\r\nlicense: 'mit'\r\nlanguage: [en, \"de\",fr]\r\n---\r\n", "mit", ["en", "de", "fr"]),
    ("---\nlanguage: en\nlicense: other\nlicense_name: qwen-research\n---\n", "qwen-research", ["en"]),
    ("---\nlicense: other\n---\n", "other", []),
    ("---\nlanguage:\n  - en # mostly\n  - no\ntags:\n- a\nlicense: llama3.2\n---", "llama3.2", ["en", "no"]),
    ("\ufeff---\nextra: >-\n  license: no\n  more\nlicense: gemma\n---\n", "gemma", []),
    ("---\nlicense: mit\n", "", []),
    ("# Card\n\nlicense: mit\n", "", []),
    ("", "", []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "name", "spoken"), CARDS)
def test_licence_and_languages_are_read(tmp_path: Path, text: str, name: str, spoken: list[str]) -> None:
    card = tmp_path / "README.md"
    card.write_bytes(text.encode())
    fields = read_card(card)
    assert (licence(fields), languages(fields)) == (name, spoken)


def test_no_card_says_nothing(tmp_path: Path) -> None:
    assert read_card(tmp_path / "README.md") == {}


@given(st.text() | st.text().map(lambda text: f"---\n{text}\n---\n"))
def test_any_text_is_read(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    card = tmp_path_factory.getbasetemp() / "any-card.md"
    card.write_bytes(text.encode("utf-8", "surrogatepass"))
    fields = read_card(card)
    assert all(isinstance(value, str) for values in fields.values() for value in values)
