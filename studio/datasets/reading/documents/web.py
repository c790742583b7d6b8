"""Web pages: what a reader of the page reads, without navigation, scripts and styles."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from studio.datasets.reading.decoding import find_encoding, undecodable
from studio.datasets.reading.documents.pieces import Section
from studio.datasets.reading.records import refuse

LARGEST = 256 << 20
SKIPPED = frozenset(
    ("script", "style", "noscript", "template", "nav", "aside", "footer", "form", "button", "select", "svg", "iframe",
     "object", "head")
)  # fmt: skip
BLOCKS = frozenset(
    ("p", "div", "section", "article", "main", "ul", "ol", "li", "dl", "dt", "dd", "table", "tr", "blockquote", "pre",
     "figure", "figcaption", "header", "address", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "body", "html",
     "tbody", "thead", "caption", "details", "summary")
)  # fmt: skip
CHARSET = re.compile(rb"<meta[^>]+charset=[\"']?([\w-]+)", re.IGNORECASE)
SPACES = re.compile(r"[ \t\n\f\v]+")


def sections(path: Path, encoding: str, tell: Callable[[int, int], None]) -> Iterator[Section]:
    """The sections below h1 to h6; the page's title stands above them all when there is no h1."""
    from lxml import html

    if path.stat().st_size > LARGEST:
        raise refuse(path, f"It has {path.stat().st_size / 1e6:,.0f} MB; web pages are read as a whole.", "Part it.")
    text = _decoded(path, encoding)
    parser = html.HTMLParser(no_network=True, remove_comments=True, remove_pis=True, huge_tree=False)
    try:
        root = html.document_fromstring(text.replace("\0", ""), parser=parser)
    except ValueError:  # it says its encoding in an XML declaration
        root = html.document_fromstring(text.encode(), parser=html.HTMLParser(encoding="utf-8", no_network=True))
    except Exception as error:
        if "empty" in str(error).lower():
            return
        raise
    page = Page()
    page.walk(root)
    title = (root.findtext(".//title") or "").strip()
    top = (SPACES.sub(" ", title),) if title and root.find(".//h1") is None else ()
    for heading, words, place in page.sections():
        yield Section(top + heading, words, place)
    tell(1, 1)


def _decoded(path: Path, encoding: str) -> str:
    data = path.read_bytes()
    asked = find_encoding(path, encoding)
    if encoding == "auto" and asked == "utf-8" and (match := CHARSET.search(data[:4096])):
        try:
            return data.decode(match[1].decode())
        except (LookupError, UnicodeDecodeError):
            pass
    try:
        return data.decode(asked)
    except UnicodeDecodeError as error:
        raise undecodable(path, asked, error) from None


class Page:
    """Gathers the text of a page in the order it is read."""

    def __init__(self) -> None:
        self.found: list[tuple[tuple[str, ...], list[str], int]] = [((), [], 1)]
        self.headings: list[tuple[int, str]] = []

    def sections(self) -> Iterator[tuple[tuple[str, ...], str, int]]:
        for heading, words, place in self.found:
            yield heading, "".join(words), place

    def say(self, text: str | None, pre: bool) -> None:
        """Adds text; outside of `pre` white space is one blank, and none at the beginning of a line."""
        words = self.found[-1][1]
        if text and not pre:
            text = SPACES.sub(" ", text)
            text = text.lstrip(" ") if not words or words[-1].endswith("\n") else text
        if text:
            words.append(text)

    def end_line(self, empty: int = 0) -> None:
        """Goes to a new line, with an empty one before it where asked."""
        words = self.found[-1][1]
        ended = "".join(words[-2:])
        if ended.strip(" "):
            words.append("\n" * (1 + empty - min(1 + empty, len(ended) - len(ended.rstrip("\n")))))

    def walk(self, root: Any) -> None:
        """Goes through the tree without recursion, as pages may be nested very deeply."""
        stack: list[tuple[Any, bool, bool]] = [(root, False, False)]
        while stack:
            node, pre, leaving = stack.pop()
            tag = node.tag if isinstance(node.tag, str) else ""
            if leaving:
                if tag in BLOCKS and tag != "br":
                    self.end_line(tag in ("p", "pre", "table", "ul", "ol") or _level(tag) > 0)
                if tag in ("td", "th"):
                    self.say(" | ", True)
                self.say(node.tail, pre)
                continue
            if not tag or tag in SKIPPED:
                self.say(node.tail, pre)
                continue
            stack.append((node, pre, True))
            if level := _level(tag):
                self._head(node, level)
                continue
            if tag == "br":
                self.say("\n", True)
            elif tag in BLOCKS:
                self.end_line()
            if tag == "li":
                self.say("- ", True)
            inner = pre or tag == "pre"
            self.say(node.text, inner)
            stack.extend((child, inner, False) for child in reversed(node))

    def _head(self, node: Any, level: int) -> None:
        title = SPACES.sub(" ", node.text_content()).strip()
        if not title:
            return
        self.headings = [(depth, words) for depth, words in self.headings if depth < level] + [(level, title)]
        self.found.append((tuple(words for _, words in self.headings), [title], node.sourceline or 1))


def _level(tag: str) -> int:
    return int(tag[1]) if len(tag) == 2 and tag[0] == "h" and tag[1] in "123456" else 0
