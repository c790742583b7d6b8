"""The text of an answer while it is being written."""

from __future__ import annotations

import time
from collections.abc import Callable


class Growing:
    """An answer's text as its tokens come in, in pieces that are never half a character.

    A token may hold part of a character, and its text may depend on the token before; so each time the tokens since
    the last clean break are decoded with and without the newest, and the difference is what is new.
    """

    def __init__(self, decode: Callable[[list[int]], str], on_text: Callable[[str], None] | None) -> None:
        self.decode = decode
        self.on_text = on_text
        self.tokens: list[int] = []
        self.said = ""
        self.ended: float | None = None
        self._from = 0
        self._until = 0
        self._finished = False

    def add(self, token: int) -> None:
        self.tokens.append(token)
        self.ended = time.monotonic()
        if self.on_text is None:
            return
        known = self.decode(self.tokens[self._from : self._until])
        text = self.decode(self.tokens[self._from :])
        if len(text) > len(known) and not text.endswith("\ufffd"):
            self._say(text[len(known) :])
            self._from, self._until = self._until, len(self.tokens)

    def _say(self, text: str) -> None:
        self.said += text
        if self.on_text is not None:
            self.on_text(text)

    def finish(self) -> str:
        """The whole text; what was held back of it is said now, and once that it has ended."""
        whole = self.decode(self.tokens)
        if self.on_text is None or self._finished:
            return whole
        self._finished = True
        if whole != self.said and whole.startswith(self.said):
            self._say(whole[len(self.said) :])
        self.on_text("")
        return whole
