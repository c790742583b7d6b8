"""Zip files, opened with care: what a small one may unpack to, where its names may lead, and how deep it may nest.

Word, Excel and PowerPoint files are zips, too; `check` looks at them before their own readers do.
"""

from __future__ import annotations

import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from studio.datasets.reading.records import from_disk, refuse
from studio.errors import BadInput

# Tables of text pack to a tenth, very even ones to a hundredth; what goes far beyond is made to fill a disk.
RATIO = 200
SMALL = 100 << 20  # up to here the ratio does not matter
LARGEST = 64 << 30
LARGEST_OFFICE = 4 << 30  # their readers hold parts of them in memory
MOST_FILES = 20_000
DEEPEST = 2
BLOCK = 1 << 20
ENCRYPTED = 0x1
# What zipfile raises on files that are none, or that lie about themselves.
BROKEN = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, RuntimeError,
    ValueError, LookupError, OverflowError, OSError,
)  # fmt: skip


class Damaged(BadInput):
    """A zip that breaks off or makes no sense."""


@contextmanager
def opened(path: Path, largest: int = LARGEST) -> Iterator[zipfile.ZipFile]:
    """The archive at `path`, checked as a whole; it may unpack to `largest` bytes. Damage is told in words."""
    try:
        with zipfile.ZipFile(path) as archive:
            _check(path, archive, largest)
            yield archive
    except BadInput:
        raise
    except BROKEN as error:
        raise _told(path, error) from None


def check_office(path: Path) -> None:
    """Raises BadInput for an Office file that is locked or would unpack to far more than it is, Damaged for no zip."""
    with opened(path, LARGEST_OFFICE):
        return


def _check(path: Path, archive: zipfile.ZipFile, largest: int) -> None:
    entries = archive.infolist()
    size = sum(entry.file_size for entry in entries)
    if size > largest or (size > SMALL and size > RATIO * path.stat().st_size):
        raise refuse(
            path,
            f"It has {path.stat().st_size / 1e6:,.1f} MB and would unpack to {size / 1e9:,.1f} GB: files like this are "
            "made to fill disks.",
            "If it is meant, unpack it yourself and import the folder.",
        )
    if len(entries) > MOST_FILES:
        raise refuse(path, f"It holds {len(entries):,} files.", "Unpack it, and import the folder with the examples.")
    for entry in entries:
        if entry.flag_bits & ENCRYPTED:
            raise _locked(path)
        _check_name(path, entry)


def _check_name(path: Path, entry: zipfile.ZipInfo) -> None:
    name = entry.orig_filename.replace("\\", "/")
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or (parts and ":" in parts[0]) or "\0" in name:
        raise refuse(
            path,
            f"It holds the name “{name[:120]}”, which leads out of the folder it would be unpacked to.",
            "Don't trust this file; ask where it came from, or pack the examples anew.",
        )
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise refuse(
            path,
            f"“{name[:120]}” in it is a link to another place, not a file.",
            "Pack the file itself instead of the link.",
        )


def extract(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, most: int = LARGEST) -> None:
    """One file of the archive as `target`, or its first `most` bytes; what is read never exceeds what was checked."""
    try:
        with archive.open(entry) as source, open(target, "wb") as file:
            while most > 0 and (block := source.read(min(BLOCK, most))):
                file.write(block)
                most -= len(block)
    except BROKEN as error:
        raise _told(path, error) from None


def _told(path: Path, error: Exception) -> Exception:
    if isinstance(error, RuntimeError) and "password" in str(error):  # zipfile's word for it
        return _locked(path)
    return error if from_disk(error) else damaged(path, error)


def _locked(path: Path) -> BadInput:
    return refuse(path, "It is protected by a password.", "Unpack it with the password, and import what was in it.")


def damaged(path: Path, error: Exception) -> Damaged:
    return Damaged(
        f"{path.name} can't be read.",
        f"It begins like a packed file (zip) but is cut off or damaged ({type(error).__name__}: {str(error)[:120]}).",
        "Copy, download or pack it again.",
        field="source",
    )
