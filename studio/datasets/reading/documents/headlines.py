"""Headlines of a PDF that has no table of contents: short lines that are set larger than most of its text."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

LARGER = 1.15  # times the size of the text
LONGEST = 120  # characters of a headline
STEP = 0.5  # sizes that differ by less are one


@dataclass
class Page:
    """A page's text, and of each of its lines in which size most of it is set."""

    text: str
    sizes: dict[str, float] = field(default_factory=dict)


def read(page: Any) -> Page:
    """A page of pypdf's."""
    lines: list[tuple[list[str], Counter[float]]] = [([], Counter())]

    def visit(text: str, matrix: list[float], text_matrix: list[float], font: Any, size: float) -> None:
        found = round(_height(matrix) * _height(text_matrix) * abs(size) / STEP) * STEP
        for at, piece in enumerate(text.split("\n")):
            if at:
                lines.append(([], Counter()))
            lines[-1][0].append(piece)
            lines[-1][1][found] += len(piece.strip())

    text = page.extract_text(visitor_text=visit) or ""
    told = {"".join(parts).strip(): sizes.most_common(1)[0][0] for parts, sizes in lines if sizes.total()}
    return Page(text, told)


def _height(matrix: Sequence[float]) -> float:
    """How much larger a matrix makes what is upright."""
    return math.hypot(matrix[2], matrix[3])


class Headlines:
    """The headlines of a document, page after page.

    Args:
        pages: the first ones, by which the size of the text is told.
    """

    def __init__(self, pages: Sequence[Page]) -> None:
        letters: Counter[float] = Counter()
        for page in pages:
            for line, size in page.sizes.items():
                letters[size] += len(line)
        self.text_size = letters.most_common(1)[0][0] if letters else 0.0
        self.above: list[tuple[float, str]] = []  # the headings that stand above, with their sizes

    def of(self, page: Page) -> set[str]:
        """The lines of a page that are headlines."""
        return {line for line, size in page.sizes.items() if self._is_one(line, size)}

    def _is_one(self, line: str, size: float) -> bool:
        named = len(line) <= LONGEST and sum(map(str.isalpha, line)) > 1
        return named and 0 < LARGER * self.text_size <= size and not line.endswith((".", ",", ";"))

    def parts(self, page: Page, text: str) -> Iterator[tuple[tuple[str, ...], str]]:
        """A page's cleaned text from headline to headline, each below the headings above it, itself the last."""
        headlines, held, before = self.of(page), list[str](), 0.0
        for line in text.split("\n"):
            size = page.sizes[line] if line in headlines else 0.0
            if size and size != before:
                if any(map(str.strip, held)):
                    yield self._path(), "\n".join(held)
                held = []
                self._below(size, line)
            elif size:  # a headline of two lines
                self._below(size, f"{self.above[-1][1]} {line}")
            held.append(line)
            before = size or (before if not line.strip() else 0.0)
        yield self._path(), "\n".join(held)

    def _below(self, size: float, line: str) -> None:
        while self.above and self.above[-1][0] <= size:
            self.above.pop()
        self.above.append((size, " ".join(line.split())))

    def _path(self) -> tuple[str, ...]:
        return tuple(line for _, line in self.above)
