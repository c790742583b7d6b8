"""Datasets on disk: what there is, its rows streamed, found by their ids and counted. Searching is listing.py's."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from studio import migrate
from studio.datasets.rows import SCHEMA, Row, batches, from_columns
from studio.datasets.splitting.sides import SIDES
from studio.errors import Broken, NotFound, StudioError
from studio.workspace import Workspace, broken

if TYPE_CHECKING:
    from studio.datasets.browsing.listing import Listing, Page, Pending, Place

INFO = "dataset.json"
BATCH_ROWS = 1024
TABLE = "read_parquet(?, file_row_number = true)"


class Dataset:
    """A dataset and its frozen versions.

    Args:
        folder: its folder in the workspace.
        info: what dataset.json says: `name`, `made`, and `versions`, each with `version`, `rows`, `counts`, `format`,
            `kind`, `mapping`, `source`, `bad_rows`, `bad`, `seed`, `notes`.
    """

    def __init__(self, folder: Path, info: dict[str, Any]) -> None:
        self.folder = folder
        self.info = info
        self.name = folder.name

    @classmethod
    def open(cls, workspace: Workspace, name: str) -> Dataset:
        """The dataset of that name, or the one that had it before it was renamed.

        Raises NotFound, or Broken when its dataset.json can't be read.
        """
        try:
            folder = workspace.folder("datasets", name)
        except NotFound:
            renamed = _renamed(workspace, name)
            if renamed is None:
                raise
            folder = renamed
        return cls(folder, read_info(folder))

    def versions(self) -> list[int]:
        return [entry["version"] for entry in self.info["versions"]]

    @property
    def latest(self) -> int:
        return max(self.versions())

    def version_info(self, version: int | None = None) -> dict[str, Any]:
        """What dataset.json says of one version (the latest when none is named)."""
        wanted = self.latest if version is None else version
        entry = next((entry for entry in self.info["versions"] if entry["version"] == wanted), None)
        if entry is None:
            raise NotFound(
                f"“{self.name}” has no version {wanted}.",
                f"It has {', '.join(map(str, self.versions()))}.",
                "Choose one of them.",
                field="version",
            )
        return dict(entry)

    def path(self, version: int | None = None) -> Path:
        """The Parquet file of a version."""
        number = self.version_info(version)["version"]
        path = self.folder / "versions" / f"{number:04}.parquet"
        if not path.is_file():
            raise Broken(
                f"Version {number} of “{self.name}” can't be read.",
                f"{path} is missing.",
                "Restore it from a copy, or import its source again.",
            )
        return path

    def rows(self, version: int | None = None, split: str | None = None) -> Iterator[Row]:
        """Every row (of one side), in the file's order, streamed."""
        for batch in self._batches(version):
            yield from _rows(batch if split is None else batch.filter(pc.equal(batch["split"], split)))

    def spread(self, version: int | None, most: int) -> Iterator[Row]:
        """The rows of `sample`, streamed: however long they are, and however many, a few are held."""
        step = _step(int(self.version_info(version)["rows"]), most)
        before = 0
        for batch in self._batches(version):
            yield from _rows(batch.take(pa.array(range(-before % step, batch.num_rows, step), pa.int64())))
            before += batch.num_rows

    def _batches(self, version: int | None) -> Iterator[pa.RecordBatch]:
        path = self.path(version)
        try:
            with pq.ParquetFile(path, pre_buffer=False) as file:
                yield from batches(file, BATCH_ROWS)
        except pa.ArrowException as error:
            raise self._damaged(path, error) from error

    def counts(self, version: int | None = None) -> dict[str, int]:
        """How many rows each side has."""
        found = dict(self.query("SELECT split, count(*) FROM {} GROUP BY split", version, []))
        return {side: found.get(side, 0) for side in SIDES}

    def page(
        self,
        version: int | None,
        offset: int,
        limit: int,
        search: str | None = None,
        split: str | None = None,
        among: list[str] | None = None,
        **wanted: Any,
    ) -> Page:
        """Rows `offset` to `offset + limit` of those that match: see `listing.Wanted`, which has more to ask for."""
        from studio.datasets.browsing.listing import Wanted

        asked = Wanted(search=search or "", split=split, among=among, **wanted)
        return self.listing(version).page(asked, offset, limit)

    def listing(self, version: int | None = None, pending: Pending | None = None) -> Listing:
        """The rows of a version to be filtered, searched and sorted, with pending changes in them."""
        from studio.datasets.browsing.listing import Listing

        return Listing(self, self.version_info(version)["version"], pending)

    def find(self, version: int | None, row_ids: list[str]) -> dict[str, Row]:
        """The rows with these ids, as far as the version has them."""
        return {row.row_id: row for row in self.at(version, sorted(self.numbers(version, row_ids).values()))}

    def numbers(self, version: int | None, row_ids: list[str]) -> dict[str, int]:
        """Of those of these ids that the version has, their rows' places in the file, from 0."""
        places = self.places(version, row_ids).tolist()
        return {row_id: place for row_id, place in zip(row_ids, places, strict=True) if place >= 0}

    def places(self, version: int | None, row_ids: Collection[str]) -> npt.NDArray[np.int64]:
        """The place in the file of the row with each of these ids, from 0; -1 where the version has none."""
        places = np.full(len(row_ids), -1, np.int64)
        if not row_ids:
            return places
        asked = pa.table({"row_id": pa.array(list(row_ids), pa.string()), "place": np.arange(len(row_ids))})
        found = self._joined("file_row_number FROM {} JOIN asked USING (row_id)", version, asked)
        places[found["place"].to_numpy()] = found["file_row_number"].to_numpy()
        return places

    def ids(self, version: int | None, numbers: Sequence[int] | npt.NDArray[np.int64]) -> list[str]:
        """The ids of the rows in these places."""
        if not len(numbers):
            return []
        wanted = np.asarray(numbers, np.int64)
        asked = pa.table({"number": wanted, "place": np.arange(len(wanted))})
        test = f"file_row_number BETWEEN {wanted.min()} AND {wanted.max()}"
        found = self._joined(f"row_id FROM {{}} JOIN asked ON file_row_number = number WHERE {test}", version, asked)
        return list(found.sort_by("place")["row_id"].to_pylist())

    def has(self, version: int | None, row_ids: list[str]) -> set[str]:
        """Those of these ids that the version has."""
        return set(self.numbers(version, row_ids))

    def written_by_models(self, version: int | None = None) -> list[Row]:
        """The rows that a model wrote: those with the tag `synthetic`."""
        found = self.query("SELECT file_row_number FROM {} WHERE contains(tags, ?)", version, ['"synthetic"'])
        return self.at(version, sorted(number for (number,) in found))

    def row(self, version: int | None, row_id: str) -> Row:
        """One row; NotFound when the version has none of that id."""
        try:
            return self.find(version, [row_id])[row_id]
        except KeyError:
            raise NotFound(
                f"Version {version or self.latest} of “{self.name}” has no row {row_id[:60]}.",
                "It was left out of this version, or belongs to another one.",
                "Look at the list of rows, or at another version.",
            ) from None

    def place(self, version: int | None, row_id: str, search: str | None = None, split: str | None = None) -> Place:
        """Where a row stands among those that match."""
        from studio.datasets.browsing.listing import Wanted

        return self.listing(version).place(Wanted(search=search or "", split=split), row_id)

    def sample(self, version: int | None, most: int) -> list[Row]:
        """At most so many rows, evenly spread over the version."""
        total = int(self.version_info(version)["rows"])
        return self.at(version, list(range(0, total, _step(total, most))))

    def groups(self, version: int | None, most: int = 12) -> dict[str, list[tuple[str, int]]]:
        """Of the label and of each tag (domain, tone, task …) the most frequent values with their counts."""
        return self.listing(version).columns().groups(most)

    def at(self, version: int | None, numbers: list[int]) -> list[Row]:
        """The rows in these places of the file, in this order."""
        found = self._picked(", ".join(SCHEMA.names), version, numbers)
        return [from_columns(dict(zip(SCHEMA.names, values, strict=True))) for _, *values in found]

    def _picked(self, names: str, version: int | None, numbers: list[int]) -> list[tuple[Any, ...]]:
        """These columns of the rows in these places, each with its place, in the order asked for."""
        if not numbers:
            return []
        test = f"file_row_number BETWEEN {min(numbers)} AND {max(numbers)} AND file_row_number IN (SELECT unnest(?))"
        found = self.query(f"SELECT file_row_number, {names} FROM {{}} WHERE {test}", version, [numbers])
        by_number = {row[0]: row for row in found}
        return [by_number[number] for number in numbers if number in by_number]

    def query(self, sql: str, version: int | None, values: list[Any]) -> list[tuple[Any, ...]]:
        """What DuckDB answers; `{}` in the query stands for the version's table, which has `file_row_number` too."""
        with self._asking(version) as (connection, path):
            return connection.execute(sql.format(TABLE), [str(path), *values]).fetchall()

    def stream(
        self, sql: str, version: int | None, batch_rows: int, values: Sequence[Any] = ()
    ) -> Iterator[pa.RecordBatch]:
        """The same for long answers: batch by batch, in the file's order."""
        with self._asking(version) as (connection, path):
            yield from connection.sql(sql.format(TABLE), params=[str(path), *values]).to_arrow_reader(batch_rows)

    def _joined(self, sql: str, version: int | None, asked: pa.Table) -> pa.Table:
        """What stands beside the `place` of each row that is asked for: many are joined much sooner than listed."""
        with self._asking(version) as (connection, path):
            connection.register("asked", asked)
            return connection.sql(f"SELECT asked.place, {sql}".format(TABLE), params=[str(path)]).to_arrow_table()

    @contextmanager
    def _asking(self, version: int | None) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
        path = self.path(version)
        try:
            with connect() as connection:
                yield connection, path
        except (duckdb.InvalidInputException, duckdb.IOException) as error:
            raise self._damaged(path, error) from error

    def _damaged(self, path: Path, error: Exception) -> Broken:
        return Broken(
            f"“{self.name}” can't be read.",
            f"{path} is damaged: {str(error).splitlines()[0][:200]}",
            "Restore it from a copy, or import its source again.",
        )


def _rows(batch: pa.RecordBatch) -> Iterator[Row]:
    return map(from_columns, batch.to_pylist())


def _step(total: int, most: int) -> int:
    """Which rows make at most so many of them all, evenly spread: each so many-th, from the first on."""
    return -(-total // most) or 1


def connect() -> duckdb.DuckDBPyConnection:
    """DuckDB in memory: it fetches no extension, spills nothing into the working folder, and leaves room to others."""
    return duckdb.connect(
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "memory_limit": "512MB",
            "threads": 2,
            "temp_directory": "",
        }
    )


def _renamed(workspace: Workspace, name: str) -> Path | None:
    """The folder of the dataset that was called so before."""
    for other in workspace.names("datasets"):
        try:
            if name in read_info(workspace.datasets / other).get("formerly", []):
                return workspace.datasets / other
        except (StudioError, OSError):
            continue
    return None


def read_info(folder: Path) -> dict[str, Any]:
    """dataset.json of a dataset's folder; Broken when it is missing or has no versions."""
    try:
        info = migrate.load(folder / INFO, "dataset")
    except FileNotFoundError:
        raise Broken(
            f"The dataset “{folder.name}” can't be read.",
            f"{folder / INFO} is missing.",
            "Restore the file from a copy, or delete the dataset and import it again.",
        ) from None
    versions = info.get("versions")
    if not isinstance(versions, list) or not versions or not all(isinstance(v, dict) and "rows" in v for v in versions):
        raise Broken(
            f"The dataset “{folder.name}” can't be read.",
            f"{folder / INFO} lists no versions.",
            "Restore the file from a copy, or delete the dataset and import it again.",
        )
    return info


def list_datasets(workspace: Workspace) -> list[dict[str, Any]]:
    """A summary of each dataset, sorted by name; one that can't be read has `error` with the reason instead."""
    found: list[dict[str, Any]] = []
    for name in workspace.names("datasets"):
        try:
            dataset = Dataset.open(workspace, name)
            latest = dataset.version_info()
            keys = ("version", "rows", "counts", "format", "kind", "made")
            found.append({"name": name, **{key: latest[key] for key in keys}, "versions": dataset.versions()})
        except (StudioError, OSError, KeyError, TypeError) as error:
            found.append({"name": name, "error": broken(error)})
    return found
