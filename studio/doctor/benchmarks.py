"""What training rows must not hold: the items of benchmark files that the user names, and the studio's own probes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from studio import probes
from studio.doctor.overlap import Overlap
from studio.errors import BadInput, NotFound
from studio.wording import count


class Benchmarks(Overlap):
    """Looks for the items of benchmark files.

    Args:
        sources: `FILE` or `FILE:COLUMN`; without a column, every text of a record counts.
        scratch: where archives among them unpack.

    Raises:
        NotFound, BadInput: a file can't be read, or has no such column.
    """

    def __init__(self, sources: list[str], scratch: Path | None = None) -> None:
        files = map(parted, sources)
        super().__init__("benchmarks", ((path.name, text) for path, of in files for text in texts(path, of, scratch)))

    def told(self) -> str:
        listed = ", ".join(f"{count(n, 'row')} with {name}" for name, n in self.of.most_common())
        return f"They share 13 words in a row, or a whole short item: {listed}."


class Probes(Overlap):
    """Looks for the questions by which the studio tells what a model can do in general."""

    def __init__(self) -> None:
        super().__init__("probes", ((probe.kind, probe.question) for probe in probes.load()))

    def told(self) -> str:
        listed = ", ".join(f"{name} {n}" for name, n in self.of.most_common())
        return f"By what they ask for: {listed}."


def parted(source: str) -> tuple[Path, str]:
    """`FILE:COLUMN` as both; a file whose name has a colon in it is taken as it is."""
    path = Path(source)
    if path.is_file() or ":" not in path.name:
        return path, ""
    name, _, column = source.rpartition(":")
    return Path(name), column


def texts(path: Path, column: str, scratch: Path | None = None) -> Iterator[str]:
    """The texts of a benchmark file, in any format that can be imported."""
    from studio.datasets.reading import records
    from studio.datasets.reading.readers import open_reader

    if not path.is_file():
        raise NotFound(
            f"There is no file {path}.", "It was named as a benchmark.", "Check its path.", field="benchmark"
        )
    seen = False
    for record in open_reader(path, records.Reading(scratch=scratch)).records():
        if record.values is None:
            continue
        if column and column not in record.values:
            continue
        seen = True
        yield from _strings(record.values[column] if column else record.values)
    if not seen:
        raise BadInput(
            f"{path.name} can't serve as a benchmark.",
            f"No record of it has the column “{column}”." if column else "It has no records.",
            "Name it as FILE or FILE:COLUMN.",
            field="benchmark",
        )


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)
