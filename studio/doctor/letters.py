"""Letters that went wrong on their way: texts read in a wrong encoding, which ftfy repairs, and letters lost."""

from __future__ import annotations

import re
from collections.abc import Iterable

from studio.doctor.findings import Found, Piece, shown
from studio.doctor.reading import Reading

# � and control characters that no text has, but for the tab, the line break and the like.
LOST = re.compile("[�\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
NOT_ASCII = re.compile(r"[^\x00-\x7f]")
# Read as UTF-8 what they stand for begins with one of these; a text without them has not been read wrongly.
SUSPECT = re.compile("[ÂÃÅÄâãåæçðÐÑØÙ×ÎÏÌàÉ€™ŸžÆËÊ]")


class Letters:
    """Looks for broken and lost letters in every text."""

    def __init__(self) -> None:
        self.broken, self.lost = Found("encoding"), Found("lost_letters")

    def look(self, reading: Reading) -> None:
        broken: list[Piece] = []
        lost: list[Piece] = []
        for who, text in reading.texts:
            if text.isascii() and text.isprintable():
                continue
            mended = repaired(text)
            if mended != text:
                broken.append(_change(who, text, mended))
            spans = [match.span() for match in LOST.finditer(mended)]
            if spans:
                lost.append(shown(who, text, spans if mended == text else None))
        if broken:
            self.broken.add(reading.number, pieces=broken)
        if lost:
            self.lost.add(reading.number, pieces=lost)

    def found(self) -> Iterable[Found]:
        return [found for found in (self.broken, self.lost) if len(found)]


def repaired(text: str) -> str:
    """The text as it was meant, itself when nothing is wrong; quotes, ligatures and spaces stay as they are."""
    if not SUSPECT.search(text):
        return text
    from ftfy import fix_encoding

    return str(fix_encoding(text))


def _change(who: str, text: str, mended: str) -> Piece:
    """The text with the first word marked that the repair changes."""
    same = next((at for at, (one, two) in enumerate(zip(text, mended, strict=False)) if one != two), len(mended))
    end = same + 1 + len(re.match(r"\S*", text[same + 1 :])[0])  # type: ignore[index]
    return shown(who, text, [(same, end)])
