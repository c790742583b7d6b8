"""What rows are sorted and filtered by, as narrow columns of numbers: a million rows are some 20 MB.

Texts (a side, a label, a tag, a source file) are numbers into a list of their values, -1 where a row has none. Made
from a version's Parquet; kept in its index for large versions, where the files are mapped into memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from studio.datasets.rows import Turn
from studio.files import read_json, write_json

if TYPE_CHECKING:
    from studio.datasets.reviewing.changes import Change
    from studio.datasets.store import Dataset

BATCH_ROWS = 50_000
MAPPED_BYTES = 256 << 20  # columns larger than that are mapped; a mapped file can't be moved on Windows
TAG = "tag:"
TALKS = ("messages", "chosen", "rejected")
NUMBERS = ("characters", "turns")
TEXTS = ("split", "label", "file")
ABOUT = "columns.json"
Array = npt.NDArray[Any]
Changes = Sequence["tuple[Change, Array]"]  # what is to become of rows, and which: their numbers in the file, from 0


def _spoken(column: str) -> str:
    said = f"list_transform(json_extract_string({column}, '$[*].content'), lambda turn: length(turn))"
    return f"coalesce(list_sum({said}), 0)"


SQL = f"""SELECT ({" + ".join(map(_spoken, TALKS))} + coalesce(length(text), 0) + coalesce(length(label), 0))::INTEGER
        AS characters,
    (coalesce(json_array_length(messages), 0) + coalesce(json_array_length(chosen), 0))::INTEGER AS turns,
    split, label, source_file AS file, tags FROM {{}}"""


def characters(content: Mapping[str, Any]) -> int:
    """How long the contents of a row are: what its turns say, its text, its label."""
    said = sum(len(turn.get("content") or "") for name in TALKS for turn in content.get(name) or [])
    return said + len(content.get("text") or "") + len(content.get("label") or "")


@dataclass(frozen=True)
class Columns:
    """The columns of one version.

    Args:
        rows: how many.
        arrays: by name ("characters", "turns", "split", "label", "file", "tag:domain" …) one number a row, int32.
        values: of those that stand for texts, the texts.
    """

    rows: int
    arrays: dict[str, Array]
    values: dict[str, list[str]]

    def equal(self, name: str, value: str) -> npt.NDArray[np.bool_]:
        """Which rows have that text in that column."""
        values = self.values.get(name, [])
        if value not in values:
            return np.zeros(self.rows, np.bool_)
        found: npt.NDArray[np.bool_] = self.arrays[name] == values.index(value)
        return found

    def keys(self, name: str) -> Array:
        """Numbers that sort as the column does: texts by the alphabet, rows without one last."""
        array = self.arrays.get(name)
        if array is None:
            return np.zeros(self.rows, np.int32)
        if name not in self.values:
            return array
        values = self.values[name]
        ranks = np.full(len(values) + 1, len(values), np.int32)  # the last one is that of -1
        ranks[sorted(range(len(values)), key=lambda at: values[at].lower())] = np.arange(len(values))
        return ranks[array]

    def frequent(self, name: str) -> list[tuple[str, int]]:
        """The texts of a column with how many rows have each, the most frequent first."""
        counts = np.bincount(self.arrays[name] + 1, minlength=len(self.values[name]) + 1)[1:]
        found = [(value, int(count)) for value, count in zip(self.values[name], counts, strict=True) if count]
        return sorted(found, key=lambda item: (-item[1], item[0]))

    def groups(self, most: int) -> dict[str, list[tuple[str, int]]]:
        """Of the label and of each tag the most frequent texts with their counts."""
        names = ["label", *sorted(name for name in self.values if name.startswith(TAG))]
        found = {name.removeprefix(TAG): self.frequent(name)[:most] for name in names}
        return {name: values for name, values in found.items() if values}

    def changed(self, changes: Changes) -> Columns:
        """The columns as they are once pending changes count."""
        if not changes:
            return self
        made = _Draft(self)
        for change, rows in changes:
            if change.split:
                made.put("split", rows, change.split)
            for name, value in (change.tags or {}).items():
                made.put(TAG + name, rows, value)
            if change.content:
                self._edited(made, rows, change.content)
        return made.done()

    def _edited(self, made: _Draft, rows: Array, content: dict[str, Any]) -> None:
        made.array("characters")[rows] = characters(content)
        turns: list[Turn] = [*(content.get("messages") or []), *(content.get("chosen") or [])]
        made.array("turns")[rows] = len(turns)
        if content.get("label") is not None:
            made.put("label", rows, content["label"])

    def save(self, folder: Path) -> None:
        """Writes one file a column, and the texts."""
        for at, (name, array) in enumerate(self.arrays.items()):
            if isinstance(array, np.memmap):
                array.flush()
            else:
                np.save(folder / _file(at, name), array)
        about = {"rows": self.rows, "columns": list(self.arrays), "values": self.values}
        write_json(folder / ABOUT, about)

    @classmethod
    def load(cls, folder: Path) -> Columns:
        """Raises OSError, ValueError or KeyError when the files are not whole."""
        about = read_json(folder / ABOUT)
        paths = {name: folder / _file(at, name) for at, name in enumerate(about["columns"])}
        mapped = sum(path.stat().st_size for path in paths.values()) > MAPPED_BYTES
        arrays = {name: np.load(path, mmap_mode="r" if mapped else None) for name, path in paths.items()}
        if any(array.shape != (about["rows"],) for array in arrays.values()):
            raise ValueError(f"{folder} is not whole.")
        return cls(about["rows"], arrays, about["values"])


class _Draft:
    """Columns that share what was not changed with those they come from."""

    def __init__(self, before: Columns) -> None:
        self.before = before
        self.arrays = dict(before.arrays)
        self.values = dict(before.values)
        self.own: set[str] = set()
        self.places: dict[str, dict[str, int]] = {}

    def array(self, name: str) -> Array:
        if name not in self.own:
            there = self.arrays.get(name)
            self.arrays[name] = np.full(self.before.rows, -1, np.int32) if there is None else np.array(there)
            self.own.add(name)
        return self.arrays[name]

    def put(self, name: str, rows: Array, value: str | None) -> None:
        places = self.places.setdefault(name, {text: at for at, text in enumerate(self.values.get(name, []))})
        self.array(name)[rows] = -1 if value is None else places.setdefault(value, len(places))

    def done(self) -> Columns:
        self.values |= {name: list(places) for name, places in self.places.items()}
        return replace(self.before, arrays=self.arrays, values=self.values)


def make(
    dataset: Dataset, version: int, folder: Path | None = None, progress: Callable[[int], None] = lambda _: None
) -> Columns:
    """Reads the columns out of a version, some thousand rows at a time.

    Args:
        folder: where the columns grow as files, for versions that are larger than memory.
        progress: called with the rows done.
    """
    maker = _Maker(int(dataset.version_info(version)["rows"]), folder)
    for batch in dataset.stream(SQL, version, BATCH_ROWS):
        maker.take(batch)
        progress(maker.done)
    return maker.columns()


class _Maker:
    def __init__(self, rows: int, folder: Path | None) -> None:
        self.rows = rows
        self.folder = folder
        self.done = 0
        self.arrays: dict[str, Array] = {}
        self.places: dict[str, dict[str, int]] = {name: {} for name in TEXTS}
        for name in (*NUMBERS, *TEXTS):
            self._array(name)

    def _array(self, name: str) -> Array:
        if name not in self.arrays:
            at = len(self.arrays)
            self.arrays[name] = (
                np.full(self.rows, -1, np.int32)
                if self.folder is None
                else np.lib.format.open_memmap(
                    self.folder / _file(at, name), mode="w+", dtype=np.int32, shape=(self.rows,)
                )
            )
            if self.folder is not None:
                self.arrays[name][: self.done] = -1
        return self.arrays[name]

    def take(self, batch: pa.RecordBatch) -> None:
        here = slice(self.done, self.done + batch.num_rows)
        for name in NUMBERS:
            self.arrays[name][here] = batch[name].to_numpy()
        for name in TEXTS:
            texts, codes = _coded(batch[name])
            self._put(name, here, texts, codes)
        texts, codes = _coded(batch["tags"])
        tags = [json.loads(text or "{}") for text in texts]
        known = [name for name in self.arrays if name.startswith(TAG)]
        for name in dict.fromkeys([*known, *(TAG + name for each in tags for name in each)]):
            self._put(name, here, [each.get(name.removeprefix(TAG)) for each in tags], codes)
        self.done = here.stop

    def _put(self, name: str, here: slice, texts: list[str | None], codes: Array) -> None:
        places = self.places.setdefault(name, {})
        found = [-1 if text is None else places.setdefault(str(text), len(places)) for text in texts]
        self._array(name)[here] = np.array([*found, -1], np.int32)[codes]

    def columns(self) -> Columns:
        return Columns(self.rows, self.arrays, {name: list(places) for name, places in self.places.items()})


def _coded(column: pa.Array) -> tuple[list[str | None], Array]:
    """The texts of a batch, and of each row the place of its own; -1 for none."""
    coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    return coded.dictionary.to_pylist(), coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)


def _file(at: int, name: str) -> str:
    return f"{at:02}-{''.join(c for c in name if c.isalnum())[:24]}.npy"
