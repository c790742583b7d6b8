"""Whether a split leaks: the one check that page, command and preflight use.

A split is clean when no group of rows that belong together (grouping.py) stands on two sides. What was found is kept
in splits.json beside the versions, with the version and the last review it holds for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from studio import migrate
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.rows import Row
from studio.datasets.splitting.grouping import Groups, text_of
from studio.datasets.splitting.sides import SIDES
from studio.datasets.store import Dataset
from studio.errors import StudioError

CHECKED = "splits.json"
EXAMPLES = 20
SHOWN_ROWS, SHOWN_LETTERS = 4, 240

Found = dict[str, Any]


def crossing(groups: Groups, sides: Sequence[int]) -> list[list[int]]:
    """The groups that stand on more than one side, the largest first; of each its rows.

    Args:
        sides: of each row the place of its side in SIDES.
    """
    found = [rows for rows in groups.members().values() if len(rows) > 1 and len({sides[row] for row in rows}) > 1]
    return sorted(found, key=len, reverse=True)


def summary(dataset: Dataset, groups: Groups, sides: Sequence[int]) -> Found:
    """What the check found.

    Returns:
        `clean`; `alike`, how many `rows` in how many `groups` are nearly alike; `groups` of two rows or more, tied by
        that or otherwise, how many rows they hold (`grouped`), and the `largest`; how many groups cross (`crossing`),
        the `rows` of them, `by` reason; and `examples`, each with its `size`, why its rows belong together (`why`), how
        many it has on each side (`sides`), and some `rows` of each side.
    """
    sizes = [len(rows) for rows in groups.members().values() if len(rows) > 1]
    crossed = crossing(groups, sides)
    return {
        "clean": not crossed,
        "alike": groups.alike,
        "groups": len(sizes),
        "grouped": sum(sizes),
        "largest": max(sizes, default=1),
        "crossing": len(crossed),
        "rows": sum(map(len, crossed)),
        "by": dict(Counter(why for rows in crossed for why in groups.reasons(rows))),
        "examples": _examples(dataset, groups, sides, crossed[:EXAMPLES]),
    }


def _examples(dataset: Dataset, groups: Groups, sides: Sequence[int], crossed: list[list[int]]) -> list[Found]:
    shown = {place: _some(rows, sides) for place, rows in enumerate(crossed)}
    wanted = {groups.ids[row] for rows in shown.values() for row in rows}
    texts = _rows(dataset, wanted)
    return [
        {
            "size": len(rows),
            "why": groups.reasons(rows),
            "sides": {side: count for place, side in enumerate(SIDES) if (count := _on(rows, sides, place))},
            "rows": [_shown(groups.ids[row], SIDES[sides[row]], texts.get(groups.ids[row])) for row in shown[place]],
        }
        for place, rows in enumerate(crossed)
    ]


def _on(rows: list[int], sides: Sequence[int], place: int) -> int:
    return sum(sides[row] == place for row in rows)


def _some(rows: list[int], sides: Sequence[int]) -> list[int]:
    """A few rows of a group, of every side it stands on."""
    by_side: dict[int, list[int]] = {}
    for row in rows:
        by_side.setdefault(sides[row], []).append(row)
    each = max(1, SHOWN_ROWS // len(by_side))
    return [row for side in sorted(by_side) for row in by_side[side][:each]]


def _rows(dataset: Dataset, wanted: set[str]) -> dict[str, Row]:
    changes = Reviews(dataset).pending()
    found = dataset.find(None, list(wanted))
    return {key: changes[key].applied(row) if key in changes else row for key, row in found.items()}


def _shown(row_id: str, side: str, row: Row | None) -> Found:
    text = " ".join(text_of(row).split()) if row else ""
    return {"id": row_id, "side": side, "text": text[:SHOWN_LETTERS] + ("…" if len(text) > SHOWN_LETTERS else "")}


# ---- What was found, kept ----


def remember(dataset: Dataset, reviews: int, found: Found, rules: Found) -> None:
    """Keeps what a check of the sides as they are found; a check with other rules replaces it.

    Args:
        reviews: up to which review the rows that were checked have them.
        rules: what was kept together.
    """
    about = {key: value for key, value in found.items() if key != "examples"}
    kept = about | {"version": dataset.latest, "reviews": reviews, "rules": rules}
    migrate.save(dataset.folder / CHECKED, "split", kept)


def known(dataset: Dataset, version: int | None = None) -> Found | None:
    """What the last check found, when it holds for this version (the latest when none is named); else None.

    It holds for the very version that was checked, and for the one that was frozen of just what was checked: not for
    one that went back to older rows, nor for one that got rows besides.
    """
    path = dataset.folder / CHECKED
    try:
        found = migrate.load(path, "split")
        entry = dataset.version_info(version)
        made_of = entry.get("made_from"), entry.get("reviews", 0)
    except (StudioError, OSError):
        return None
    same = (entry["version"], entry.get("reviews", 0)) == (found.get("version"), found.get("reviews"))
    other_rows = entry.get("back") or entry.get("added") or entry.get("added_to")
    frozen = made_of == (found.get("version"), found.get("reviews")) and not other_rows
    return found if same or frozen else None


def kept_columns(dataset: Dataset) -> list[str]:
    """The columns by which rows were kept together when the sides were last checked, whatever was changed since."""
    try:
        found = migrate.load(dataset.folder / CHECKED, "split")
    except (StudioError, OSError):
        return []
    return list(found.get("rules", {}).get("keep", ()))
