"""Tokenizers that are in use, each held once: one is some 30 MB, and several parts of the page ask for the same."""

from __future__ import annotations

import threading
from datetime import date
from functools import lru_cache
from pathlib import Path

from studio.batches.tokenizer import ModelTokenizer, load_tokenizer

Stamp = tuple[str, int, int]
_loading = threading.Lock()  # two who ask at once get the same one


def kept_tokenizer(model: Path, template: str | None = None) -> ModelTokenizer:
    """`load_tokenizer`, and the same one again until a file of it changes, or the date, which templates may print."""
    with _loading:
        return _loaded(model, template, tokenizer_stamp(model), date.today())


@lru_cache(maxsize=2)
def _loaded(model: Path, template: str | None, files: tuple[Stamp, ...], day: date) -> ModelTokenizer:
    return load_tokenizer(model, template)


def stamp(path: Path) -> Stamp:
    """What changes when a file does."""
    about = path.stat()
    return str(path), about.st_mtime_ns, about.st_size


def tokenizer_stamp(model: Path) -> tuple[Stamp, ...]:
    """What changes when any file does that a tokenizer is read from."""
    files = [*model.glob("*.json"), *model.glob("*.jinja"), *model.glob("additional_chat_templates/*.jinja")]
    return tuple(sorted(stamp(path) for path in files))
