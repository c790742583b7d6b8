"""Two versions of a dataset beside each other: which rows came, went, or changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from studio.datasets.rows import SCHEMA, Row
from studio.datasets.store import Dataset, connect

What = Literal["added", "removed", "changed"]
WHATS: tuple[What, ...] = ("changed", "added", "removed")
# Where a row came from is not what it is: lines shift when a file grows, and metadata is not learned from.
ASIDE = ("row_id", "source_file", "source_line", "extra")
CONTENT = [name for name in SCHEMA.names if name not in ASIDE]

_SQL = """
    WITH old AS (SELECT row_id, file_row_number AS place, ({columns}) AS content, ({said}) AS said FROM {table}),
         new AS (SELECT row_id, file_row_number AS place, ({columns}) AS content, ({said}) AS said FROM {table})
    SELECT row_id, CASE WHEN old.place IS NULL THEN 'added' WHEN new.place IS NULL THEN 'removed' ELSE 'changed' END
        AS what, old.said IS NOT DISTINCT FROM new.said AS same
    FROM old FULL OUTER JOIN new USING (row_id)
    WHERE old.content IS DISTINCT FROM new.content
    ORDER BY coalesce(new.place, old.place), row_id
"""


@dataclass(frozen=True)
class Pair:
    """One row that differs; `old` is None for an added one, `new` for a removed one."""

    row_id: str
    what: What
    old: Row | None
    new: Row | None

    def changed(self) -> list[str]:
        """The names of the fields that differ, of a changed row."""
        if self.old is None or self.new is None:
            return []
        return [name for name in CONTENT if getattr(self.old, name) != getattr(self.new, name)]


class Comparison:
    """What differs between two versions of one dataset.

    Args:
        old, new: their numbers.
        table: of each row that differs its `row_id` and `what`, in the order of the new version.
    """

    def __init__(self, dataset: Dataset, old: int, new: int, table: pa.Table) -> None:
        self.dataset = dataset
        self.old = old
        self.new = new
        self.table = table

    def counts(self) -> dict[What, int]:
        """How many rows were added, removed and changed."""
        found = {item["values"]: item["counts"] for item in pc.value_counts(self.table["what"]).to_pylist()}
        return {what: found.get(what, 0) for what in WHATS}

    def pairs(self, offset: int, limit: int, what: What | None = None) -> list[Pair]:
        """Some of the rows that differ, each as it was and as it is."""
        table = self.table.filter(pc.equal(self.table["what"], what)) if what else self.table
        page = table.slice(offset, limit).to_pylist()
        ids = [item["row_id"] for item in page]
        before, after = self.dataset.find(self.old, ids), self.dataset.find(self.new, ids)
        return [Pair(id_, item["what"], before.get(id_), after.get(id_)) for id_, item in zip(ids, page, strict=True)]


def compare(dataset: Dataset, old: int, new: int) -> Comparison:
    """Compares two versions by row id: contents, side and tags; not the line in the file nor the metadata.

    Its cost grows with the rows: some seconds for a million.

    Raises:
        NotFound: the dataset has no such version.
    """
    with connect() as connection:
        paths = [str(dataset.path(old)), str(dataset.path(new))]
        found = connection.sql(f"SELECT row_id, what FROM ({_sql()})", params=paths).to_arrow_table()
    return Comparison(dataset, old, new, found)


def _sql() -> str:
    columns, said = _digest(CONTENT), _digest([name for name in CONTENT if name != "split"])
    return _SQL.format(columns=columns, said=said, table="read_parquet(?, file_row_number = true)")


def _digest(names: list[str]) -> str:
    return f"md5(concat_ws(chr(31), {', '.join(f'coalesce({name}, chr(30))' for name in names)}))"


def news(dataset: Dataset, version: int) -> dict[str, int] | None:
    """What an imported version has that the one imported before it had not; None for the first import.

    Versions frozen between the two are passed over: what people did to the rows is carried over as reviews, and would
    be told here as undone. A version to whose rows others were added is compared with the one it goes on with.

    Returns:
        `against`, the number of the earlier version; `added`, `removed`, `changed` and `unchanged` rows, and those
        that `moved`: they say the same on another side.
    """
    entry = dataset.version_info(version)
    before = [each["version"] for each in dataset.info["versions"] if each["version"] < version and not derived(each)]
    if not before:
        return None
    old = int(entry.get("added_to") or max(before))
    with connect() as connection:
        paths = [str(dataset.path(old)), str(dataset.path(version))]
        told = "CASE WHEN what = 'changed' AND same THEN 'moved' ELSE what END"
        counted = dict(connection.execute(f"SELECT {told}, count(*) FROM ({_sql()}) GROUP BY ALL", paths).fetchall())
    counts: dict[str, int] = {what: counted.get(what, 0) for what in (*WHATS, "moved")}
    same = int(entry["rows"]) - counts["added"] - counts["changed"] - counts["moved"]
    return {"against": old, **counts, "unchanged": same}


def derived(entry: dict[str, Any]) -> bool:
    """Whether a version was made of another one, by freezing or by going back."""
    return "made_from" in entry
