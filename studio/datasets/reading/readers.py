"""Any file of examples as records: what it is, judged by its content first and its name second."""

from __future__ import annotations

import json
import re
import zipfile
from itertools import islice
from pathlib import Path
from typing import Any

from studio.datasets.reading import archives
from studio.datasets.reading.decoding import find_encoding
from studio.datasets.reading.delimited import Delimited, looks_delimited, read_head
from studio.datasets.reading.json_rows import JsonArray, JsonLines
from studio.datasets.reading.plain_text import PlainText
from studio.datasets.reading.records import Reader, Reading, from_disk, refuse
from studio.errors import NotFound

TABLES = ("csv", "tsv", "json", "jsonl", "parquet", "arrow", "xlsx")
DOCUMENTS = ("md", "html", "pdf", "docx", "pptx")
KINDS = (*TABLES, "txt", *DOCUMENTS, "zip")
ENDINGS = {
    "ndjson": "jsonl", "markdown": "md", "mdown": "md", "text": "txt", "pq": "parquet", "tab": "tsv", "htm": "html",
    "xhtml": "html", "ipc": "arrow", "feather": "arrow",
}  # fmt: skip
READABLE = "Import a table (csv, tsv, xlsx, json, jsonl, parquet, arrow), a document (pdf, docx, pptx, html, md, txt) "
READABLE += "or a zip of them."
SAMPLE_ROWS = 200
SAMPLE_CHARACTERS = 8 << 20
JSON_START = re.compile(r'\[\s*[\{"]\s*"?|\{\s*"')
OFFICE = b"\xd0\xcf\x11\xe0"
# How a package is called inside an Office file that has a password.
LOCKED = "EncryptedPackage".encode("utf-16-le")

# The first bytes of files that people take for tables: what they are, and what to do with them.
FOREIGN = (
    (b"\x1f\x8b", "a packed file (gzip)", "Unpack it first."),
    (b"BZh", "a packed file (bzip2)", "Unpack it first."),
    (b"\xfd7zXZ", "a packed file (xz)", "Unpack it first."),
    (b"\x28\xb5\x2f\xfd", "a packed file (zstd)", "Unpack it first."),
    (b"7z\xbc\xaf", "a packed file (7z)", "Unpack it first."),
    (b"Rar!", "a packed file (rar)", "Unpack it first."),
    (b"{\\rtf", "a word processor's file (rtf)", "Save it as .docx or as plain text (.txt)."),
    (b"SQLite format 3", "a database", "Export the table as csv."),
    (b"FEA1", "an old Feather file", "Save it as Parquet."),
    (b"\x89PNG", "a picture", READABLE),
    (b"GIF8", "a picture", READABLE),
    (b"\xff\xd8\xff", "a picture", READABLE),
)


def open_reader(path: Path, reading: Reading = Reading()) -> Reader:  # noqa: B008
    """A reader for the file at `path`; what it holds decides over its name.

    Raises:
        NotFound: there is no such file.
        BadInput: it is empty, or nothing the studio reads; says what it is instead.
        Refused: it is a document, and the readers of documents are not installed.
    """
    if not path.exists():
        raise NotFound(f"There is no file {path}.", "", "Check the path and the spelling of the name.")
    if not path.is_file():
        raise refuse(path, "It is a folder, not a file.", "Name one file of examples.")
    with open(path, "rb") as file:
        head = file.read(4096)
    if not head.strip(b"\0 \t\r\n\xef\xbb\xbf\xff\xfe"):
        raise refuse(path, "There is nothing in it.", "Choose a file with examples.", f"{path.name} is empty.")
    if found := _binary(path, head, reading):
        return found
    for mark, what, advice in FOREIGN:
        if head.startswith(mark):
            raise refuse(path, f"It is {what}.", advice)
    return _text_reader(path, find_encoding(path, reading.encoding), reading)


def _binary(path: Path, head: bytes, reading: Reading) -> Reader | None:
    if head.startswith(b"PAR1"):
        from studio.datasets.reading.parquet_rows import ParquetRows

        return ParquetRows(path)
    if head.startswith(b"ARROW1") or (head.startswith(b"\xff\xff\xff\xff") and ending(path) == "arrow"):
        from studio.datasets.reading.arrow_rows import ArrowRows

        return ArrowRows(path)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zipped(path, reading)
    if b"%PDF-" in head[:1024]:
        return _document(path, "pdf", reading)
    if head.startswith(OFFICE):
        raise _old_office(path)
    return None


def _zipped(path: Path, reading: Reading) -> Reader:
    """Office files are zips; any other zip is opened for what is in it."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except archives.BROKEN as error:
        if from_disk(error):
            raise
        if ending(path) != "xlsx":
            raise archives.damaged(path, error) from None
        names = ["xl/"]
    for kind, inside in (("docx", "word/"), ("pptx", "ppt/")):
        if "[Content_Types].xml" in names and any(name.startswith(inside) for name in names):
            return _document(path, kind, reading)
    if any(name.startswith("xl/") for name in names):
        from studio.datasets.reading.spreadsheet import Spreadsheet

        return Spreadsheet(path)
    from studio.datasets.reading.collection import Zipped

    return Zipped(path, reading)


def _document(path: Path, kind: str, reading: Reading) -> Reader:
    from studio.datasets.reading.documents import Document

    return Document(path, kind, reading)


def _old_office(path: Path) -> Exception:
    with open(path, "rb") as file:
        locked = LOCKED in file.read(1 << 20)
    if locked:
        return refuse(
            path, "It is protected by a password.", "Open it with the password, and save it without one (or as csv)."
        )
    return refuse(
        path,
        "It is an Office file of the old kind (.xls, .doc, .ppt).",
        "Open it, and save it as .xlsx, .docx or .pptx without a password.",
    )


def ending(path: Path) -> str:
    """The kind a file's name promises, "" when it promises none."""
    name = path.suffix.lower().lstrip(".")
    kind = ENDINGS.get(name, name)
    return kind if kind in KINDS else ""


def _text_reader(path: Path, encoding: str, reading: Reading) -> Reader:
    promised = ending(path)
    head = [line for line in read_head(path, encoding) if line.strip()]
    start = "".join(head[:20]).lstrip()
    if promised in ("md", "html") or (not path.suffix and start[:200].lower().startswith(("<!doctype html", "<html"))):
        return _document(path, promised or "html", reading)
    if kind := _json_kind(head, start, promised):
        return (JsonLines if kind == "jsonl" else JsonArray)(path, encoding)
    if start[:200].lower().startswith(("<!doctype", "<html", "<?xml", "<table")) and promised != "txt":
        raise refuse(
            path,
            "It is a web page or XML, not a table.",
            "Open it in a spreadsheet program and save it as csv; to learn its text, rename it to .html.",
        )
    if promised in ("csv", "tsv"):
        return Delimited(path, encoding, promised)
    if promised == "txt" or (promised == "" and not looks_delimited(head)):
        return PlainText(path, encoding, reading.cut)
    if promised in ("", "xlsx", "parquet", "arrow") and looks_delimited(head):
        return Delimited(path, encoding)
    raise refuse(
        path,
        f"Its name says {promised}, but it begins with “{start[:30].strip()}”.",
        "If it is a table, rename it to .csv; if it is text, to .txt.",
    )


def _json_kind(head: list[str], start: str, promised: str) -> str:
    """json or jsonl; "" when it is neither, also where a file not named so only happens to begin with a bracket."""
    named = promised in ("json", "jsonl")
    first, second = (*head[:2], "", "")[:2]
    if promised == "jsonl" and not start.startswith("["):
        return "jsonl" if any(_parses(line) for line in head) or start.startswith("{") else ""
    if not (start.startswith(("[", "{")) if named else JSON_START.match(start)):
        return ""
    if start.startswith("["):
        return "json"
    # One object a line, also where the first is broken; else one object over the whole file.
    return "jsonl" if second and (_parses(first) or _parses(second)) else "json"


def _parses(text: str) -> bool:
    try:
        return isinstance(json.loads(text), (dict, list))
    except (ValueError, RecursionError):
        return False


def sample(reader: Reader) -> list[dict[str, Any]]:
    """The values of the first readable records, at most SAMPLE_ROWS and about SAMPLE_CHARACTERS characters."""
    found: list[dict[str, Any]] = []
    size = 0
    for record in islice(reader.head(), 10 * SAMPLE_ROWS):
        if record.values is not None:
            found.append(record.values)
            size += len(str(record.values))
        if len(found) >= SAMPLE_ROWS or size >= SAMPLE_CHARACTERS:
            break
    reader.done = 0
    return found


def columns_of(sample: list[dict[str, Any]]) -> list[str]:
    """Every name in the sample, in the order of first appearance."""
    return list(dict.fromkeys(name for values in sample for name in values))
