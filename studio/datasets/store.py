"""Datasets on disk: what there is, rows streamed or paged, searched and counted."""

from __future__ import annotations

import re
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
# What the JSON of turns is made of: only a search for a piece of it has to tell what is said from how it is written.
FRAME = (
    "role content user assistant system tool tool_calls tool_call_id function name arguments type id reasoning_content"
)


@dataclass(frozen=True)
class Page:
    """Some rows of those that match, and how many match."""

    rows: list[Row]
    total: int


@dataclass(frozen=True)
class Place:
    """Where a row stands among those that match: its number from 1, how many match, the ids before and after it."""

    number: int
    total: int
    previous: str | None
    next: str | None


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
        self,
        version: int | None,
        offset: int,
        limit: int,
        search: str | None = None,
        split: str | None = None,
        among: list[str] | None = None,
    ) -> Page:
        """Rows `offset` to `offset + limit` of those that match, in the file's order.

        Args:
            search: words that stand in a turn, a text or a label, in any case; or a row id.
            split: only rows of this side.
            among: only rows with these ids.
        """
        where, values = _where(search, split, among)
        if where:
            numbers = self._query(f"SELECT list(file_row_number) FROM {{}} {where}", version, values)[0][0] or []
            total, wanted = len(numbers), sorted(numbers)[offset : offset + limit]
        else:
            total = int(self.version_info(version)["rows"])
            wanted = list(range(offset, min(offset + limit, total)))
        return Page(self._at(version, wanted), total)

    def find(self, version: int | None, row_ids: list[str]) -> dict[str, Row]:
        """The rows with these ids, as far as the version has them."""
        found = self._query("SELECT file_row_number FROM {} WHERE list_contains(?, row_id)", version, [row_ids])
        return {row.row_id: row for row in self._at(version, sorted(number for (number,) in found))}

    def has(self, version: int | None, row_ids: list[str]) -> set[str]:
        """Those of these ids that the version has."""
        found = self._query("SELECT row_id FROM {} WHERE row_id IN (SELECT unnest(?))", version, [row_ids])
        return {row_id for (row_id,) in found}

    def written_by_models(self, version: int | None = None) -> list[Row]:
        """The rows that a model wrote: those with the tag `synthetic`."""
        found = self._query("SELECT file_row_number FROM {} WHERE contains(tags, ?)", version, ['"synthetic"'])
        return self._at(version, sorted(number for (number,) in found))

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
        found = self._query("SELECT file_row_number FROM {} WHERE row_id = ?", version, [row_id])
        here = found[0][0] if found else -1
        where, values = _where(search, split, None)
        sql = f"""SELECT count(*) FILTER (file_row_number <= {here}), count(*),
            arg_max(row_id, file_row_number) FILTER (file_row_number < {here}),
            arg_min(row_id, file_row_number) FILTER (file_row_number > {here}) FROM {{}} {where}"""
        return Place(*self._query(sql, version, values)[0])

    def sample(self, version: int | None, most: int) -> list[Row]:
        """At most so many rows, evenly spread over the version."""
        total = int(self.version_info(version)["rows"])
        return self._at(version, list(range(0, total, -(-total // most) or 1)))

    def groups(self, version: int | None, most: int = 12) -> dict[str, list[tuple[str, int]]]:
        """Of the label and of each tag (domain, tone, task …) the most frequent values with their counts."""
        parts = """SELECT 'label' AS name, label AS value FROM {0} WHERE label IS NOT NULL UNION ALL
            SELECT unnest(json_keys(tags)), unnest(json_extract_string(tags, '$.*')) FROM {0} WHERE tags != '{{}}'"""
        sql = f"SELECT name, value, count(*) AS n FROM ({parts}) GROUP BY ALL ORDER BY n DESC, value"
        found: dict[str, list[tuple[str, int]]] = {}
        for name, value, count in self._query(sql, version, [str(self.path(version))]):
            if len(found.setdefault(name, [])) < most:
                found[name].append((value, count))
        return found

    def _at(self, version: int | None, numbers: list[int]) -> list[Row]:
        """The rows in these places; a row's text is long, so it is read only where it is wanted."""
        if not numbers:
            return []
        found = self._query(
            f"SELECT {', '.join(SCHEMA.names)} FROM {{}} WHERE file_row_number BETWEEN ? AND ? "
            "AND list_contains(?, file_row_number) ORDER BY file_row_number",
            version,
            [numbers[0], numbers[-1], numbers],
        )
        return [from_columns(dict(zip(SCHEMA.names, row, strict=True))) for row in found]

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


def _where(search: str | None, split: str | None, among: list[str] | None) -> tuple[str, list[Any]]:
    """The WHERE clause of a search with its values, "" when everything matches."""
    tests: list[str] = []
    values: list[Any] = []
    if split:
        tests.append("split = ?")
        values.append(split)
    if among is not None:
        tests.append("list_contains(?, row_id)")
        values.append(among)
    if search:
        test, more = _search(search)
        tests.append(test)
        values += more
    return (f"WHERE {' AND '.join(tests)}" if tests else ""), values


def _search(words: str) -> tuple[str, list[Any]]:
    some = ["row_id = ?", "regexp_matches(text, ?)", "regexp_matches(label, ?)"]
    values: list[Any] = [words, _pattern(words), _pattern(words)]
    for column in TALKS:  # as JSON, which is quick; where its frame could match, then in what the turns say
        test = f"regexp_matches({column}, ?)"
        values.append(_pattern(compact(words)[1:-1]))
        if words.lower() in FRAME or re.search(r"[^\w\s.?!;\'’%-]", words):
            said = f"array_to_string(json_extract_string({column}, '$[*].content'), chr(10))"
            test = f"({test} AND regexp_matches({said}, ?))"
            values.append(_pattern(words))
        some.append(test)
    return f"({' OR '.join(some)})", values


def _pattern(words: str) -> str:
    """A regular expression for these very words in any case: quicker than comparing in lower case."""
    return "(?is)" + re.sub(r"[!-/:-@\[-`{-~]", r"\\\g<0>", words)


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
