"""Answers that took time, kept while they are likely to be asked for again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """The last few answers. A key names all that an answer depends on: of a file its path and its time.

    Args:
        most: how many are kept.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.found: dict[Hashable, T] = {}
        self.lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The answer to that key, made when it is not there; two who ask at once may both make it."""
        with self.lock:
            if key in self.found:
                self.found[key] = self.found.pop(key)  # the one used last goes last
                return self.found[key]
        made = make()
        with self.lock:
            self.found[key] = made
            while len(self.found) > self.most:
                del self.found[next(iter(self.found))]
        return made
