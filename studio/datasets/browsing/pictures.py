"""What a version looks like as a whole: turns, lengths, languages, likenesses, and a map of its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from studio.datasets.likeness import SAMPLE as TELLING
from studio.datasets.likeness import Likeness, common_among, wording
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.rows import Row, Turn
from studio.datasets.splitting.grouping import current
from studio.datasets.store import Dataset
from studio.doctor import reports
from studio.doctor.kinds import KINDS, ordered
from studio.doctor.languages import language, named
from studio.errors import Broken
from studio.workspace import Workspace

MAP = "map.parquet"
SAMPLE = 1000
COMPARED = 20_000  # rows up to which all of them are compared with one another: in a sample most pairs are torn apart
BATCH = 200  # rows whose words are held at once
LONGEST = 4000  # characters of a row by which it is placed


@dataclass(frozen=True)
class Pictures:
    """Figures of the rows, the latest version's with pending changes made; of many rows a sample.

    Args:
        rows, of: how many rows were looked at, and how many there are.
        compared: how many rows were compared with one another.
        turns: number of turns → rows.
        answers: characters of each row's answers.
        languages: language in words → rows; rows with too few words to tell are "too short to tell".
        clusters: of each group of rows that are nearly alike its size, largest first.
        likest: the first row of the largest group, "" for none.
    """

    rows: int
    of: int
    compared: int
    turns: dict[int, int]
    answers: list[int]
    languages: dict[str, int]
    clusters: list[int]
    likest: str


def pictures(dataset: Dataset, version: int, most: int = SAMPLE) -> Pictures:
    """Figures of at most so many rows, evenly spread; about a second for a thousand rows."""
    total = int(dataset.version_info(version)["rows"])
    step = -(-min(total, COMPARED) // most) or 1
    likeness = Likeness(common=common_among(dataset.spread(version, TELLING)))
    ids: list[str] = []
    seen: list[Seen] = []

    def texts() -> Iterator[tuple[int, str]]:
        for place, row in enumerate(_rows(dataset, version)):
            ids.append(row.row_id)
            if place % step == 0:
                seen.append(seen_in(row))
            yield place, wording(row)

    rows = texts()
    while some := list(islice(rows, BATCH)):
        likeness.add(some)
    groups = sorted(likeness.groups(), key=lambda each: (-len(each), each[0]))
    return Pictures(
        rows=len(seen),
        of=len(ids) if total <= COMPARED else total,
        compared=len(ids),
        turns=dict(sorted(Counter(each.turns for each in seen if each.turns is not None).items())),
        answers=[each.answer for each in seen if each.answer],
        languages=dict(Counter(each.language for each in seen).most_common(12)),
        clusters=[len(group) for group in groups],
        likest=ids[groups[0][0]] if groups else "",
    )


class Seen(NamedTuple):
    """What is kept of a row: its turns (None for raw text), the characters of its answers, its language."""

    turns: int | None
    answer: int
    language: str


def seen_in(row: Row) -> Seen:
    code = language(text_of(row))[0]
    turns = None if row.kind == "text" else len(_said(row)) + (row.kind == "label")
    return Seen(turns, len(answer_of(row)), named(code) if code else "too short to tell")


def drawn(root: str, name: str, version: int) -> dict[str, Any]:
    """The same, for `studio.aside`: of the dataset of that name in the workspace at `root`."""
    return asdict(pictures(Dataset.open(Workspace(Path(root)), name), version))


def _rows(dataset: Dataset, version: int) -> Iterator[Row]:
    """The rows, of very many some evenly spread."""
    rows = dataset.spread(version, COMPARED)
    return current(rows, Reviews(dataset).pending()) if version == dataset.latest else rows


def text_of(row: Row) -> str:
    """What a row says, without its system prompt, which is the same for many: question and answers, cut off."""
    if row.kind == "text":
        return (row.text or "")[:LONGEST]
    said = [str(turn.get("content") or "") for turn in _said(row) if turn["role"] != "system"]
    return "\n".join([*said, row.label or "" if row.kind == "label" else ""])[:LONGEST]


def answer_of(row: Row) -> str:
    """What is to be learned of a row, "" for a row without an answer."""
    if row.kind == "label":
        return row.label or ""
    return "\n".join(str(turn.get("content") or "") for turn in _said(row) if turn["role"] == "assistant")


def _said(row: Row) -> list[Turn]:
    return [*(row.messages or []), *(row.chosen or [])]


@dataclass(frozen=True)
class Point:
    """A row on the map: its place, between -1 and 1, what it begins with, and what it may be coloured by."""

    row_id: str
    x: float
    y: float
    text: str
    colours: dict[str, str]


def points(dataset: Dataset, version: int, folder: Path) -> list[Point]:
    """The map that the job in `folder` made of that version.

    Raises:
        Broken: its file can't be read.
    """
    try:
        places = pq.read_table(folder / MAP).to_pydict()
    except (OSError, ValueError) as error:
        raise Broken("This map can't be read.", f"{folder / MAP}: {error}", "Make it again.") from error
    rows = dataset.find(version, places["row_id"])
    return [
        Point(row_id, round(x, 4), round(y, 4), text_of(rows[row_id])[:160], colours(rows[row_id]))
        for row_id, x, y in zip(places["row_id"], places["x"], places["y"], strict=True)
        if row_id in rows
    ]


def with_finding(point: Point, told: dict[str, str]) -> Point:
    """A point that can be coloured by what the doctor found, too; `told` is what `findings` tells."""
    return replace(point, colours=point.colours | {"finding": told.get(point.row_id, "nothing found")})


def findings(workspace: Workspace, dataset: Dataset, version: int) -> dict[str, str]:
    """Of each row with which the doctor found something in that version, at its last look, the gravest finding."""
    report = next((each for each in reports.finished(workspace, dataset) if each.version == version), None)
    found: dict[str, str] = {}
    if report is None:
        return found
    for kind in ordered([finding["kind"] for finding in report.findings]):
        for row_id, _ in report.row_ids(kind):
            found.setdefault(row_id, KINDS[kind].title)
    return found


def colours(row: Row) -> dict[str, str]:
    """By what a row can be coloured: its side, its label, each of its tags."""
    found: dict[str, Any] = {"split": row.split}
    if row.label is not None:
        found["label"] = row.label
    return found | row.tags
