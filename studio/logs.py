"""Append-only logs, one JSON object a line: events.jsonl and metrics.jsonl.

One writer appends whole lines; readers keep an offset and take whole lines only. A line torn by a crash is
cut off by the next writer, so a reader that stopped before it goes on with what is written there instead.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from studio.errors import explain

Line = dict[str, Any]
BLOCK = 1 << 16


class Log:
    """The writing end of one log.

    Opening it cuts off a torn last line. Each `append` is one write of one line; there must be one writer at a
    time, which the job's lock sees to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = open(path, "ab", buffering=0)
        mend(path)

    def append(self, type: str, /, **fields: Any) -> Line:  # noqa: A002
        """Writes `{"type": …, "time": seconds since 1970, …fields}`; a NaN or infinity becomes null."""
        line = plain({"type": type, "time": round(time.time(), 6), **fields})
        data = json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        start = os.fstat(self.file.fileno()).st_size
        written = 0
        try:
            while written < len(data):
                written += self.file.write(data[written:])
        except OSError as error:
            os.truncate(self.path, start)  # half a line helps nobody
            raise explain(error) from error
        return line

    def close(self) -> None:
        self.file.close()

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def mend(path: Path) -> None:
    """Cuts off what follows the last newline."""
    size = path.stat().st_size
    end = _end_of_lines(path, size)
    if end < size:
        os.truncate(path, end)


def _end_of_lines(path: Path, size: int) -> int:
    """The offset behind the last newline of the first `size` bytes."""
    with open(path, "rb") as file:
        end = size
        while end > 0:
            start = max(0, end - BLOCK)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
    return 0


def read(path: Path, offset: int = 0, most: int | None = None) -> tuple[list[Line], int]:
    """The whole lines from byte `offset` on, and the offset to go on from.

    A missing file is an empty one. A line that is no JSON object (a disk fault, an editor) is passed over.

    Args:
        most: bytes after which what follows is left to the next call; without a line at all there is no more.
    """
    lines: list[Line] = []
    end = math.inf if most is None else offset + most
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            for raw in file:
                if not raw.endswith(b"\n") or (lines and offset >= end):  # the last one may still be written, or torn
                    break
                offset += len(raw)
                lines += [line] if (line := _parse(raw)) is not None else []
    except FileNotFoundError:
        return [], offset
    return lines, offset


class Tail:
    """Reads a log as it grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self.inode = 0

    def more(self, most: int | None = None) -> tuple[list[Line], bool]:
        """The whole lines since the last call, as `read` gives them, and whether they are the first ones there are:
        another file may stand there now."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            anew = self.offset > 0
            self.offset = self.inode = 0
            return [], anew
        anew = found.st_ino != self.inode or found.st_size < self.offset
        if anew:
            self.offset, self.inode = 0, found.st_ino
        if found.st_size == self.offset:
            return [], anew
        lines, self.offset = read(self.path, self.offset, most)
        return lines, anew


def last(path: Path) -> Line | None:
    """The last whole line that is a JSON object, found from the end: the cost does not grow with the log."""
    for raw in _backwards(path):
        line = _parse(raw)
        if line is not None:
            return line
    return None


def _backwards(path: Path) -> Iterator[bytes]:
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return
    with open(path, "rb") as file:
        rest = b""
        end = size
        whole = False  # what follows the last newline is torn, and not given out
        while end > 0:
            start = max(0, end - BLOCK)
            file.seek(start)
            (*lines,) = (file.read(end - start) + rest).split(b"\n")
            rest = lines[0]
            for raw in reversed(lines[1:]):
                if whole and raw:
                    yield raw
                whole = True
            end = start
        if whole and rest:
            yield rest


def _parse(raw: bytes) -> Line | None:
    try:
        line = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return line if isinstance(line, dict) else None


def plain(value: Any) -> Any:
    """`value` with every float that JSON can't hold replaced by None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return value
