"""PowerPoint files: each slide a section below its title, with its tables and notes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from studio.datasets.reading import archives
from studio.datasets.reading.documents.pieces import Section


def sections(path: Path, encoding: str, tell: Callable[[int, int], None]) -> Iterator[Section]:
    """The slides, in their order."""
    from pptx import Presentation

    archives.check_office(path)
    with open(path, "rb") as file:
        slides = Presentation(file).slides
    for number, slide in enumerate(slides, 1):
        shape = slide.shapes.title
        title = " ".join(shape.text_frame.text.split()) if shape is not None else ""
        texts = [title, *_texts(one for one in slide.shapes if shape is None or one.shape_id != shape.shape_id)]
        if slide.has_notes_slide and (frame := slide.notes_slide.notes_text_frame) is not None:
            texts.append(frame.text.strip())
        yield Section((title,) if title else (), "\n\n".join(text for text in texts if text), number)
        tell(number, len(slides))


def _texts(shapes: Iterable[Any], depth: int = 0) -> Iterator[str]:
    for shape in shapes:
        if hasattr(shape, "shapes") and depth < 20:
            yield from _texts(shape.shapes, depth + 1)
        elif shape.has_text_frame:
            yield "\n".join(text for paragraph in shape.text_frame.paragraphs if (text := _said(paragraph)))
        elif getattr(shape, "has_table", False) and shape.has_table:
            rows = ([" ".join(cell.text.split()) for cell in row.cells] for row in shape.table.rows)
            yield "\n".join(" | ".join(row) for row in rows)


def _said(paragraph: Any) -> str:
    text = "".join(run.text for run in paragraph.runs).strip() or paragraph.text.strip()
    return f"{'  ' * paragraph.level}- {text}" if text and paragraph.level else text
