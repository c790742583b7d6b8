"""A split planned, shown, and made: which side every row shall stand on, what comes of it, and the moves that do it.

The plan lies in the job's folder (plan.json, moves.jsonl), so what is applied is what was shown.
"""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio import migrate
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.rows import Side
from studio.datasets.splitting import leaks
from studio.datasets.splitting.dates import read_dates
from studio.datasets.splitting.grouping import WORDS, Groups, Watch, group
from studio.datasets.splitting.sides import ORDER, PLACES, SIDES, assign, read_fractions, side_of, targets
from studio.datasets.splitting.strata import Mix
from studio.datasets.store import Dataset
from studio.errors import BadInput, Refused
from studio.jobs import folder as job_folder
from studio.logs import Log
from studio.settings.base import check
from studio.settings.splitting import SplitSettings

PLAN, MOVES = "plan.json", "moves.jsonl"
# A column with more values than this, or with hardly two rows a value, can't be kept in balance.
MOST_VALUES = 500
SHOWN_VALUES = 24
NO_VALUE = ""
BLOCK = 5000  # moves a line

Found = dict[str, Any]


@dataclass
class Plan:
    """A split of the rows of a version.

    Args:
        groups: the rows, and which belong together.
        sides: of each row the place of its new side in SIDES.
        about: what is shown: `counts` now and `planned`, `moved`, `balance`, `leaks` of the plan, `before` of the
            sides as they are, `notes`, and `version` and `reviews` that it was made of.
    """

    groups: Groups
    sides: array[int]
    about: Found

    def moves(self) -> list[tuple[str, str]]:
        """(row id, new side) of the rows that change sides."""
        pairs = zip(self.groups.ids, self.groups.sides, self.sides, strict=True)
        return [(row_id, SIDES[new]) for row_id, old, new in pairs if old != new]


def plan(dataset: Dataset, settings: SplitSettings, watch: Watch, kept: Callable[[str], int] | None = None) -> Plan:
    """Plans a split of the latest version with its pending changes; nothing is changed by it.

    Args:
        kept: of a row id the side that it, and what belongs with it, stays on in a draw by chance, as a place in
            SIDES; -1 for a row that is drawn. Of rows that belong together the one that is held out furthest counts.

    Raises:
        BadInput: a column that nobody has, or that can't be used so.
        Refused: there are no rows.
    """
    reviews = Reviews(dataset)
    # Without pending changes it is the version itself that is looked at, whatever was made and taken back since.
    number = reviews.last() if reviews.pending() else int(dataset.version_info().get("reviews", 0))
    balanced = settings.stratify or _natural(dataset)
    by = settings.column if settings.by != "random" and not settings.check else None
    wanted = tuple(dict.fromkeys(name for name in (balanced, by, *settings.keep) if name))
    groups = group(dataset, settings, watch, wanted)
    if not groups.ids:
        raise Refused("There is nothing to split.", "Every row is left out.", "Take some in again.")
    held = leaks.kept_columns(dataset) if settings.check else ()  # it may be that no row has these any more
    _check_columns(groups, [name for name in (settings.stratify, by, *settings.keep) if name and name not in held])
    notes = _told(settings, pending=bool(reviews.pending()))
    sides = array("b", groups.sides) if settings.check else _draw(groups, settings, notes, kept)
    watch(len(sides), len(sides), "looking for groups that cross")
    about: Found = {
        "dataset": dataset.name,
        "version": dataset.latest,
        "reviews": number,
        "rows": len(sides),
        "counts": _counts(groups.sides),
        "planned": _counts(sides),
        "moved": sum(old != new for old, new in zip(groups.sides, sides, strict=True)),
        "balance": balance(groups, sides, balanced) if balanced else None,
        "leaks": leaks.summary(dataset, groups, sides),
        "before": None if settings.check else _short(leaks.summary(dataset, groups, groups.sides)),
        "notes": notes,
    }
    return Plan(groups, sides, about)


def _told(settings: SplitSettings, pending: bool) -> list[str]:
    """What the counts and the check go by."""
    notes = ["Counted with the changes that are in no version yet."] if pending else []
    if settings.check and settings.keep:
        names = ", ".join(f"“{name}”" for name in settings.keep)
        notes.append(f"Rows with the same value of {names} belong together.")
    return notes


def _short(found: Found) -> Found:
    return {key: found[key] for key in ("clean", "crossing", "rows", "by")}


def _natural(dataset: Dataset) -> str | None:
    """What the shares are shown of when nobody says: the label, or the first tag with some values."""
    found = dataset.groups(None)
    return next((name for name in ("label", *found) if len(found.get(name, ())) > 1), None)


def _check_columns(groups: Groups, names: list[str]) -> None:
    for name in names:
        if not any(groups.values[name]):
            raise BadInput(
                f"No row has anything in “{name}”.",
                "It is neither a column of the file that came along, nor a tag, nor the label.",
                "Choose another column; the columns of a row are shown with the row.",
                field="column",
            )


# ---- Drawing ----


def _draw(
    groups: Groups, settings: SplitSettings, notes: list[str], kept: Callable[[str], int] | None = None
) -> array[int]:
    fractions = read_fractions(settings.shares)
    if settings.by == "column":
        return _named_sides(groups, groups.values[settings.column or ""], notes)
    members = groups.members()
    free = {root: rows for root, rows in members.items() if not any(row in groups.synthetic for row in rows)}
    if settings.by == "date":
        drawn = _newest_out(groups, free, groups.values[settings.column or ""], fractions, notes)
    else:
        strata = _strata(groups, free, settings.stratify)
        digests = [min(groups.ids[row] for row in rows).encode() for rows in free.values()]
        stay = kept and [max(kept(groups.ids[row]) for row in rows) for rows in free.values()]
        drawn = assign(digests, [len(rows) for rows in free.values()], fractions, settings.seed, strata, stay or None)
    sides = array("b", bytes(len(groups.ids)))  # what is not drawn, rows that a model wrote, is trained on
    for rows, place in zip(free.values(), drawn, strict=True):
        for row in rows:
            sides[row] = place
    _note_sizes(groups, members, len(groups.ids), fractions, notes)
    return sides


def _note_sizes(
    groups: Groups, members: dict[int, list[int]], total: int, fractions: dict[Side, float], notes: list[str]
) -> None:
    largest = max(members.values(), key=len)
    smallest = min(share for share in fractions.values() if share > 0)
    if len(largest) > max(1, smallest * total):
        notes.append(
            f"The largest group has {len(largest):,} of the {total:,} rows "
            f"({', '.join(WORDS[why] for why in groups.reasons(largest))}), more than the smallest side shall have; "
            "the sides can't come nearer to their shares."
        )
    if groups.synthetic:
        notes.append(f"{len(groups.synthetic):,} rows that a model wrote, and what belongs to them, are trained on.")


def _strata(groups: Groups, members: dict[int, list[int]], column: str | None) -> list[Mix] | None:
    if column is None:
        return None
    values = groups.values[column]
    kinds = len({value for value in values if value is not None})
    if kinds > MOST_VALUES or kinds > len(values) / 2:
        raise BadInput(
            f"“{column}” can't be kept in balance.",
            f"It has {kinds:,} values among {len(values):,} rows, so hardly any stands on every side.",
            "Choose a label, a tag, or a column with few values.",
            field="stratify",
        )
    return [dict(Counter(values[row] or NO_VALUE for row in rows)) for rows in members.values()]


def _named_sides(groups: Groups, values: list[str | None], notes: list[str]) -> array[int]:
    """The sides that a column names."""
    unknown = Counter(value for value in values if value is None or side_of(value) is None)
    if unknown:
        most = ", ".join(f"“{value or 'nothing'}” ({count:,})" for value, count in unknown.most_common(5))
        raise BadInput(
            "This column does not name the sides.",
            f"{sum(unknown.values()):,} rows have something else than train, validation or test in it: {most}.",
            "Choose another column, or correct it.",
            field="column",
        )
    sides = array("b", [PLACES[side_of(value or "") or "train"] for value in values])
    held_out = [row for row in groups.synthetic if SIDES[sides[row]] != "train"]
    for row in held_out:
        sides[row] = PLACES["train"]
    if held_out:
        notes.append(f"{len(held_out):,} rows that a model wrote are trained on all the same.")
    return sides


def _newest_out(
    groups: Groups,
    members: dict[int, list[int]],
    values: list[str | None],
    fractions: dict[Side, float],
    notes: list[str],
) -> array[int]:
    """The newest groups for the test, those before for validation, older ones for training.

    A group is as new as its newest row: so nothing trained on is newer than the oldest side's border.
    """
    dates, note = read_dates([value or "" for value in values])
    notes += [note] if note else []
    lost = sum(date is None for date in dates)
    if lost == len(dates):
        raise BadInput(
            "This column has no dates.",
            f"Nothing in it can be read as a date, for example “{next((v for v in values if v), '')[:60]}”.",
            "Choose a column with dates such as 2026-03-31.",
            field="column",
        )
    if lost:
        notes.append(f"{lost:,} rows have no date that can be read; they count as the oldest.")
    oldest = float("-inf")
    newest = [max(oldest if (date := dates[row]) is None else date for row in rows) for rows in members.values()]
    ids = [min(groups.ids[row] for row in rows) for rows in members.values()]
    sizes = [len(rows) for rows in members.values()]
    room = targets(sum(sizes), fractions, len(sizes))
    sides = array("b", [PLACES["train"]]) * len(sizes)
    left, passed = [side for side in ORDER if room[side]], 0
    border = room[left[0]]
    for place in sorted(range(len(sizes)), key=lambda place: (-newest[place], ids[place])):
        # A side ends at the group whose middle is beyond its number.
        while len(left) > 1 and passed + sizes[place] / 2 > border:
            left.pop(0)
            border += room[left[0]]
        sides[place] = PLACES[left[0]]
        passed += sizes[place]
    return sides


# ---- What comes of it ----


def _counts(sides: Sequence[int]) -> dict[str, int]:
    held = Counter(sides)
    return {str(side): held[place] for place, side in enumerate(SIDES)}


def balance(groups: Groups, sides: Sequence[int], column: str) -> Found:
    """How the values of a column are shared out.

    Returns:
        `by` the column; `values` with their rows on each side, the most frequent first, `more` of them not listed;
        `held`: whether every value on every side is as near to its share as its largest group lets it, a row where
        its rows stand alone; `worst`: the one that is furthest beyond that, with its `count` and what its share would
        be.
    """
    values = groups.values[column]
    held: Counter[tuple[str, int]] = Counter()
    sizes: Counter[str] = Counter()
    for value, side in zip(values, sides, strict=True):
        held[value or NO_VALUE, side] += 1
        sizes[value or NO_VALUE] += 1
    totals, total = Counter(sides), len(sides)
    off = {
        (value, place): held[value, place] - size * totals[place] / total
        for value, size in sizes.items()
        for place in range(len(SIDES))
        if totals[place]
    }
    largest: Counter[str] = Counter()  # of each value the rows of the largest group that has it
    for rows in groups.members().values():
        for name in {values[row] or NO_VALUE for row in rows}:
            largest[name] = max(largest[name], len(rows))
    value, place = max(off, key=lambda key: abs(off[key]) - largest[key[0]])
    worst = {
        "value": value,
        "side": SIDES[place],
        "count": held[value, place],
        "share": round(sizes[value] * totals[place] / total, 1),
    }
    listed = [name for name, _ in sizes.most_common(SHOWN_VALUES)]
    return {
        "by": column,
        "values": [
            {"value": name, "rows": sizes[name], "sides": {side: held[name, at] for at, side in enumerate(SIDES)}}
            for name in listed
        ],
        "more": len(sizes) - len(listed),
        "held": abs(off[value, place]) < largest[value] + 1e-6,
        "worst": worst,
    }


# ---- In a job's folder ----


def save(found: Plan, folder: Path) -> None:
    """Writes a plan: what is shown, and the moves."""
    moves = found.moves()
    with Log(folder / MOVES) as log:
        for start in range(0, len(moves), BLOCK):
            log.append("moves", rows=moves[start : start + BLOCK])
    migrate.save(folder / PLAN, "split", found.about)


def load(folder: Path) -> Found:
    """What a plan shows."""
    return migrate.load(folder / PLAN, "split")


def apply(dataset: Dataset, folder: Path, by: str = "") -> int:
    """Moves the rows as a plan says, as one batch that one undo takes back; returns its number.

    Raises:
        Refused: the dataset was changed since the plan was made, or nothing moves.
    """
    about, reviews = load(folder), Reviews(dataset)
    number = reviews.last() if reviews.pending() else int(dataset.version_info().get("reviews", 0))
    if (about["version"], about["reviews"]) != (dataset.latest, number):
        raise Refused(
            "This plan is out of date.",
            "Rows were changed since it was made.",
            "Plan the split again.",
        )
    moves: dict[str, list[str]] = {}
    for line in _lines(folder / MOVES):
        for row_id, side in line["rows"]:
            moves.setdefault(side, []).append(row_id)
    if not moves:
        raise Refused("Nothing has to move.", "Every row stands where this plan wants it.", "Choose another seed.")
    deeds = [{"type": "move", "rows": rows, "split": side} for side, rows in moves.items()]
    batch = reviews.apply(deeds, by=by, why="split")
    leaks.remember(dataset, batch, about["leaks"], rules(settings_of(folder)))
    return batch


def settings_of(folder: Path) -> SplitSettings:
    """The settings of a split's job."""
    given = {key: value for key, value in job_folder.read_settings(folder).items() if key != "job"}
    return check(SplitSettings, given, "This split can't be made.")


def as_last_split(dataset: Dataset, settings: SplitSettings) -> SplitSettings:
    """A check that names no columns holds together what the last split did: else patients that cross would be clean."""
    if not settings.check or settings.keep or settings.column:
        return settings
    return settings.model_copy(update={"keep": leaks.kept_columns(dataset)})


def _lines(path: Path) -> list[Found]:
    if not path.exists():
        return []
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def rules(settings: SplitSettings) -> Found:
    """What a split keeps together, to be said beside what a check found."""
    names = ("near", "likeness", "questions", "documents", "conversations", "keep")
    kept = {name: getattr(settings, name) for name in names}
    if settings.by == "group" and settings.column:
        kept["keep"] = [*settings.keep, settings.column]
    return kept
