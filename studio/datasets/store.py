"""Datasets on disk: what there is, rows streamed or paged, searched and counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from studio import migrate
from studio.datasets.rows import SCHEMA, Row, compact, from_columns
from studio.datasets.split import SIDES
from studio.errors import Broken, NotFound, StudioError
from studio.workspace import Workspace, broken

INFO = "dataset.json"
BATCH_ROWS = 1024
TALKS = ("messages", "chosen", "rejected")


@dataclass(frozen=True)
class Page:
    """Some rows of those that match, and how many match."""

    rows: list[Row]
    total: int


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
        """Raises NotFound, or Broken when its dataset.json can't be read."""
        folder = workspace.folder("datasets", name)
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
        path = self.path(version)
        try:
            with pq.ParquetFile(path, pre_buffer=False) as file:
                for batch in file.iter_batches(batch_size=BATCH_ROWS):
                    if split is not None:
                        batch = batch.filter(pc.equal(batch["split"], split))
                    for values in batch.to_pylist():
                        yield from_columns(values)
        except pa.ArrowException as error:
            raise self._damaged(path, error) from error

    def counts(self, version: int | None = None) -> dict[str, int]:
        """How many rows each side has."""
        found = dict(self._query("SELECT split, count(*) FROM {} GROUP BY split", version, []))
        return {side: found.get(side, 0) for side in SIDES}

    def page(
        self, version: int | None, offset: int, limit: int, search: str | None = None, split: str | None = None
    ) -> Page:
        """Rows `offset` to `offset + limit` of those that match, in the file's order.

        Args:
            search: words that stand in a turn, a text or a label, in any case; or a row id.
            split: only rows of this side.
        """
        tests, values = _tests(search, split)
        where = f"WHERE {' AND '.join(tests)}" if tests else ""
        # First the places of the rows, then the rows: their text is long, and most of it is on other pages.
        if tests:
            numbers = self._query(f"SELECT list(file_row_number) FROM {{}} {where}", version, values)[0][0] or []
            total, wanted = len(numbers), sorted(numbers)[offset : offset + limit]
        else:
            total = int(self.version_info(version)["rows"])
            wanted = list(range(offset, min(offset + limit, total)))
        if not wanted:
            return Page([], total)
        found = self._query(
            f"SELECT {', '.join(SCHEMA.names)} FROM {{}} WHERE file_row_number BETWEEN ? AND ? "
            "AND list_contains(?, file_row_number) ORDER BY file_row_number",
            version,
            [wanted[0], wanted[-1], wanted],
        )
        return Page([from_columns(dict(zip(SCHEMA.names, row, strict=True))) for row in found], total)

    def _query(self, sql: str, version: int | None, values: list[Any]) -> list[tuple[Any, ...]]:
        path = self.path(version)
        try:
            with connect() as connection:
                table = "read_parquet(?, file_row_number = true)"
                return connection.execute(sql.format(table), [str(path), *values]).fetchall()
        except (duckdb.InvalidInputException, duckdb.IOException) as error:
            raise self._damaged(path, error) from error

    def _damaged(self, path: Path, error: Exception) -> Broken:
        return Broken(
            f"“{self.name}” can't be read.",
            f"{path} is damaged: {str(error).splitlines()[0][:200]}",
            "Restore it from a copy, or import its source again.",
        )


def _tests(search: str | None, split: str | None) -> tuple[list[str], list[Any]]:
    tests: list[str] = []
    values: list[Any] = []
    if split:
        tests.append("split = ?")
        values.append(split)
    if search:
        some = ["row_id = ?", "contains(lower(text), lower(?))", "contains(lower(label), lower(?))"]
        values += [search, search, search]
        for column in TALKS:  # as JSON first, which is quick, then in what the turns say, not in their keys
            some.append(
                f"(contains(lower({column}), lower(?)) AND contains(lower(array_to_string("
                f"json_extract_string({column}, '$[*].content'), chr(10))), lower(?)))"
            )
            values += [compact(search)[1:-1], search]
        tests.append(f"({' OR '.join(some)})")
    return tests, values


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
