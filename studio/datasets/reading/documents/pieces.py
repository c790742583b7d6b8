"""From the sections of a document to rows: short neighbours gathered, long sections cut with overlap."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from studio.datasets.reading.records import Cut

# Where a text may be parted, with what parts it: behind a paragraph, a line, a sentence.
ATOM = re.compile(r".+?(?:\n\s*\n|\n|(?<=[.!?…])[”\"’')\]]*\s+|(?<=[。！？])|\Z)", re.DOTALL)
GAP = re.compile(r"\n{3,}")


class Section(NamedTuple):
    """What stands below one heading (or on one page).

    Args:
        heading: the headings above it, the highest first.
        text: its text, the heading itself at its beginning.
        place: where it begins: line, page, slide or paragraph, from 1.
    """

    heading: tuple[str, ...]
    text: str
    place: int


class Piece(NamedTuple):
    """One row's text. Pieces with the same `part` overlap, so they belong on one side of a split."""

    heading: tuple[str, ...]
    text: str
    place: int
    part: int


def pieces(sections: Iterator[Section], cut: Cut) -> Iterator[Piece]:
    """Rows of at most `cut.size`, in the document's order.

    Short sections are gathered while they stand below the same highest heading; a longer one is cut at its paragraphs
    and sentences, and each of its pieces begins with the last `cut.overlap` of the one before.
    """
    part = 0
    held: list[Section] = []
    size = 0
    for section in sections:
        text = tidy(section.text)
        if not text:
            continue
        section = section._replace(text=text)
        length = cut.length(text)
        if held and (size + length > cut.size or section.heading[:1] != held[-1].heading[:1]):
            part += 1
            yield _joined(held, part)
            held, size = [], 0
        if length > cut.size:
            part += 1
            for piece in split(text, cut):
                yield Piece(section.heading, piece, section.place, part)
            continue
        held.append(section)
        size += length
    if held:
        yield _joined(held, part + 1)


def _joined(held: list[Section], part: int) -> Piece:
    text = "\n\n".join(section.text for section in held)
    return Piece(_shared([section.heading for section in held]), text, held[0].place, part)


def _shared(headings: list[tuple[str, ...]]) -> tuple[str, ...]:
    """The headings that all of them begin with."""
    count = 0
    for level in zip(*headings, strict=False):
        if len(set(level)) > 1:
            break
        count += 1
    return headings[0][:count]


def split(text: str, cut: Cut) -> Iterator[str]:
    """A long text in pieces of at most `cut.size`, each but the first beginning with the end of the one before."""
    held: list[str] = []
    size = fresh = 0
    for atom in _atoms(text, cut):
        length = cut.length(atom)
        if size + length > cut.size and fresh:
            yield "".join(held).strip()
            held = _tail(held, min(cut.overlap, cut.size - length), cut)
            size, fresh = sum(map(cut.length, held)), 0
        held.append(atom)
        size += length
        fresh += 1
    if fresh:
        yield "".join(held).strip()


def _tail(atoms: list[str], most: int, cut: Cut) -> list[str]:
    """As many of the last atoms as have at most that size together."""
    kept: list[str] = []
    for atom in reversed(atoms):
        most -= cut.length(atom)
        if most < 0:
            break
        kept.insert(0, atom)
    return kept


def _atoms(text: str, cut: Cut) -> Iterator[str]:
    for match in ATOM.finditer(text):
        atom = match[0]
        if cut.length(atom) <= cut.size:
            yield atom
        elif cut.words:
            words = re.findall(r"\S+\s*", atom)
            yield from ("".join(words[at : at + cut.size]) for at in range(0, len(words), cut.size))
        else:
            yield from (atom[at : at + cut.size] for at in range(0, len(atom), cut.size))


def tidy(text: str) -> str:
    """Text without NULs, trailing blanks and more than one empty line in a row; spaces that don't break are spaces."""
    text = text.replace("\0", "").replace("\u00a0", " ").replace("\u00ad", "").replace("\r\n", "\n").replace("\r", "\n")
    text = text.encode("utf-8", "ignore").decode()  # halves of characters can't be kept
    return GAP.sub("\n\n", "\n".join(line.rstrip() for line in text.split("\n"))).strip()
