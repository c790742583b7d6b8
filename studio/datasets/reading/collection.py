"""Several files as one source: chosen together, a folder, or what a zip holds. Their rows come one file after another.

Files of one shape belong together, so tables and documents are not mixed. What is plainly no data (pictures, a read-me
beside tables) is left out with a note; a file that can't be read is a bad row, so that it is left out by consent only.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import weakref
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath

from studio.datasets.reading import archives
from studio.datasets.reading.glances import BYTES, STREAMED, Glance
from studio.datasets.reading.readers import DOCUMENTS, READABLE, SAMPLE_ROWS, ending, open_reader
from studio.datasets.reading.records import FileReader, Reader, Reading, Record, refuse
from studio.datasets.splitting.sides import side_of
from studio.errors import BadInput, NoRoom

# What lies beside data and is none.
BESIDE = re.compile(
    r"(?i)(?:\._.*|\..*|thumbs\.db|desktop\.ini|__macosx|(?:read-?me|licen[cs]e|copying|notice|changelog|citation)"
    r"(?:\.\w+)?|dataset_infos?\.json|dataset_dict\.json|state\.json)"
)
HEADED = 40  # files that a sample is drawn from
SHOWN = 4
SPARE = 64 << 20  # bytes that stay free when something is unpacked
SIDE = re.compile(r"([A-Za-z]+(?:[_-]out)?)(?=$|[-_.\d])")


@dataclass(frozen=True)
class Member:
    """One of several files: its name for people, its size, and how to come by it."""

    name: str
    size: int
    fetch: Callable[[int], Path] | Path

    @property
    def kind(self) -> str:
        return ending(Path(self.name))

    @property
    def streamed(self) -> bool:
        """Whether its beginning can be read without the rest, and it is worth while to leave that packed."""
        return not isinstance(self.fetch, Path) and self.kind in STREAMED and self.size > BYTES

    @contextmanager
    def path(self, most: int = archives.LARGEST) -> Iterator[Path]:
        """Where it lies; what was unpacked for it, `most` bytes in a folder of its own, is gone afterwards."""
        if isinstance(self.fetch, Path):
            yield self.fetch
            return
        found = self.fetch(most)
        try:
            yield found
        finally:
            shutil.rmtree(found.parent, ignore_errors=True)


class Collection(FileReader):
    """Several files; each record says which one it stands in.

    Args:
        path: the folder or archive, or the first of the files, for words about them all.
    """

    def __init__(self, path: Path, kind: str, members: list[Member], reading: Reading) -> None:
        self.path = path
        self.kind = kind
        self.reading = reading
        self.done = 0
        self.notes: list[str] = []
        self.members = self._choose(members)
        self.size = sum(member.size for member in self.members)
        self.sides = _sides(self.members)
        kinds = sorted({member.kind or "txt" for member in self.members})
        self.notes.insert(0, f"read from {_files(len(self.members))} ({', '.join(kinds)})")
        if self.sides:
            self.notes.append("the names of the files say which side their rows are on")
        with self._reader(self.members[0]) as first:
            self.unit = "place" if len(kinds) > 1 else first.unit
            self.known = first.known
            if len(self.members) == 1:
                self.notes += first.notes
        if self.known is None and any(member.kind in DOCUMENTS for member in self.members):
            document = next(member for member in self.members if member.kind in DOCUMENTS)
            with self._reader(document) as reader:  # texts among documents are read as they are
                self.known = reader.known

    def _choose(self, members: list[Member]) -> list[Member]:
        """Those with data in them, by name; the rest is noted."""
        beside = [member for member in members if _is_beside(member.name)]
        data = [member for member in members if member not in beside and member.kind]
        if not data:  # a lone read-me is meant; files without an ending are judged by what they hold
            data = [member for member in members if member.kind or not PurePosixPath(member.name).suffix]
        if not data:
            raise refuse(self.path, "There is no file with examples in it.", READABLE)
        left = [member.name for member in members if member not in data and not Path(member.name).name.startswith(".")]
        if left:
            more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
            self.notes.append(f"left out: {', '.join(left[:SHOWN])}{more}")
        texts = [member for member in data if member.kind in (*DOCUMENTS, "txt")]
        tables = [member for member in data if member not in texts and member.kind != "zip"]
        if texts and tables:
            raise refuse(
                self.path,
                f"It holds tables ({tables[0].name} …) and documents ({texts[0].name} …), which don't make rows of one "
                "kind.",
                "Import the tables and the documents apart.",
                "These files can't be imported together.",
            )
        return data

    @contextmanager
    def _reader(self, member: Member) -> Iterator[Reader]:
        if not (self.reading.glance and member.streamed):
            with self._whole(member) as reader:
                yield reader
            return
        with member.path(BYTES) as path:
            first = self._opened(path)
            if first is not None:
                yield Glance(first, partial(self._whole, member))
                return
        with self._whole(member) as reader:
            yield reader

    def _opened(self, path: Path) -> Reader | None:
        """The beginning of a file; None where it can't be told from that what the file is."""
        try:
            return open_reader(path, self.reading)
        except BadInput:
            return None

    @contextmanager
    def _whole(self, member: Member) -> Iterator[Reader]:
        with member.path() as path:
            yield open_reader(path, self.reading)

    def records(self) -> Iterator[Record]:
        before = 0
        for member in self.members:
            for record, done in self._of(member, None):
                self.done = before + min(member.size, done)
                yield record
            before += member.size
            self.done = before

    def head(self) -> Iterator[Record]:
        each = max(5, SAMPLE_ROWS // len(self.members))
        for member in self.members[:HEADED]:
            for record, _ in self._of(member, each):
                yield record

    def _of(self, member: Member, most: int | None) -> Iterator[tuple[Record, int]]:
        """The records of one file, at most so many, and how far it is read; one bad record where it can't be."""
        try:
            with self._reader(member) as reader:
                for record in islice(reader.records(), most):
                    yield self._named(record, member.name), reader.done
                self.unread = self.unread or reader.unread
        except BadInput as error:
            if len(self.members) == 1:
                raise
            yield Record(0, None, f"{member.name}: {error.why or error.what}", file=member.name), member.size

    def _named(self, record: Record, name: str) -> Record:
        values = record.values
        if values is not None and "document" in values and record.document:
            values = values | {"document": name}
        if values is not None and self.sides and "split" not in values:
            values = values | {"split": self.sides[name]}
        within = f"{name}/{record.file}" if record.file else name
        return record._replace(values=values, file=within, document=record.document and within)


class Zipped(Collection):
    """What a zip holds. One file at a time is unpacked, and removed when it has been read."""

    def __init__(self, path: Path, reading: Reading) -> None:
        if reading.depth >= archives.DEEPEST:
            raise refuse(
                path,
                f"It lies in {reading.depth} packed files, one in the other: such files are made to fill disks.",
                "Unpack it yourself and import the folder.",
            )
        with archives.opened(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        self.place = tempfile.mkdtemp(dir=reading.scratch, prefix="unpacked-")
        weakref.finalize(self, shutil.rmtree, self.place, ignore_errors=True)
        members = [
            Member(entry.filename, entry.file_size, partial(_unpack, path, Path(self.place), entry))
            for entry in entries
            if not entry.filename.startswith("__MACOSX/")
        ]
        super().__init__(path, "zip", members, replace(reading, depth=reading.depth + 1))


def _unpack(path: Path, place: Path, entry: zipfile.ZipInfo, most: int) -> Path:
    """One file of the zip at `path`, or its first `most` bytes, in a folder of its own below `place`."""
    free, size = shutil.disk_usage(place).free, min(most, entry.file_size)
    if free < size + SPARE:
        raise NoRoom(
            f"The disk has no room to unpack {path.name}.",
            f"“{entry.filename[:120]}” in it takes {size / 1e6:,.0f} MB; {free / 1e6:,.0f} MB are free.",
            "Free some space (empty the trash, delete old runs) and try again.",
        )
    target = Path(tempfile.mkdtemp(dir=place)) / (PurePosixPath(entry.filename).name or "file")
    with archives.opened(path) as archive:
        archives.extract(path, archive, entry, target, most)
    return target


def _is_beside(name: str) -> bool:
    return any(BESIDE.fullmatch(part) for part in PurePosixPath(name).parts)


def _sides(members: list[Member]) -> dict[str, str]:
    """Of each file the side its name (train.jsonl, test/0001.parquet) puts its rows on; {} unless all say one."""
    found = {}
    for member in members:
        parts = PurePosixPath(member.name).parts
        named = [match[1] for part in reversed(parts) if (match := SIDE.match(part)) and side_of(match[1])]
        if not named:
            return {}
        found[member.name] = str(side_of(named[0]))
    return found if len(set(found.values())) > 1 else {}


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"
