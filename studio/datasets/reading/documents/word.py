"""Word documents: paragraphs, lists and tables below their headings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from studio.datasets.reading import archives
from studio.datasets.reading.documents.pieces import Section

NAMED = re.compile(r"(?i)(?:heading|überschrift|titre|título|titolo|kop|заголовок)\s*(\d)")
OUTLINE = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}outlineLvl"
VALUE = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}val"


def sections(path: Path, encoding: str, tell: Callable[[int, int], None]) -> Iterator[Section]:
    """The sections; a heading is a paragraph whose style has an outline level, whatever the language of Word."""
    from docx import Document
    from docx.table import Table

    archives.check_office(path)
    with open(path, "rb") as file:
        document = Document(file)
    levels: dict[Any, int] = {}
    headings: list[tuple[int, str]] = []
    held: list[str] = []
    place = 1
    blocks = list(document.iter_inner_content())
    for number, block in enumerate(blocks, 1):
        if isinstance(block, Table):
            held.append(_table(block))
            continue
        text = block.text.strip()
        level = _level(block, levels) if text else 0
        if level:
            yield Section(tuple(words for _, words in headings), "\n\n".join(held), place)
            headings = [(depth, words) for depth, words in headings if depth < level] + [(level, text)]
            held, place = [], number
            tell(number, len(blocks))
        if text:
            held.append(f"- {text}" if _is_item(block) else text)
    yield Section(tuple(words for _, words in headings), "\n\n".join(held), place)


def _level(paragraph: Any, levels: dict[Any, int]) -> int:
    """1 for the highest heading, 0 for a paragraph that is none."""
    style = paragraph.style
    if style is None:
        return 0
    if style.style_id not in levels:
        levels[style.style_id] = _style_level(style)
    return levels[style.style_id]


def _style_level(style: Any) -> int:
    if (style.name or "") == "Title":
        return 1
    seen = 0
    while style is not None and seen < 10:
        if match := NAMED.match(style.name or ""):
            return int(match[1])
        found = style.element.find(f".//{OUTLINE}")
        if found is not None and (found.get(VALUE) or "").isdigit():
            level = int(found.get(VALUE))
            return level + 1 if level < 9 else 0
        style, seen = style.base_style, seen + 1
    return 0


def _is_item(paragraph: Any) -> bool:
    properties = paragraph._p.pPr
    return (properties is not None and properties.numPr is not None) or (paragraph.style.name or "").startswith("List")


def _table(table: Any) -> str:
    rows = []
    for row in table.rows:
        cells: list[str] = []
        for cell in row.cells:
            text = " ".join(cell.text.split())
            if not cells or cells[-1] != text:  # a merged cell comes once for each place it covers
                cells.append(text)
        rows.append(" | ".join(cells))
    return "\n".join(rows)
