"""Malformed files of every kind, made by a seeded generator: sound ones, broken in the ways that files break."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
from collections.abc import Iterator

import docx
import openpyxl
import pptx
import pyarrow as pa
import pyarrow.parquet as pq
from pypdf import PdfWriter

RECORDS = [{"question": f"What is number {n}?", "answer": f"It is {n}, said “{'ä' * (n % 5)}”."} for n in range(40)]


def _csv(mark: str = ",") -> bytes:
    rows = [mark.join(f'"{cell}"' for cell in record.values()) for record in RECORDS]
    return "\n".join([mark.join(RECORDS[0]), *rows]).encode()


def _jsonl() -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in RECORDS).encode()


def _parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(RECORDS), out)
    return out.getvalue()


def _arrow(stream: bool) -> bytes:
    out = io.BytesIO()
    table = pa.Table.from_pylist(RECORDS)
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=15)
    return out.getvalue()


def _xlsx() -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in [list(RECORDS[0]), *(list(record.values()) for record in RECORDS)]:
        book.active.append(row)
    book.save(out)
    return out.getvalue()


def _docx() -> bytes:
    document, out = docx.Document(), io.BytesIO()
    for record in RECORDS[:6]:
        document.add_heading(record["question"], 1)
        document.add_paragraph(record["answer"])
    document.save(out)
    return out.getvalue()


def _pptx() -> bytes:
    show, out = pptx.Presentation(), io.BytesIO()
    for record in RECORDS[:3]:
        show.slides.add_slide(show.slide_layouts[5]).shapes.title.text = record["question"]
    show.save(out)
    return out.getvalue()


def pdf(*pages: str) -> bytes:
    """A PDF with the lines of each page as text in Helvetica."""
    return _pdf([b"/F1 11 Tf 14 TL 50 780 Td " + _shown(page.split("\n") if page else []) for page in pages])


def pdf_in_sizes(*pages: list[tuple[int, str]]) -> bytes:
    """The same with a size for each line; every other one is made so large by its matrix."""
    made = []
    for page in pages:
        content, height = b"", 800
        for number, (size, line) in enumerate(page):
            height -= 2 * size
            font, scale = (size, 1) if number % 2 else (1, size)
            content += b"/F1 %d Tf %d 0 0 %d 50 %d Tm " % (font, scale, scale, height) + _shown([line])
        made.append(content)
    return _pdf(made)


def _shown(lines: list[str]) -> bytes:
    return b"".join(f"({line}) Tj T* ".encode() for line in lines)


def _pdf(contents: list[bytes]) -> bytes:
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for shown in contents:
        content = b"BT " + shown + b"ET"
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>" % len(objects)
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids), b" ".join(kids))
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, item in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, item)
    start = len(out)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, table)
    out += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start)
    return bytes(out)


def locked_pdf() -> bytes:
    """A PDF that opens with a password only."""
    from pypdf import PdfReader

    writer, out = PdfWriter(), io.BytesIO()
    writer.append(PdfReader(io.BytesIO(pdf("A secret."))))
    writer.encrypt("secret", algorithm="RC4-128")
    writer.write(out)
    return out.getvalue()


def packed(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def locked_zip() -> bytes:
    """A zip whose files say that they are encrypted."""
    data = bytearray(packed({"a.csv": _csv()}))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        struct.pack_into("<H", data, data.index(mark) + place, 1)
    return bytes(data)


def bomb(size: int = 300 << 20) -> bytes:
    """A zip of some hundred kB that unpacks to far more."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.txt", "w") as file:
        for _ in range(size >> 20):
            file.write(b"a" * (1 << 20))
    return out.getvalue()


SOUND = {
    "csv": _csv(), "tsv": _csv("\t"), "jsonl": _jsonl(), "json": json.dumps(RECORDS).encode(), "parquet": _parquet(),
    "arrow": _arrow(False), "arrows": _arrow(True), "xlsx": _xlsx(), "docx": _docx(), "pptx": _pptx(),
    "pdf": pdf("First page\nwith words", "Second page\nwith more"),
    "html": b"<html><body><h1>Title</h1><p>Words &amp; more</p></body></html>",
    "md": b"# Title\n\nWords\n\n## Part\n\n```\ncode\n```\n", "txt": b"Some text.\n\nMore of it.\n",
    "zip": packed({"a.jsonl": _jsonl(), "b.jsonl": _jsonl()}),
}  # fmt: skip
ENDING = {"arrows": "arrow"}


def _broken(data: bytes, draw: random.Random) -> bytes:
    """One of the ways that a file breaks."""
    at = draw.randrange(len(data))
    length = draw.randrange(1, 40)
    made = bytearray(data)
    match draw.randrange(8):
        case 0:  # cut off
            return data[:at]
        case 1:  # bytes changed
            for _ in range(draw.randrange(1, 20)):
                made[draw.randrange(len(made))] = draw.randrange(256)
        case 2:  # NULs
            made[at : at + length] = bytes(length)
        case 3:  # bytes that are no UTF-8
            made[at:at] = b"\xff\xfe\x80" * 3
        case 4:  # a stray quote or bracket
            made[at:at] = draw.choice([b'"', b"[", b"{", b"}", b"<", b"\\", b"(("])
        case 5:  # a piece missing
            del made[at : at + length]
        case 6:  # a piece twice
            made[at:at] = made[max(0, at - length) : at]
        case _:  # the beginning missing
            return data[min(at, 64) :]
    return bytes(made)


def files(seed: int = 4, each: int = 24) -> Iterator[tuple[str, bytes]]:
    """(name, content) of `each` malformed files of every kind, and of some kinds under another kind's name."""
    draw = random.Random(seed)
    for kind, data in SOUND.items():
        for number in range(each):
            shown = kind if number % 6 else draw.choice(list(SOUND))
            yield f"{kind}-{number}.{ENDING.get(shown, shown)}", _broken(data, draw)
