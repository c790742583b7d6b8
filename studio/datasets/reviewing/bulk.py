"""One deed on all rows that a list shows: moved, tagged, left out or taken in again, as one batch of reviews."""

from __future__ import annotations

from typing import Any

import numpy as np

from studio.datasets.browsing.listing import FOREVER, Listing, Wanted
from studio.datasets.reviewing import tagging
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.splitting.sides import SIDES
from studio.errors import BadInput, Refused
from studio.names import fitting

DEEDS = ("move", "tag", "exclude", "include")


def bulk(rows: Listing, wanted: Wanted, deed: dict[str, Any], by: str = "") -> dict[str, int]:
    """Does one thing to all rows that match, as one change that one undo takes back.

    Args:
        rows: the latest version with its pending changes.
        deed: `{"type": "move", "split": …}`, `{"type": "tag", "tag": …, "value": … or None}`, `{"type": "exclude"}`
            or `{"type": "include"}`.

    Returns:
        `changed` rows; `kept`: rows that a model wrote, which are not held out and stay; the
            `number` of the batch.

    Raises:
        BadInput: the deed can't be read, or a tag is too long.
        Refused: no row matches that would change.
    """
    kind = deed.get("type")
    if kind not in DEEDS or (kind == "move" and deed.get("split") not in SIDES):
        raise BadInput("This can't be done with rows.", f"{str(deed)[:100]} is no deed.", "Reload the page.")
    ids = matching(rows, wanted, str(deed["split"]) if kind == "move" else None)
    if kind == "tag":
        tag, value = str(deed.get("tag") or "").strip(), str(deed.get("value") or "").strip()
        if not tag:
            raise BadInput("The tag has no name.", "", "Write a name such as domain.", field="tag")
        fitting(tag, tagging.LONGEST, "The name of the tag", "tag")
        fitting(value, tagging.LONGEST, "The value of the tag", "value")
        tags: dict[str, str | None] = dict.fromkeys(ids, value or None)
        return {"changed": len(tags), "kept": 0, "number": tagging.apply(rows.dataset, tag, tags, by)}
    kept = written_by_models(rows, ids) if kind == "move" and deed["split"] != "train" else set()
    meant = [row for row in ids if row not in kept] if kept else ids
    if not meant:
        raise Refused(
            "Nothing was changed.",
            "Rows that a model wrote are only ever trained on." if kept else "No row that matches would change.",
            "Choose other rows.",
        )
    alike = {"type": kind, "rows": meant} | ({"split": deed["split"]} if kind == "move" else {})
    number = Reviews(rows.dataset).apply([alike], by=by, why=f"{kind} in bulk")
    return {"changed": len(meant), "kept": len(kept), "number": number}


def matching(rows: Listing, wanted: Wanted, not_on: str | None = None) -> list[str]:
    """The ids of all rows that match; with `not_on` only of those that are not on that side already."""
    numbers, _, _ = rows.matches(wanted).window(0, rows.rows, FOREVER)
    if not_on:
        numbers = numbers[~rows.now().equal("split", not_on)[numbers]]
    return rows.dataset.ids(rows.version, np.sort(numbers))


def only(ids: Any) -> Wanted:
    """Just these rows, whatever the list shows."""
    if not isinstance(ids, list) or not all(isinstance(row, str) for row in ids):
        raise BadInput("These rows can't be read.", "They are named by their ids.", "Reload the page.")
    return Wanted(among=ids)


def count(rows: Listing, wanted: Wanted) -> int:
    """How many rows match."""
    return int(rows.matches(wanted).window(0, 0, FOREVER)[1])


def written_by_models(rows: Listing, ids: list[str]) -> set[str]:
    """Those of these rows that a model wrote."""
    return {row.row_id for row in rows.dataset.written_by_models(rows.version)} & set(ids)
