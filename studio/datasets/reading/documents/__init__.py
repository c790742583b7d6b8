"""Documents (md, html, pdf, docx, pptx) as clean text, cut into rows at their headings."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

from studio.datasets.importing.mapping import Guess, Mapping, Source
from studio.datasets.reading.documents.pieces import Section, pieces
from studio.datasets.reading.records import FileReader, Reading, Record, from_disk, refuse
from studio.errors import BadInput, Refused, StudioError

# How each kind is read: path, encoding, and what is told how far it has come.
Sections = Callable[[Path, str, Callable[[int, int], None]], Iterator[Section]]
SETUP = "python3 launch.py setup --extra documents"
# Of each kind: the library that reads it, what it is called, and what its places are.
KINDS = {
    "md": ("", "Markdown files", "line"),
    "html": ("lxml", "Web pages", "line"),
    "pdf": ("pypdf", "PDF files", "page"),
    "docx": ("docx", "Word documents", "paragraph"),
    "pptx": ("pptx", "PowerPoint files", "slide"),
}
MODULES = {"md": "markdown", "html": "web", "pdf": "pdf", "docx": "word", "pptx": "slides"}
NO_TEXT = {
    "pdf": (
        "There is no text in it, only pictures of pages (a scan).",
        "Let a text recognition program (OCR, as OCRmyPDF) read it, and import what that makes.",
    ),
    "pptx": ("There is no text on its slides.", "Choose a file with text in it."),
}


class Document(FileReader):
    """One document. Its rows have `text`, `document`, `heading` (the path of headings) and the place they begin at.

    Raises:
        Refused: the library that reads such files is not installed; says the command that installs it.
    """

    def __init__(self, path: Path, kind: str, reading: Reading) -> None:
        super().__init__(path)
        self.kind = kind
        self.cut = reading.cut
        self.encoding = reading.encoding
        library, words, self.unit = KINDS[kind]
        importlib.invalidate_caches()  # it may have been installed since the studio was started
        if library and importlib.util.find_spec(library) is None:
            raise Refused(
                f"{words} can't be read yet.",
                "The libraries that read documents are not installed.",
                f"Install them with the command: {SETUP}",
                field="source",
            )
        unit = "words" if self.cut.words else "characters"
        self.notes = [
            f"cut at headings into rows of up to {self.cut.size:,} {unit}; where a section is longer, its rows overlap "
            f"by up to {self.cut.overlap:,}"
        ]
        text = Mapping(format="text", roles={"text": Source(columns=("text",))})
        self.known = Guess("text", text, ["a document is text to go on learning from"])

    def records(self) -> Iterator[Record]:
        """Raises BadInput for a document that is damaged, locked or has no text."""
        module = importlib.import_module(f"studio.datasets.reading.documents.{MODULES[self.kind]}")
        number = 0
        for piece in pieces(self._told(module.sections), self.cut):
            number += 1
            values = {"text": piece.text, "document": self.path.name, "heading": " › ".join(piece.heading)}
            yield Record(piece.place, values | {self.unit: piece.place}, document=self.path.name, part=piece.part)
        if not number:
            why, advice = NO_TEXT.get(self.kind, ("There is no text in it.", "Choose a document with text in it."))
            raise refuse(self.path, why, advice)

    def _told(self, sections: Sections) -> Iterator[Section]:
        try:
            yield from sections(self.path, self.encoding, self._tell)
        except (StudioError, GeneratorExit, MemoryError):
            raise
        except Exception as error:  # readers of documents raise whatever their parts raise on a damaged file
            if from_disk(error):
                raise
            raise self._damaged(error) from None

    def _tell(self, done: int, total: int) -> None:
        self.done = self.size * done // max(1, total)

    def _damaged(self, error: Exception) -> BadInput:
        cause = (str(error).splitlines() or [""])[0][:120]
        return refuse(
            self.path,
            f"It begins like a {self.kind} file but is cut off or damaged ({type(error).__name__}: {cause}).",
            "Open it in the program it was made with, and save or export it again.",
        )
