"""PDF: the text of its pages, without running heads and page numbers, below the headings that its table of contents
names; where it has none, below the lines that are set larger than the rest (headlines.py)."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Container, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

from studio.datasets.reading.documents import headlines
from studio.datasets.reading.documents.pieces import Section
from studio.datasets.reading.records import refuse
from studio.errors import BadInput

# So many pages are looked at for what stands at the head or foot of most of them.
LOOKED_AT = 12
DIGITS = re.compile(r"\d+")
HYPHEN = re.compile(r"(?<=[^\W\d_])-\n(?=[a-zà-ÿα-ωа-я])")
ENDS = (".", "!", "?", ":", "…", "。", "！", "？", "”", '"')


def sections(path: Path, encoding: str, tell: Callable[[int, int], None]) -> Iterator[Section]:
    """A section a page, below the headings that the table of contents (the outline) says it stands under; without one
    a section for each headline, too."""
    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it tells of every flaw it can mend
    with open(path, "rb") as file:
        reader = PdfReader(file)
        if reader.is_encrypted and not _opened(reader):
            raise _locked(path)
        total = len(reader.pages)
        headings = _headings(reader)
        pages = map(headlines.read, reader.pages)
        first = list(islice(pages, LOOKED_AT))
        running = _running([page.text for page in first])
        larger = headlines.Headlines(first)
        above: tuple[str, ...] = ()
        for number, page in enumerate(chain(first, pages), 1):
            tell(number, total)
            if headings:
                above = headings.get(number - 1, above)
                yield Section(above, clean(page.text, running), number)
                continue
            text = clean(page.text, running, larger.of(page))
            for heading, part in larger.parts(page, text):
                yield Section(heading, part, number)


def _opened(reader: Any) -> bool:
    try:
        return bool(reader.decrypt(""))
    except Exception:  # of ways to lock there are some that pypdf needs another library for
        return False


def _locked(path: Path) -> BadInput:
    return refuse(
        path,
        "It is protected by a password.",
        "Open it with the password and print it into a new PDF.",
    )


def _headings(reader: Any) -> dict[int, tuple[str, ...]]:
    """Of each page where one begins, the path of headings; {} without a table of contents or with a broken one."""
    found: dict[int, tuple[str, ...]] = {}

    def walk(items: list[Any], above: tuple[str, ...]) -> None:
        here = above
        for item in items:
            if isinstance(item, list):
                walk(item, here)
                continue
            here = (*above, " ".join(str(item.title).split()))
            page = reader.get_destination_page_number(item)
            if page is not None and page >= 0:
                found.setdefault(page, here)

    try:
        walk(reader.outline, ())
    except Exception:  # the text is worth reading without its headings
        return {}
    return found


def _running(texts: list[str]) -> set[str]:
    """The first and last lines that most of the pages share, their numbers left out."""
    if len(texts) < 3:
        return set()
    seen: Counter[str] = Counter()
    for text in texts:
        lines = [line.strip() for line in text.split("\n") if line.strip()]
        seen.update({DIGITS.sub("#", line) for line in [*lines[:2], *lines[-2:]]})
    return {line for line, count in seen.items() if count >= 0.6 * len(texts)}


def clean(text: str, running: set[str], alone: Container[str] = ()) -> str:
    """A page's text without its running lines, words parted at line ends joined, lines joined to paragraphs.

    Args:
        alone: lines that are joined to none.
    """
    lines = [line.strip() for line in HYPHEN.sub("", text).split("\n")]
    last = len(lines) - 1
    kept = [
        line
        for at, line in enumerate(lines)
        if not ((at < 3 or at > last - 3) and (DIGITS.sub("#", line) in running or line.isdigit()))
    ]
    full = 0.7 * max(map(len, kept), default=0)
    made: list[str] = []
    for line in kept:
        goes_on = made and made[-1] and line and len(made[-1].rsplit("\n", 1)[-1]) > full
        parted = made and (made[-1] in alone or line in alone)
        if goes_on and not parted and not made[-1].endswith(ENDS) and not line.startswith(("•", "-", "–", "*")):
            made[-1] += f" {line}"
        else:
            made.append(line)
    return "\n".join(made)
