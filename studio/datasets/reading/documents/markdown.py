"""Markdown: sections at its headings, the text as it is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from studio.datasets.reading.decoding import find_encoding, lines, open_text
from studio.datasets.reading.documents.pieces import Section

HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*\s*")
UNDERLINE = re.compile(r" {0,3}(=+|-+)\s*")
FENCE = re.compile(r" {0,3}(```+|~~~+)")
LONGEST = 4 << 20  # a section of a file without headings is given out in blocks of this size


def sections(path: Path, encoding: str, tell: Callable[[int, int], None]) -> Iterator[Section]:
    """The sections, streamed; the front matter (between lines of ---) is left out."""
    headings: list[tuple[int, str]] = []
    held: list[str] = []
    place, size, fence, front = 1, 0, "", False
    total = path.stat().st_size
    with open_text(path, find_encoding(path, encoding)) as file:
        for number, line in enumerate(lines(file, path), 1):
            if number == 1 and line.strip() == "---":
                front = True
                continue
            if front:
                front = line.strip() not in ("---", "...")
                place = number + 1
                continue
            fence = _fence(line, fence)
            level, title = _title(line, held[-1] if held else "") if not fence else (0, "")
            if level or size > LONGEST:
                above = [held.pop()] if level and not line.lstrip().startswith("#") else []
                yield Section(tuple(words for _, words in headings), "".join(held), place)
                tell(file.buffer.tell(), total)
                held, size, place = above, 0, number - len(above)
            if level:
                headings = [(depth, words) for depth, words in headings if depth < level] + [(level, title)]
            held.append(line)
            size += len(line)
    yield Section(tuple(words for _, words in headings), "".join(held), place)


def _fence(line: str, fence: str) -> str:
    """The mark of the code block that the line stands in, "" outside."""
    match = FENCE.match(line)
    if not match:
        return fence
    if not fence:
        return match[1]
    return "" if match[1].startswith(fence) and not line.strip().strip(fence[0]) else fence


def _title(line: str, before: str) -> tuple[int, str]:
    """(level, title) of a heading in either of Markdown's two ways, (0, "") for another line."""
    if match := HEADING.fullmatch(line):
        return len(match[1]), match[2]
    if (match := UNDERLINE.fullmatch(line)) and before.strip() and not HEADING.fullmatch(before) and "|" not in before:
        return (1 if match[1][0] == "=" else 2), before.strip()
    return 0, ""
